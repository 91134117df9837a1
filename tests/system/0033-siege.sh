#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A coordinator under siege: random bytes on every port that it listens on, 10,000 half-open connections, slow handshakes, floods of
# connections, a key that nobody knows, a right key of too small a role, the recorded bytes of another client played again. Beside it a normal
# client submits and a worker works: both are served, nothing else is written, and what was refused stands in the log and the audit.
. "$(dirname "$0")/lib.sh"

SECONDS_EACH=${SECONDS_EACH:-3}
S=$TMP/siege.db
SIEGE="python3 $HERE/siege.py"
start_coordinator "$S" --lease-ms 10000
start_worker a
ports=$($SIEGE "$COORDINATOR" ports)
note "the coordinator listens on: $ports"
[ "$(echo "$ports" | wc -w)" -ge 2 ] || fail "two ports at least were to be found"

mkfifo "$TMP/beat"
"$BIN/pulse" "$ENDPOINT" 15 <"$TMP/beat" >"$TMP/pulse.out" 2>"$TMP/pulse.log" &
PULSE=$!
PIDS="$PIDS $PULSE"
exec 9>"$TMP/beat"
# phase NAME: ends a phase of the measurement; sets P99.
phase() {
    kill -0 "$PULSE" 2>/dev/null || fail "the normal client was not served: $(cat "$TMP/pulse.log")"
    kill -0 "$COORDINATOR" 2>/dev/null || fail "$1: the coordinator died"
    echo "$1" >&9
    within 90 grep -q "^$1 " "$TMP/pulse.out" || fail "$1: no answer of the normal client"
    note "$(grep "^$1 " "$TMP/pulse.out")"
    P99=$(sed -n "s/^$1 .*p99_ms=\([0-9.]*\).*/\1/p" "$TMP/pulse.out")
    n=$(sed -n "s/^$1 n=\([0-9]*\).*/\1/p" "$TMP/pulse.out")
    [ "$n" -gt 0 ] || fail "$1: nothing was submitted meanwhile"
}
# besieged NAME: SECONDS_EACH in peace, then as long under siege NAME; the ratio of the two p99 is printed. The promise is 2 on an idle
# machine and is measured by the bench; here many tests share the cores, so a limit far off catches what stalls. Best of three.
besieged() {
    for try in 1 2 3; do
        sleep "$SECONDS_EACH"
        phase "peace-$1-$try"
        quiet=$P99
        $SIEGE "$COORDINATOR" "$1" "$SECONDS_EACH" >"$TMP/siege-$1.log" 2>&1 || fail "$1: $(cat "$TMP/siege-$1.log")"
        phase "$1-$try"
        note "$(cat "$TMP/siege-$1.log"): p99 of submit to durable $(awk "BEGIN { printf \"%.2f\", $P99 / ($quiet + 0.001) }") times as long"
        [ "$(awk "BEGIN { print ($P99 > 10 * $quiet + 200) }")" = 1 ] || return 0
    done
    fail "$1: the normal client waits: p99 $P99 ms under siege, $quiet ms in peace, three times"
}
sleep 1
phase warm
for what in noise half-open slow flood; do besieged "$what"; done
note "newcomers under siege"
$SIEGE "$COORDINATOR" flood 5 >"$TMP/siege-new.log" 2>&1 &
FLOOD=$!
PIDS="$PIDS $FLOOD"
sleep 0.3
for i in 1 2 3 4 5; do
    timeout 20 "$BIN/drover" status --coordinator "$ENDPOINT" >"$TMP/status.log" 2>&1 || fail "who comes new is not served: $(cat "$TMP/status.log")"
done
wait "$FLOOD" || fail "the flood: $(cat "$TMP/siege-new.log")"
exec 9>&-
wait "$PULSE" || fail "the normal client: $(cat "$TMP/pulse.log")"

experiments() { rows "$S" "select count(*) from experiment where name not like 'pulse-%'"; }
if [ -d "$S-keys" ]; then
    note "a key that nobody knows"
    drover key new stranger -o "$TMP/stranger.key" >"$TMP/stranger.pub" 2>"$TMP/key.log" || fail "key new"
    for command in "status" "submit $HERE/tiny.cfg" "cancel system/tiny" "pause system/tiny"; do
        # shellcheck disable=SC2086
        DROVER_KEY=$TMP/stranger.key timeout 60 "$BIN/drover" $command --coordinator "$ENDPOINT" >"$TMP/stranger.log" 2>&1 && fail "a stranger may: $command"
        grep -qiE 'key|allow' "$TMP/stranger.log" || fail "a stranger is not told why: $(cat "$TMP/stranger.log")"
    done
    DROVER_KEY=$TMP/stranger.key timeout 5 "$BIN/drover-worker" -c "$ENDPOINT" --name stranger --slots 1 --cache "$TMP/cache-s" >"$TMP/stranger-worker.log" 2>&1 &&
        fail "a stranger works"
    note "a right key, the wrong role"
    drover key new viewer -o "$TMP/viewer.key" >"$TMP/viewer.pub" 2>"$TMP/key.log" || fail "key new"
    drover key allow "$TMP/viewer.pub" --role view --store "$S" >"$TMP/key.log" 2>&1 || drover key allow "$(grep -v '^#' "$TMP/viewer.pub" | head -n 1)" --role view --store "$S" >"$TMP/key.log" 2>&1 ||
        fail "key allow: $(cat "$TMP/key.log")"
    within 10 env DROVER_KEY="$TMP/viewer.key" "$BIN/drover" status --coordinator "$ENDPOINT" || fail "a viewer may not look"
    for command in "submit $HERE/tiny.cfg" "cancel system/tiny" "pause pulse-1"; do
        # shellcheck disable=SC2086
        DROVER_KEY=$TMP/viewer.key timeout 60 "$BIN/drover" $command --coordinator "$ENDPOINT" >"$TMP/viewer.log" 2>&1 && fail "a viewer may: $command"
        grep -qiE 'role|submit|allow' "$TMP/viewer.log" || fail "a viewer is not told why: $(cat "$TMP/viewer.log")"
    done
    DROVER_KEY=$TMP/viewer.key timeout 5 "$BIN/drover-worker" -c "$ENDPOINT" --name viewer --slots 1 --cache "$TMP/cache-v" >"$TMP/viewer-worker.log" 2>&1 && fail "a viewer works"
    [ "$(rows "$S" "select count(*) from worker where name in ('stranger', 'viewer')")" = 0 ] || fail "a worker of theirs is in the store"
    for who in unknown viewer; do
        [ "$(grep -cE 'event=(refused|denied|handshake|stranger)' "$TMP/coordinator.log")" -gt 0 ] || fail "nothing of $who in the log"
    done
    within 90 at_least "$S" "select count(*) from audit where who = 'viewer' and what = 'refused'" 1 || fail "the viewer's tries are not in the audit: $(rows "$S" "select who, what, text from audit limit 20")"
    within 90 at_least "$S" "select count(*) from audit where what <> 'refused' or who <> 'viewer'" 1 || fail "the others' tries are not in the audit"
else
    note "no keys in this build"
fi

note "what another client said, again"
drover submit "$HERE/tiny.cfg" --coordinator "$ENDPOINT" >"$TMP/submit.log" 2>&1 || fail "submit"
$SIEGE record "$TMP/recorded" "$ENDPOINT" >"$TMP/record.port" 2>"$TMP/record.log" &
RELAY=$!
PIDS="$PIDS $RELAY"
within 10 test -s "$TMP/record.port" || fail "the relay"
priority() { rows "$S" "select priority from experiment where name = 'system/tiny'"; }
drover priority system/tiny 7 --coordinator "tcp://127.0.0.1:$(cat "$TMP/record.port")" >"$TMP/priority.log" 2>&1 || fail "priority through the relay: $(cat "$TMP/priority.log")"
[ "$(priority)" = 7 ] || fail "the priority was to be 7"
drover priority system/tiny 0 --coordinator "$ENDPOINT" >"$TMP/priority.log" 2>&1 || fail "priority"
[ -s "$TMP/recorded" ] || fail "nothing was recorded"
note "$($SIEGE replay "$TMP/recorded" "$ENDPOINT")"
[ ! -d "$S-keys" ] || [ "$(priority)" = 0 ] || fail "recorded bytes were obeyed again"

[ "$(experiments)" = 1 ] || fail "experiments that nobody of ours submitted"
done_all() { [ "$(rows "$S" "select count(*) from job where state in ('READY', 'WAITING')")" = 0 ]; }
within 200 done_all || fail "the worker does not come to an end"
[ "$(rows "$S" "select count(*) from worker")" = 1 ] || fail "more than our worker is in the store"
kill "$WORKER"
wait "$WORKER" || fail "the worker did not leave in good order"
kill "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator did not leave in good order"
"$BIN/compare" "$S" >"$TMP/compare.log" || fail "the store is not sound: $(cat "$TMP/compare.log")"
