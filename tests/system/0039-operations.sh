#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A coordinator as a service: the service manager is told, its numbers are there for Prometheus whatever else asks on that port, workers are
# listed and told to leave by name, backups are made while it works and are sound, doctor finds a planted fault, status --watch draws.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
OPS="python3 $HERE/operations.py"

cat >"$TMP/work.cfg" <<'END'
name = "work";
steps = ( { id = "s"; job = "noop"; makes = "nothing"; jobs = 1500; sleep_ms = 50; } );
END
cat >"$TMP/model.cfg" <<'END'
name = "models";
steps = ( { id = "m"; job = "noop"; jobs = 3; stage = 7; } );
END
S=$TMP/results.db

note "the service manager hears READY, STATUS, STOPPING"
$OPS notify "$TMP/notify" "$TMP/notified.txt" 2>"$TMP/notify.log" &
PIDS="$PIDS $!"
within 10 test -S "$TMP/notify" || fail "no socket"
NOTIFY_SOCKET=$TMP/notify
export NOTIFY_SOCKET
start_coordinator "$S" --metrics 0
unset NOTIFY_SOCKET
within 10 grep -q '^READY=1$' "$TMP/notified.txt" || fail "READY=1 was not sent"
URL=$(sed -n 's/.*event=metrics url=//p' "$TMP/coordinator.log")
[ -n "$URL" ] || fail "no event=metrics"

note "workers are listed"
start_worker one --label gpu --memory 1G
ONE=$WORKER
start_worker two --slots 2
within 20 sh -c "'$BIN/drover' workers --coordinator $ENDPOINT --json | grep -q '\"worker\": \"two\"'" || fail "worker two is not listed"
within 20 sh -c "'$BIN/drover' workers --coordinator $ENDPOINT --json | grep -q '\"worker\": \"one\"'" || fail "worker one is not listed"
drover workers --store "$S" --json >"$TMP/workers.json" || fail "workers --json"
python3 - "$TMP/workers.json" <<'END' || fail "what workers --json says: $(cat "$TMP/workers.json")"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["version"] == 1 and [w["worker"] for w in d["workers"]] == ["one", "two"], d
one, two = d["workers"]
assert one["labels"] == ["gpu"] and one["memory_mib"] == 1024 and one["slots"] == 1, one
assert two["slots"] == 2 and two["labels"] == [] and "packed-1" in two["classes"], two
assert all(w["state"] == "working" and w["running"] == 0 and w["waiting"] == 0 and w["pid"] > 0 for w in d["workers"]), d
END
python3 "$HERE/metrics.py" samples "$URL" >"$TMP/before.txt" || fail "metrics do not parse"

note "a run: counters grow, what waits is not counted as running"
drover submit "$TMP/model.cfg" --coordinator "$ENDPOINT" >/dev/null
drover submit "$TMP/work.cfg" --coordinator "$ENDPOINT" >/dev/null || fail "submit"
within 60 at_least "$S" "select count(*) from job where state = 'DONE'" 60 || fail "nothing is done"
drover status work --coordinator "$ENDPOINT" --json >"$TMP/status.json"
python3 - "$TMP/status.json" <<'END' || fail "more runs than there are slots: $(cat "$TMP/status.json")"
import json, sys
d = json.load(open(sys.argv[1]))
running = d["steps"][0]["running"]
assert 1 <= running <= 3, running
assert d["experiments"][0]["running_all"] <= 3
assert sum(w["waiting"] for w in d["workers"]) > 3, d["workers"] # queues are in use
END
sleep 2
python3 "$HERE/metrics.py" samples "$URL" >"$TMP/after.txt" || fail "metrics do not parse"
python3 - "$TMP/before.txt" "$TMP/after.txt" <<'END' || fail "counters: $(cat "$TMP/after.txt")"
import sys
a, b = ({l.split()[0]: float(l.split()[1]) for l in open(f)} for f in sys.argv[1:])
assert a.keys() == b.keys()
assert all(b[k] >= a[k] for k in a if k.endswith("_total")), "a counter went back"
for k in "messages results results_done leases submits sent_bytes".split():
    assert b["drover_%s_total" % k] > a["drover_%s_total" % k], k
assert b["drover_workers{state=\"working\"}"] == 2 and b["drover_commit_seconds_count"] > a["drover_commit_seconds_count"] and b["drover_results_done_total"] >= 60
END

note "what is no GET of /metrics is refused, and nothing else suffers"
HOST=${URL#http://}
HOST=${HOST%/metrics}
$OPS hostile "${HOST%:*}" "${HOST#*:}" >"$TMP/hostile.txt" || fail "the exporter ended"
for want in 'get 200 [1-9]' 'head 200 0$' 'post \(405\|closed\)' 'delete 405' 'elsewhere 404' 'garbage \(400\|closed\)' 'long \(4..\|closed\)' 'many \(4..\|closed\)'; do
    grep -q "^$want" "$TMP/hostile.txt" || fail "expected $want: $(cat "$TMP/hostile.txt")"
done
python3 "$HERE/metrics.py" samples "$URL" >/dev/null || fail "metrics are gone"
kill -0 "$COORDINATOR" || fail "the coordinator is gone"

note "a backup while it works"
before=$(rows "$S" "select count(*) from job where state = 'DONE'")
drover backup "$TMP/remote.db" --coordinator "$ENDPOINT" >"$TMP/backup.log" 2>&1 || fail "backup by the coordinator"
grep -q 'MiB, checked' "$TMP/backup.log" || fail "it does not say how big"
drover backup "$TMP/local.db" --store "$S" --with-blobs >>"$TMP/backup.log" 2>&1 || fail "backup by the file"
for copy in remote local; do
    n=$(rows "$TMP/$copy.db" "select count(*) from job where state = 'DONE'")
    { [ "$n" -ge "$before" ] && [ "$n" -lt 1503 ]; } || fail "$copy.db holds $n done jobs, $before were committed"
    [ "$(rows "$TMP/$copy.db" "select count(*) from job")" = 1503 ] || fail "$copy.db has not all jobs"
done
drover doctor --store "$TMP/local.db" --deep >"$TMP/doctor.log" || fail "the backup is not sound: $(cat "$TMP/doctor.log")"
drover doctor --store "$S" >"$TMP/doctor.log" || fail "the store is not sound: $(cat "$TMP/doctor.log")"
find "$S-blobs" -name part -prune -o -type f -print | sed 's/.*-blobs//' | sort >"$TMP/blobs.a"
find "$TMP/local.db-blobs" -type f | sed 's/.*-blobs//' | sort >"$TMP/blobs.b"
[ -s "$TMP/blobs.a" ] && cmp -s "$TMP/blobs.a" "$TMP/blobs.b" || fail "the files of the results differ"
cp "$TMP/local.db" "$TMP/kept.db"
drover backup "$TMP/local.db" --store "$S" >/dev/null 2>"$TMP/again.log" && fail "a backup replaced a file"
drover backup "$TMP/local.db" --coordinator "$ENDPOINT" >/dev/null 2>>"$TMP/again.log" && fail "a backup replaced a file"
[ "$(grep -c 'is there already' "$TMP/again.log")" = 2 ] || fail "$(cat "$TMP/again.log")"
cmp -s "$TMP/local.db" "$TMP/kept.db" || fail "the file was touched"
drover backup relative.db --coordinator "$ENDPOINT" >/dev/null 2>"$TMP/again.log" && fail "a relative path was taken"
drover backup "$TMP/nowhere/x.db" --store "$S" 2>/dev/null && fail "a folder that is not there was taken"
[ -z "$(find "$TMP" -name '*.part-*')" ] || fail "something was left"

note "status --watch"
$OPS terminal q "$BIN/drover" status --watch --coordinator "$ENDPOINT" >"$TMP/watch.txt" || fail "status --watch did not end by q"
grep -q 'slots busy' "$TMP/watch.txt" && grep -q 'work, revision 1: going on' "$TMP/watch.txt" && grep -q '/s' "$TMP/watch.txt" ||
    fail "status --watch drew: $(cat "$TMP/watch.txt")"
[ "$(grep -c '<ESC>\[[0-9]*A' "$TMP/watch.txt")" -ge 1 ] || fail "nothing was drawn in place"

note "drain by name"
drover drain nobody --coordinator "$ENDPOINT" 2>"$TMP/drain.log" && fail "a worker that is not there was drained"
grep -q 'no worker is called "nobody"' "$TMP/drain.log" || fail "$(cat "$TMP/drain.log")"
drover drain one --coordinator "$ENDPOINT" --wait=30 >"$TMP/drain.log" 2>&1 || fail "drain: $(cat "$TMP/drain.log")"
rc=0
wait "$ONE" || rc=$?
want=0
grep -q 'event=end .*cut=1' "$TMP/worker-one.log" && want=75 # a job of 50 ms was cut off, or just ended
[ "$rc" = "$want" ] || fail "the drained worker ended with $rc instead of $want"
drover workers --coordinator "$ENDPOINT" --json | grep -q '"worker": "one"' && fail "it is still listed"
drover audit --store "$S" --json | grep -q '"drain"' || fail "the drain is not in the audit"
drover status work --watch --coordinator "$ENDPOINT" >"$TMP/lines.txt" 2>&1 || fail "status --watch of one experiment"
tail -n 1 "$TMP/lines.txt" | grep -q '^work: finished, jobs 1500/1500' || fail "$(cat "$TMP/lines.txt")"
[ "$(wc -l <"$TMP/lines.txt")" -ge 2 ] || fail "status --watch printed one line only"
[ "$(rows "$S" "select count(*) from job where tries > 0 or losses > 0 or state <> 'DONE'")" = 0 ] || fail "leaving cost somebody a try"

note "the end, and back to the backup"
kill -TERM "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator did not end well"
grep -q '^STATUS=' "$TMP/notified.txt" && grep -q '^STOPPING=1$' "$TMP/notified.txt" || fail "STATUS or STOPPING was not sent: $(cat "$TMP/notified.txt")"
drover drain --all --store "$S" 2>"$TMP/drain.log" && fail "drain without a coordinator"
grep -q 'no coordinator runs' "$TMP/drain.log" || fail "$(cat "$TMP/drain.log")"
drover doctor --store "$S" --deep >"$TMP/doctor.log" || fail "the store is not sound"
cp "$TMP/remote.db" "$S.new" && mv "$S.new" "$S" && rm -f "$S-wal" "$S-shm"
start_coordinator "$S"
grep -q 'event=store_damaged' "$TMP/coordinator.log" || fail "nobody says that the store is of before"
kill -TERM "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator did not end well"
drover doctor --store "$S" >"$TMP/doctor.log" || fail "the store that was put back is not sound: $(cat "$TMP/doctor.log")"

note "a planted fault"
victim=$(find "$TMP/local.db-blobs" -type f | head -n 1)
rm "$victim"
rc=0
drover doctor --store "$TMP/local.db" >"$TMP/doctor.log" || rc=$?
[ "$rc" = 1 ] && grep -q '^bad  *blobs' "$TMP/doctor.log" || fail "a missing file was not found: $rc $(cat "$TMP/doctor.log")"
[ "$(find "$S-blobs" -name part -prune -o -type f -print | wc -l)" = "$(wc -l <"$TMP/blobs.a")" ] || fail "the store's own file went with the backup's"
