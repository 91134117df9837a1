#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a coordinator tells those who watch it: drover top on a terminal, as text and as JSON, through a coordinator that goes away and comes back;
# /metrics as Prometheus reads it and as docs/operations.md lists it; the Grafana dashboard and the alerts name only what is there.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
TOP="python3 $HERE/top.py"
ROOT=$HERE/../..
export LC_ALL=C.UTF-8 TERM=xterm

cat >"$TMP/work.cfg" <<'END'
name = "watched";
steps = ( { id = "s"; job = "noop"; makes = "nothing"; jobs = 30000; sleep_ms = 20; } );
END
cat >"$TMP/bad.cfg" <<'END'
name = "broken";
steps = ( { id = "x"; job = "exec"; command = ["sh", "-c", "echo it broke here >&2; exit 3"]; retries = 0; } );
END
S=$TMP/results.db

note "nobody to watch"
drover top --once --store "$S" >"$TMP/none.txt" 2>&1 && fail "top without a store"
: >"$TMP/empty.log"
rc=0
drover top --interval 0.1 >"$TMP/usage.txt" 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q '0.2 to 3600' "$TMP/usage.txt" || fail "--interval 0.1: $rc $(cat "$TMP/usage.txt")"

start_coordinator "$S" --metrics 0
URL=$(sed -n 's/.*event=metrics url=//p' "$TMP/coordinator.log")
start_worker one
start_worker two --slots 2 --allow-exec --allow-program sh
drover submit "$TMP/bad.cfg" --coordinator "$ENDPOINT" >/dev/null || fail "submit"
drover submit "$TMP/work.cfg" --coordinator "$ENDPOINT" >/dev/null || fail "submit"
within 40 at_least "$S" "select count(*) from job where state = 'FAILED'" 1 || fail "nothing failed"
within 40 at_least "$S" "select count(*) from job where state = 'DONE'" 20 || fail "nothing is done"

note "one picture as text"
drover top --once -i 0.5 --store "$S" >"$TMP/once.txt" || fail "top --once"
$TOP once "$TMP/once.txt" || fail "top --once printed: $(cat "$TMP/once.txt")"
NO_COLOR=1 drover top -i 0.2 -n 2 --coordinator "$ENDPOINT" | cat >"$TMP/plain.txt"
[ "$(grep -c '^drover ' "$TMP/plain.txt")" = 2 ] || fail "-n 2 printed: $(cat "$TMP/plain.txt")"
grep -q "$(printf '\033')" "$TMP/plain.txt" && fail "a pipe got escape sequences"

note "JSON, an object a line"
drover top --json -n 3 -i 0.4 --store "$S" >"$TMP/top.json" || fail "top --json"
$TOP json "$TMP/top.json" || fail "top --json printed: $(cat "$TMP/top.json")"

note "on a terminal: keys, sizes, signals"
$TOP terminal "$BIN/drover" "$S" >"$TMP/terminal.txt" 2>&1 || fail "top on a terminal: $(tail -n 60 "$TMP/terminal.txt")"

note "a coordinator that goes away and comes back"
$TOP back "$BIN/drover" "$S" "$TMP/gone" "$TMP/back" >"$TMP/back.txt" 2>&1 &
BACK=$!
PIDS="$PIDS $BACK"
within 20 test -e "$TMP/gone" || fail "top did not begin: $(tail -n 40 "$TMP/back.txt")"
kill -9 "$COORDINATOR"
wait "$COORDINATOR" 2>/dev/null || true
within 30 test -e "$TMP/back" || fail "top did not say that nobody answers: $(tail -n 40 "$TMP/back.txt")"
: >"$TMP/coordinator.log"
start_coordinator "$S" --metrics 0
wait "$BACK" || fail "top did not go on: $(tail -n 60 "$TMP/back.txt")"
URL=$(sed -n 's/.*event=metrics url=//p' "$TMP/coordinator.log")

note "/metrics: the format, and every family is in the manual"
python3 "$HERE/metrics.py" scrape "$URL" >"$TMP/families.txt" || fail "metrics: $(cat "$TMP/families.txt")"
python3 "$HERE/metrics.py" docs "$TMP/families.txt" "$ROOT/docs/operations.md" || fail "docs/operations.md and /metrics differ"
python3 "$HERE/metrics.py" self-test || fail "the checker finds nothing"

note "the dashboard and the alerts"
python3 "$HERE/metrics.py" dashboard "$TMP/families.txt" "$ROOT/dashboards/grafana/drover.json" || fail "dashboard"
python3 "$HERE/metrics.py" alerts "$TMP/families.txt" "$ROOT/dashboards/grafana/drover-alerts.yml" || fail "alerts"
if command -v promtool >/dev/null; then
    promtool check rules "$ROOT/dashboards/grafana/drover-alerts.yml" || fail "promtool check rules"
    python3 "$HERE/metrics.py" text "$URL" | promtool check metrics || fail "promtool check metrics"
fi
