#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A curriculum's models, states and metrics are the same bits by one worker or two, by one thread or two per slot, when a worker is
# killed inside a stage, when it is sent away (SIGTERM), and when the coordinator is killed and comes back.
. "$(dirname "$0")/lib.sh"

LONG="--set train.updates=240 --set train.problems=32"
run_long() { drover run "$HERE/tiny-stage.cfg" $LONG "$@"; }
# Digests of all outputs by step and stage, and all metrics but the time.
made() {
    rows "$1" "select j.step, o.name, lower(hex(b.digest)) from job j join job_output o on o.job = j.id join blob b on b.id = o.blob
        order by j.id, o.name"
    rows "$1" "select step, metric, at_step, value from curriculum where metric <> 'core_seconds' order by job, metric, at_step" | sha256sum
}
same() {
    made "$1" >"$TMP/made.txt"
    diff "$TMP/plain.txt" "$TMP/made.txt" || fail "$2: other bits"
}
in_a_stage() { at_least "$1" "select count(*) from checkpoint c join job j on j.id = c.job where j.kind = 'stage'" 1; }
resumed() { rows "$1" "select count(*) from attempt a join job j on j.id = a.job where j.kind = 'stage' and a.from_step > 0"; }

run_long --store "$TMP/plain.db" --workers 1 >"$TMP/plain.log" 2>&1 || fail "the undisturbed run failed"
made "$TMP/plain.db" >"$TMP/plain.txt"
[ "$(wc -l <"$TMP/plain.txt")" = 8 ] || fail "a model, three times a model and a state, and metrics were expected"
[ "$(rows "$TMP/plain.db" "select count(distinct at_step) from curriculum where metric = 'reward'")" = 240 ] || fail "240 updates expected"

run_long --store "$TMP/two.db" --workers 2 >"$TMP/two.log" 2>&1 || fail "the run by two workers failed"
same "$TMP/two.db" "two workers"

S=$TMP/threads.db
start_coordinator "$S"
start_worker wide --threads 2
run_long --coordinator "$ENDPOINT" >"$TMP/threads.log" 2>&1 || fail "the run with two threads failed"
same "$S" "two threads per slot"
kill "$WORKER" "$COORDINATOR"

for how in 9 15; do
    S=$TMP/signal-$how.db
    start_coordinator "$S"
    start_worker "victim-$how"
    run_long --coordinator "$ENDPOINT" >"$TMP/signal-$how.log" 2>&1 &
    RUN=$!
    PIDS="$PIDS $RUN"
    within 120 in_a_stage "$S" || fail "signal $how: no checkpoint of a stage"
    kill "-$how" "$WORKER"
    start_worker "heir-$how"
    wait "$RUN" || fail "signal $how: the run failed"
    same "$S" "signal $how"
    note "signal $how: $(resumed "$S") attempts went on from a checkpoint"
    [ "$(resumed "$S")" -ge 1 ] || fail "signal $how: the stage began again"
    kill "$WORKER" "$COORDINATOR"
done

S=$TMP/restart.db
start_coordinator "$S"
start_worker c
drover submit "$HERE/tiny-stage.cfg" $LONG --coordinator "$ENDPOINT" >"$TMP/submit.log" 2>&1 || fail "submit failed"
within 120 in_a_stage "$S" || fail "restart: no checkpoint of a stage"
kill -9 "$COORDINATOR"
wait "$COORDINATOR" 2>/dev/null || true
sleep 1
start_coordinator "$S" --listen "$ENDPOINT"
within 120 at_least "$S" "select count(*) from job where state = 'DONE'" 4 || fail "restart: the jobs did not end"
same "$S" "a killed coordinator"
