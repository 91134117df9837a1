#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the coordinator half-way and a restart on the same store: the running worker re-attaches and keeps its work.
. "$(dirname "$0")/lib.sh"

drover run "$HERE/tiny.cfg" --store "$TMP/plain.db" --workers 1 >"$TMP/plain.log" 2>&1 || fail "the undisturbed run failed"
drover labels --dump --store "$TMP/plain.db" >"$TMP/plain.dump"

S=$TMP/killed.db
start_coordinator "$S"
start_worker a
start_worker b
drover submit "$HERE/tiny.cfg" --coordinator "$ENDPOINT" >"$TMP/submit.log" 2>&1 || fail "submit failed"
within 120 at_least "$S" "select count(*) from label" 60 || fail "the search did not get half-way"
kill -9 "$COORDINATOR"
wait "$COORDINATOR" 2>/dev/null || true
before=$(rows "$S" "select count(*) from label")
note "killed the coordinator at $before of 160 labels"
[ "$before" -lt 160 ] || fail "the coordinator was killed too late to prove anything"
sleep 1
# The same port: workers know no other.
start_coordinator "$S" --listen "$ENDPOINT"
[ "$(rows "$S" "select count(*) from label")" -ge "$before" ] || fail "acknowledged labels are gone"
within 120 at_least "$S" "select count(*) from job where state = 'DONE'" "$(rows "$S" "select count(*) from job")" ||
    fail "the jobs did not end after the restart"
drover labels --dump --store "$S" >"$TMP/killed.dump"
cmp "$TMP/plain.dump" "$TMP/killed.dump" || fail "other labels after the restart"
computed=$(cat "$TMP"/worker-a.log "$TMP"/worker-b.log | grep -c 'event=example_result .*kind=search')
note "$computed searches computed for 160 labels"
[ "$computed" -le 162 ] || fail "more than one example per slot was repeated"
# A lease that was stored but died with the coordinator before it was sent is LOST; one that a worker had begun is not.
for attempt in $(rows "$S" "select id from attempt where outcome = 'LOST'"); do
    note "attempt $attempt was lost"
    grep -q "event=job_begun attempt=$attempt " "$TMP"/worker-a.log "$TMP"/worker-b.log && fail "a worker lost attempt $attempt, which it had begun"
done
exit 0
