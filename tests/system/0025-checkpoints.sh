#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training goes on from its checkpoint: after kill -9 of its worker, after a preemption, and after the coordinator's death in
# between; the model and the metrics are those of an undisturbed run, few steps are done twice, and no checkpoint is left.
. "$(dirname "$0")/lib.sh"

cat >"$TMP/train.cfg" <<'END'
name = "system/checkpoints";
steps = ( { id = "base"; job = "pretrain"; tasks = ["math", "logic"]; levels = [1, 2]; layers = 2; dim = 32; heads = 2;
            hidden = 64; steps = 2000; batch = 32; warmup = 5; gemm = "packed"; checkpoint_s = 0.2; seed = "run"; } );
sweep = ( { set = "seed"; values = [1]; } );
END
CURVE="select metric, at_step, value from curriculum order by 1, 2"
MODEL="select hex(blob.digest) from job_output join blob on blob.id = job_output.blob"

drover run "$TMP/train.cfg" --store "$TMP/plain.db" --workers 1 >"$TMP/plain.log" 2>&1 || fail "the undisturbed run failed"
rows "$TMP/plain.db" "$CURVE" >"$TMP/plain.csv"
[ "$(wc -l <"$TMP/plain.csv")" = 400 ] || fail "the undisturbed run has no whole curve"

S=$TMP/killed.db
start_coordinator "$S"
start_worker a
VICTIM=$WORKER
"$BIN/drover" run "$TMP/train.cfg" --coordinator "$ENDPOINT" >"$TMP/run.log" 2>&1 &
RUN=$!
PIDS="$PIDS $RUN"
within 120 at_least "$S" "select count(*) from checkpoint where step >= 100" 1 || fail "no checkpoint came"
kill -9 "$VICTIM"
first=$(rows "$S" "select step from checkpoint")
note "killed -9 with a checkpoint at step $first"

start_worker b
within 120 at_least "$S" "select count(*) from checkpoint where step >= $((first + 100))" 1 || fail "the second worker saved nothing"
kill -TERM "$WORKER"
within 30 at_least "$S" "select count(*) from attempt where outcome = 'PREEMPTED'" 1 || fail "the preempted worker did not leave in order"
second=$(rows "$S" "select step from checkpoint")
[ "$(grep -c 'event=job_stop .*drain=1' "$TMP/worker-b.log")" = 1 ] || fail "the drain did not reach the job"
stopped=$(rows "$S" "select text from attempt where outcome = 'PREEMPTED'")
case $stopped in *"stopped at step $second of 2000"*) ;; *) fail "preempted: \"$stopped\", but the checkpoint is of step $second" ;; esac
note "preempted at step $second, which was saved first"

kill -9 "$RUN" "$COORDINATOR" # the client would wait for the old endpoint
start_coordinator "$S"
start_worker c
within 200 at_least "$S" "select count(*) from job where state = 'DONE'" 1 || fail "the job did not end"

[ "$(rows "$S" "$MODEL")" = "$(rows "$TMP/plain.db" "$MODEL")" ] || fail "another model than the undisturbed run's"
rows "$S" "$CURVE" >"$TMP/killed.csv"
cmp "$TMP/plain.csv" "$TMP/killed.csv" || fail "another curve than the undisturbed run's"
[ "$(rows "$S" "select from_step from attempt where id = 2")" -ge "$first" ] || fail "the second attempt did not go on"
[ "$(rows "$S" "select from_step from attempt where outcome = 'DONE'")" -eq "$second" ] || fail "the last attempt did not go on"
grep -q "event=checkpoint_loaded .*step=$second" "$TMP/worker-c.log" || fail "the last worker did not load the checkpoint"
[ "$(rows "$S" "select count(*) from checkpoint")" = 0 ] || fail "the checkpoint outlived its job"

# What is left in the blob folder is what the undisturbed run has; at most one upload that the kill cut off.
(cd "$TMP/plain.db-blobs" && find . -type f ! -path './part/*' | sort) >"$TMP/plain.files"
(cd "$S-blobs" && find . -type f ! -path './part/*' | sort) >"$TMP/killed.files"
left=$(comm -13 "$TMP/plain.files" "$TMP/killed.files" | wc -l)
[ "$left" -le 1 ] || fail "$left files of checkpoints are left"
