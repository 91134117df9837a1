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
newest() { awk '$1 == "slurm" { id = $2 } END { print id }' "$S-fleet/fleet"; }
# Does the first pilot of array JOB hold a job?
begun_by() { drover workers --store "$S" --json | python3 -c 'import json, sys; sys.exit(not any(w["worker"] == sys.argv[1] and w["running"] for w in json.load(sys.stdin)["workers"]))' "drover-$1-0"; }
labels() { rows "$1" "select experiment, step, task, level, split, idx, example, routing, base_correct, has_label, base_answer, label_answer from routing order by 1, 2, 3, 4, 5, 6"; }
# This test's pilots, of whatever launch.
pilots() {
    for pid in $(pgrep -f "$BIN/drover-worker.*--name drover-" 2>/dev/null); do
        if grep -qzxF "SLURM_CONF=$SLURM_CONF" "/proc/$pid/environ" 2>/dev/null; then echo "$pid"; fi
    done
}
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
refused 'time limit' drover launch slurm --time 10:00:00 --store "$S"
refused 'invalid' drover launch slurm --sbatch=--nodelist=n99 --store "$S"
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

note "training goes on from inside a stage"
stages() { drover run "$HERE/tiny-stage.cfg" --set train.updates=600 --set train.problems=16 --set train.learning_rate=0.0001 "$@"; } # faster it diverges
# Digests of all that stages made, by step and stage, and all metrics but the time.
made() {
    rows "$1" "select j.step, o.name, lower(hex(b.digest)) from job j join job_output o on o.job = j.id join blob b on b.id = o.blob
        join run_job rj on rj.job = j.id join run r on r.id = rj.run join experiment e on e.id = r.experiment
        where e.name = 'system/tiny-stage' order by j.id, o.name"
    rows "$1" "select step, metric, at_step, value from curriculum where experiment = 'system/tiny-stage' and metric <> 'core_seconds'
        order by job, metric, at_step" | sha256sum
}
one_pilot() {
    drover launch slurm --workers 1 --slots 1 --threads 1 --time 00:10:00 --grace 5 --store "$S" >launch.txt 2>&1 || fail "launch: $(cat launch.txt)"
    job=$(newest)
}
checkpoint() { rows "$S" "select c.job || ':' || c.step from checkpoint c join job j on j.id = c.job where j.kind = 'stage' $*"; }
# A stage has saved more than before, and is far from its end.
saved() {
    step=$(checkpoint 'and c.step % 200 between 5 and 120')
    [ -n "$step" ] && [ "$step" != "$before" ]
}
stage_ends() { at_least "$S" "select count(*) from attempt a join job j on j.id = a.job where j.kind = 'stage' and a.outcome in ('PREEMPTED', 'LOST')" "$1"; }
before=
stages --detach --store "$S" >submit.txt 2>&1 || fail "submit: $(cat submit.txt)"
one_pilot
within 120 saved || fail "no stage saves a checkpoint: $(tail -n 3 "$S-fleet/${job}_0.log")"
scancel --signal=TERM --batch "${job}_0" || fail "scancel"
within 30 stage_ends 1 || fail "the preempted stage is not told: $(tail -n 3 "$S-fleet/${job}_0.log")"
within 20 no_pilot || fail "the preempted pilot stays"
kept=$(checkpoint)
[ "${kept%:*}" = "${step%:*}" ] && [ "${kept#*:}" -ge "${step#*:}" ] || fail "the preempted pilot leaves \"$kept\" of $step"
before=$kept
one_pilot
within 120 saved || fail "the next pilot saves nothing: $(tail -n 3 "$S-fleet/${job}_0.log")"
scontrol requeue "${job}_0" || fail "requeue" # the same pilot begins again
within 60 stage_ends 2 || fail "the requeued stage is not told: $(tail -n 3 "$S-fleet/${job}_0.log")"
before=$(checkpoint)
within 120 saved || fail "the requeued pilot saves nothing: $(squeue) $(tail -n 3 "$S-fleet/${job}_0.log")"
kill -9 $(pilots)
one_pilot
stages --store "$S" >run.txt 2>&1 || fail "run: $(tail -n 5 run.txt)"
stages --store "$L" >local.txt 2>&1 || fail "local run: $(tail -n 5 local.txt)"
made "$S" >slurm.made
made "$L" >local.made
[ "$(wc -l <local.made)" = 8 ] || fail "a model, three times a model and a state, and metrics were expected: $(cat local.made)"
cmp slurm.made local.made || fail "other bits than of a local run: $(diff slurm.made local.made)"
[ "$(rows "$S" "select from_step from attempt where job = ${kept%:*} and from_step > 0 order by id limit 1")" = "${kept#*:}" ] || fail "the next attempt does not go on from $kept"
# Each job's attempts after the first go on from where one before had saved.
again=$(rows "$S" "select count(*) from attempt a join job j on j.id = a.job where j.kind = 'stage' and a.from_step > 0")
anew=$(rows "$S" "select count(*) from attempt a join job j on j.id = a.job where j.kind = 'stage' and coalesce(a.from_step, 0) = 0
    and exists (select 1 from attempt b where b.job = a.job and b.id < a.id)")
note "attempts that went on from inside: $again; that began anew: $anew"
{ [ "$again" -ge 3 ] && [ "$anew" = 0 ]; } || fail "stages began again: $(rows "$S" "select a.job, a.outcome, a.from_step, a.text from attempt a join job j on j.id = a.job where j.kind = 'stage'")"
[ "$(rows "$S" "select count(*) from (select job from attempt where outcome = 'DONE' group by job having count(*) > 1)")" = 0 ] || fail "a stage was done twice"
drover down --store "$S" >down.txt 2>&1 || fail "down: $(cat down.txt)"
within 20 no_pilot || fail "pilots stay: $(pilots)"

note "the time limit"
cat >long.cfg <<'CFG'
name = "slurm/long";
steps = ( { id = "wait"; job = "noop"; makes = "nothing"; sleep_ms = 600000; jobs = 2; } );
CFG
drover run long.cfg --detach --store "$S" >submit.txt 2>&1 || fail "submit: $(cat submit.txt)"
drover launch slurm --workers 1 --time 1 --grace 20 --sbatch=--signal=B:USR1@10 --store "$S" >launch.txt 2>&1 || fail "launch: $(cat launch.txt)"
job=$(newest)
# By its own clock, or by the signal of Slurm's, which may come up to a minute early (sbatch(1)).
left() { grep -q 'event=drain .*why=\(time_limit\|sigusr1\)' "$S-fleet/${job}_0.log"; }
within 20 begun_by "$job" || fail "the pilot has nothing to do: $(tail -n 3 "$S-fleet/${job}_0.log")"
within 80 left || fail "the pilot does not leave before its limit: $(tail -n 3 "$S-fleet/${job}_0.log")"
within 40 no_pilot || fail "the pilot stays beyond its limit"
grep -q 'event=end .*cut=1' "$S-fleet/${job}_0.log" || fail "it was not told that work was cut off: $(tail -n 3 "$S-fleet/${job}_0.log")"
[ "$(squeue --noheader --array --states=all --jobs="$job" --format=%T)" != TIMEOUT ] || fail "Slurm had to end it"
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

note "pilots that sit beside jobs that they cannot run, and pilots of another version"
cat >stuck.cfg <<'CFG'
name = "slurm/stuck";
steps = ( { id = "exec"; job = "exec"; command = ["true"]; } );
CFG
drover run stuck.cfg --allow-exec --detach --store "$S" >submit.txt 2>&1 || fail "submit: $(cat submit.txt)"
: >scale.txt
"$BIN/drover" scale 3 --slots 1 --threads 1 --time 00:10:00 --grace 5 --idle-exit 6 --interval 1 --store "$S" >scale.txt 2>&1 &
SCALE=$!
PIDS="$PIDS $SCALE"
within 40 grep -q 'others=1' scale.txt || fail "the pilot did not show that it runs no programs: $(cat scale.txt)"
within 40 no_pilot || fail "the pilot stays: $(tail -n 3 scale.txt)"
sleep 5
no_pilot || fail "pilots come again and again: $(cat scale.txt)"
kill -TERM "$SCALE"
wait "$SCALE" || fail "scale ends badly: $(tail -n 3 scale.txt)"
[ "$(grep -c 'submit=' scale.txt)" = 1 ] || fail "more than one pilot for what none can run: $(cat scale.txt)"
drover cancel slurm/stuck --store "$S" >cancel.txt 2>&1 || fail "cancel: $(cat cancel.txt)"
sed 's/slurm.many/slurm\/more/; s/stage = 1/stage = 2/' many.cfg >more.cfg
drover run more.cfg --detach --store "$S" >submit.txt 2>&1 || fail "submit: $(cat submit.txt)"
"$BIN/drover" scale 1 --worker "$BIN/stranger" --slots 1 --threads 1 --time 00:10:00 --interval 1 --store "$S" >scale.txt 2>&1 &
SCALE=$!
PIDS="$PIDS $SCALE"
within 60 grep -q 'paused_s=' scale.txt || fail "scale does not pause when its pilots are refused: $(cat scale.txt)"
job=$(newest)
grep -q 'run the same version of drover on both sides' "$S-fleet/${job}_0.log" || fail "the pilot's last words: $(tail -n 3 "$S-fleet/${job}_0.log")"
kill -TERM "$SCALE"
wait "$SCALE" || fail "scale ends badly: $(tail -n 3 scale.txt)"
[ "$(grep -c 'submit=' scale.txt)" -le 4 ] || fail "more than three failures before the pause: $(cat scale.txt)"
drover cancel slurm/more --store "$S" >cancel.txt 2>&1 || fail "cancel: $(cat cancel.txt)"

note "nothing stays"
drover down --store "$S" >down.txt 2>&1 || fail "down: $(cat down.txt)"
[ "$(slurm_count PENDING,RUNNING)" = 0 ] || fail "jobs stay in the queue: $(squeue)"
no_pilot || fail "processes stay: $(pilots)"
drover doctor --store "$S" >doctor.txt 2>&1 || fail "doctor: $(cat doctor.txt)"
