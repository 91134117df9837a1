#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pilots in a real Slurm of two nodes: the quickstart through drover launch slurm gives the labels of a local run, byte for byte, while pilots are
# preempted, requeued, killed, their node goes down and their time limit comes; nothing is lost, nothing runs twice after it was durable, and no
# process stays. drover scale follows a queue that fills and empties.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm.sh"

S=$TMP/slurm.db L=$TMP/local.db
export XDG_CONFIG_HOME="$TMP/config" XDG_CACHE_HOME="$TMP/cache"
cd "$TMP"
labels() { rows "$1" "select experiment, step, task, level, split, idx, example, routing, base_correct, has_label, base_answer, label_answer from routing order by 1, 2, 3, 4, 5, 6"; }
pilots() { pgrep -f "$BIN/drover-worker.*--name drover-" 2>/dev/null || true; }
no_pilot() { [ -z "$(pilots)" ]; }

slurm_start
start_coordinator "$S"
unset DROVER_KEY DROVER_SERVER_KEY

note "what cannot be"
refused() {
    words=$1
    shift
    "$@" >out.txt 2>&1 && fail "accepted: $*"
    grep -qi -- "$words" out.txt || fail "$* says: $(cat out.txt)"
}
refused 'invalid partition' drover launch slurm --partition nowhere --store "$S"
refused 'time limit\|exceed\|invalid' drover launch slurm --sbatch=--nodelist=n99 --store "$S"
[ "$(slurm_count all)" = 0 ] || fail "a refused launch leaves jobs in the queue"

note "the quickstart by four pilots"
drover launch slurm --workers 4 --slots 1 --threads 1 --time 00:10:00 --grace 5 --idle-exit 60 --store "$S" >launch.txt 2>&1 || fail "launch: $(cat launch.txt)"
drover run quickstart --detach --store "$S" >submit.txt 2>&1 || fail "submit: $(cat submit.txt)"
joined() { [ "$(drover workers --store "$S" --json 2>/dev/null | grep -o '"worker"' | wc -l)" -ge "$1" ]; }
within 40 joined 4 || fail "the pilots did not join: $(squeue) $(tail -n 3 "$S-fleet"/*.log)"
job=$(awk '$1 == "slurm" { print $2; exit }' "$S-fleet/fleet")
begun() { at_least "$S" "select count(*) from attempt where outcome <> 'DONE' or 1" "$1"; }
within 60 begun 2 || fail "nothing began"

note "preempted, requeued, killed, its node down"
scancel --signal=TERM --batch "${job}_0" || fail "scancel"
sleep 1
scontrol requeue "${job}_1" || fail "requeue"
sleep 1
victim=$(pgrep -f "$BIN/drover-worker.*--name drover-$job-2" | head -n 1)
[ -n "$victim" ] || fail "no third pilot: $(squeue --array)"
kill -9 "$victim"
sleep 1
scontrol update NodeName=n2 State=DOWN Reason=test || fail "node down"
sleep 2
scontrol update NodeName=n2 State=RESUME || fail "node up"
drover launch slurm --workers 2 --slots 1 --threads 1 --time 00:10:00 --grace 5 --idle-exit 60 --store "$S" >>launch.txt 2>&1 || fail "launch again: $(cat launch.txt)"
drover run quickstart --store "$S" >run.txt 2>&1 || fail "run: $(tail -n 5 run.txt)"
drover run quickstart --store "$L" >local.txt 2>&1 || fail "local run: $(tail -n 5 local.txt)"
labels "$S" >slurm.labels
labels "$L" >local.labels
[ -s local.labels ] || fail "no labels"
cmp slurm.labels local.labels || fail "the labels differ"
[ "$(rows "$S" "select count(*) from (select job from attempt where outcome = 'DONE' group by job having count(*) > 1)")" = 0 ] || fail "a job was done twice"
[ "$(rows "$S" "select count(*) from job where tries > 0")" = 0 ] || fail "the cluster's losses spent tries"
[ "$(rows "$S" "select count(*) from attempt where outcome in ('PREEMPTED', 'LOST')")" -ge 1 ] || fail "nothing was preempted or lost: the test tests nothing"
[ "$(rows "$S" "select count(*) from attempt where compared = 'DIFFERENT'")" = 0 ] || fail "a repeated result differs"

note "down"
drover down --store "$S" >down.txt 2>&1 || fail "down: $(cat down.txt)"
within 20 no_pilot || fail "pilots stay: $(pilots)"

note "the time limit"
cat >long.cfg <<'CFG'
name = "slurm/long";
steps = ( { id = "wait"; job = "noop"; makes = "nothing"; sleep_ms = 600000; jobs = 2; } );
CFG
drover run long.cfg --detach --store "$S" >submit.txt 2>&1 || fail "submit: $(cat submit.txt)"
drover launch slurm --workers 1 --time 1 --grace 20 --sbatch=--signal=B:USR1@10 --store "$S" >launch.txt 2>&1 || fail "launch: $(cat launch.txt)"
left() { grep -q 'why=time_limit\|why=sigusr1' "$S-fleet"/*_0.log; }
within 80 left || fail "the pilot does not leave before its limit: $(tail -n 3 "$S-fleet"/*_0.log)"
within 40 no_pilot || fail "the pilot stays beyond its limit"
grep -h 'event=end .*cut=1' "$S-fleet"/*_0.log >/dev/null || fail "it was not told that work was cut off"
drover cancel slurm/long --store "$S" >cancel.txt 2>&1 || fail "cancel: $(cat cancel.txt)"

note "scale follows the queue"
cat >many.cfg <<'CFG'
name = "slurm/many";
steps = ( { id = "some"; job = "noop"; makes = "nothing"; sleep_ms = 400; stage = 1; jobs = 60; } );
CFG
"$BIN/drover" scale 3 --slots 1 --threads 1 --time 00:10:00 --grace 5 --idle-exit 4 --interval 1 --backlog 2 --store "$S" >scale.txt 2>&1 &
SCALE=$!
PIDS="$PIDS $SCALE"
within 10 grep -q 'jobs=0 pending=0 running=0' scale.txt || fail "scale: $(cat scale.txt)"
drover run many.cfg --detach --store "$S" >submit.txt 2>&1 || fail "submit: $(cat submit.txt)"
within 40 grep -q 'running=3' scale.txt || fail "scale does not ask for three: $(tail -n 5 scale.txt)"
drover run many.cfg --store "$S" >run.txt 2>&1 || fail "run: $(cat run.txt)"
within 60 no_pilot || fail "pilots stay when the queue is empty: $(tail -n 5 scale.txt)"
kill -TERM "$SCALE"
wait "$SCALE" || fail "scale ends badly: $(tail -n 3 scale.txt)"
awk '{ for (i = 1; i <= NF; i++) { split($i, p, "="); v[p[1]] = p[2] } if (v["pending"] > 2 || v["pending"] + v["running"] > 3) exit 1 }' scale.txt || fail "more than were asked for: $(cat scale.txt)"

note "nothing stays"
drover down --store "$S" >down.txt 2>&1 || fail "down: $(cat down.txt)"
[ "$(slurm_count PENDING,RUNNING)" = 0 ] || fail "jobs stay in the queue: $(squeue)"
no_pilot || fail "processes stay: $(pilots)"
drover doctor --store "$S" >doctor.txt 2>&1 || fail "doctor: $(cat doctor.txt)"
