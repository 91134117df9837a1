#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a step asks of workers holds: its jobs go only where labels, cores and memory are, the others go anywhere meanwhile; what waits
# at a worker that leaves comes back at once; a recipe's priority is the experiment's.
. "$(dirname "$0")/lib.sh"

cat >"$TMP/asks.cfg" <<'END'
name = "asks";
priority = 3;
steps = (
  { id = "any"; job = "noop"; makes = "nothing"; jobs = 200; },
  { id = "gpu"; job = "noop"; makes = "nothing"; jobs = 5; stage = 1; requires = ["gpu"]; },
  { id = "big"; job = "noop"; makes = "nothing"; jobs = 3; stage = 2; memory = "64G"; },
  { id = "wide"; job = "noop"; makes = "nothing"; jobs = 3; stage = 3; cores = 8; }
);
END
S=$TMP/results.db
start_coordinator "$S"
start_worker plain --memory 1G
drover run "$TMP/asks.cfg" --coordinator "$ENDPOINT" >"$TMP/run.log" 2>&1 &
RUN=$!
PIDS="$PIDS $RUN"
within 60 at_least "$S" "select count(*) from job where state = 'DONE'" 200 || fail "jobs that ask for nothing did not run"
sleep 1
[ "$(rows "$S" "select count(*) from job where state = 'DONE'")" = 200 ] || fail "a job ran where it must not"
[ "$(rows "$S" "select priority from experiment")" = 3 ] || fail "the recipe's priority was lost"

note "labels"
start_worker labelled --label gpu --label other --memory 1G
within 30 at_least "$S" "select count(*) from job where state = 'DONE'" 205 || fail "the labelled worker took nothing"
note "memory"
start_worker large --memory 100G
within 30 at_least "$S" "select count(*) from job where state = 'DONE'" 208 || fail "the large worker took nothing"
note "cores"
start_worker wide --slots 8 --memory 1G
wait "$RUN" || fail "the run failed"
for pair in gpu=labelled big=large wide=wide; do
    others=$(rows "$S" "select count(*) from attempt join job on job.id = attempt.job join worker on worker.id = attempt.worker
        where job.step = '${pair%=*}' and worker.name <> '${pair#*=}'")
    [ "$others" = 0 ] || fail "$others jobs of ${pair%=*} ran elsewhere than at ${pair#*=}"
done
[ "$(rows "$S" "select count(*) from attempt")" = 211 ] || fail "an attempt too many"

note "leaving with leases that wait"
cat >"$TMP/sleep.cfg" <<'END'
name = "sleepers";
steps = ( { id = "s"; job = "noop"; makes = "nothing"; jobs = 400; stage = 9; sleep_ms = 5; } );
END
drover submit "$TMP/sleep.cfg" --coordinator "$ENDPOINT" --priority 9 >"$TMP/submit.log" 2>&1 || fail "submit failed"
[ "$(rows "$S" "select priority from experiment where name = 'sleepers'")" = 9 ] || fail "--priority was lost"
within 60 at_least "$S" "select count(*) from job where state = 'DONE'" 230 || fail "the sleepers did not begin"
kill -USR1 "$WORKER"
within 10 sh -c "! kill -0 $WORKER 2>/dev/null" || fail "SIGUSR1 did not make the worker leave"
within 120 at_least "$S" "select count(*) from job where state = 'DONE'" 611 || fail "sleepers were lost"
[ "$(rows "$S" "select count(*) from job where tries > 0 or losses > 0")" = 0 ] || fail "leaving cost somebody a try"
