#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 of a worker half-way: the same labels as an undisturbed run, and at most one example is computed twice.
. "$(dirname "$0")/lib.sh"

drover run "$HERE/tiny.cfg" --set labels.simulations=400 --store "$TMP/plain.db" --workers 1 >"$TMP/plain.log" 2>&1 || fail "the undisturbed run failed"
drover labels --dump --store "$TMP/plain.db" >"$TMP/plain.dump"

S=$TMP/killed.db
start_coordinator "$S"
start_worker a
VICTIM=$WORKER
drover run "$HERE/tiny.cfg" --set labels.simulations=400 --set labels.shard=80 --coordinator "$ENDPOINT" >"$TMP/run.log" 2>&1 &
RUN=$!
PIDS="$PIDS $RUN"
within 120 at_least "$S" "select count(*) from label" 20 || fail "the search did not get under way"
# Killed within a job: stopped first, to see that it is in one, else it may go on a little.
within_a_job() {
    kill -STOP "$VICTIM"
    sleep 0.2 # what it sent is stored
    at_least "$S" "select count(*) from attempt join label on label.attempt = attempt.id where outcome = 'RUNNING'" 1 &&
        return 0
    kill -CONT "$VICTIM"
    return 1
}
within 10 within_a_job || fail "the worker was never seen within a job"
kill -9 "$VICTIM"
before=$(rows "$S" "select count(*) from label")
note "killed the worker at $before of 160 labels"
[ "$before" -lt 160 ] || fail "the worker was killed too late to prove anything"
start_worker b
wait "$RUN" || fail "the run failed"
drover labels --dump --store "$S" >"$TMP/killed.dump"
cmp "$TMP/plain.dump" "$TMP/killed.dump" || fail "other labels after the kill"

# Every example that a worker has computed is a line of its log.
computed=$(cat "$TMP"/worker-a.log "$TMP"/worker-b.log | grep -c 'event=example_result .*kind=search')
labels=$(rows "$S" "select count(*) from label")
note "$computed searches computed for $labels labels"
[ "$labels" = 160 ] || fail "labels are missing"
[ "$computed" -ge "$labels" ] && [ "$computed" -le $((labels + 1)) ] || fail "a kill repeated more than one example"
[ "$(rows "$S" "select count(*) from attempt where outcome = 'LOST'")" = 1 ] || fail "one attempt was to be LOST"
