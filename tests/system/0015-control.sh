#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Control: pause stops, resume goes on, priority orders, retry tries again, why tells; through a coordinator, through the lock's holder, and without
# one. Questions to a coordinator from a folder without the store's file.
. "$(dirname "$0")/lib.sh"

recipe() { # NAME SLEEP_MS SEEDS [MORE]
    cat >"$TMP/$1.cfg" <<END
name = "$1";
steps = ( { id = "train"; job = "noop"; sleep_ms = $2; gamma = $(printf '0.%s' "$4"); seed = "run"; } );
sweep = ( { set = "seed"; values = [$3]; } );
END
}
count() { rows "$S" "select count(*) from job where state = '$1'"; }
is() { [ "$(count "$1")" -eq "$2" ]; }
json() { python3 -c 'import json,sys; d = json.load(sys.stdin); assert d["version"] == 1; print(eval(sys.argv[1]))' "$1"; }

S=$TMP/control.db
recipe slow 150 "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12" 5
recipe fast 0 "1, 2, 3, 4" 6
start_coordinator "$S"
drover submit "$TMP/slow.cfg" --coordinator "$ENDPOINT" >/dev/null || fail "submit"

# why, before there is a worker
drover why slow --coordinator "$ENDPOINT" | grep -q "no worker is connected" || fail "why does not tell that there is no worker"
drover why j1 --coordinator "$ENDPOINT" --json | json '[r["rule"] for r in d["rules"]]' | grep -q no_worker || fail "why --json"

# Pause stops; running ones finish, and what was handed to a worker ahead (200 ms of work); nothing begins afterwards.
start_worker a
within 30 at_least "$S" "select count(*) from job where state = 'DONE'" 2 || fail "nothing runs"
drover pause slow --store "$S" >"$TMP/pause.out" || fail "pause by the lock's holder"
grep -q "slow is paused" "$TMP/pause.out" || fail "pause says nothing"
paused=$(($(date +%s%3N) + 500))
sleep 1.5
[ "$(rows "$S" "select count(*) from attempt where started_ms > $paused")" = 0 ] || fail "a paused experiment began a job"
started=$(rows "$S" "select count(*) from attempt")
started=$(rows "$S" "select count(*) from attempt")
[ "$(rows "$S" "select count(*) from attempt where outcome = 'RUNNING'")" = 0 ] || fail "the running job did not finish"
drover why --coordinator "$ENDPOINT" slow | grep -q "it is paused" || fail "why does not tell of the pause"
drover why --coordinator "$ENDPOINT" "j$(rows "$S" "select max(id) from job")" | grep -q "experiment slow is paused" || fail "why of a paused job"

# Others go on, and a restart changes nothing.
drover submit "$TMP/fast.cfg" --coordinator "$ENDPOINT" >/dev/null
within 30 at_least "$S" "select count(*) from attempt where outcome = 'DONE'" $((started + 4)) || fail "another experiment waits for the paused one"
kill -9 "$COORDINATOR"
start_coordinator "$S" --listen "$ENDPOINT"
sleep 1
[ "$(rows "$S" "select count(*) from attempt")" = $((started + 4)) ] || fail "the restart began a paused job"

# Priority: a later experiment goes first.
recipe later 0 "21, 22, 23" 7
kill "$WORKER"
wait "$WORKER" 2>/dev/null || true
drover submit "$TMP/later.cfg" --coordinator "$ENDPOINT" >/dev/null
drover priority later 10 --coordinator "$ENDPOINT" >/dev/null || fail "priority"
drover resume slow --coordinator "$ENDPOINT" --json | json 'd["jobs"] > 0' | grep -q True || fail "resume --json"
last=$(rows "$S" "select max(id) from attempt")
start_worker b
within 60 is DONE 19 || fail "not everything ran after resume: $(count DONE) of 19"
first=$(rows "$S" "select step || job.priority from attempt join job on job.id = attempt.job where attempt.id > $last and outcome = 'DONE' order by attempt.id limit 3" | sort -u)
case "$first" in *train10*) ;; *) fail "the higher priority did not go first: $first" ;; esac

# Questions from a folder without the store.
mkdir "$TMP/elsewhere"
(
    cd "$TMP/elsewhere"
    drover status slow --coordinator "$ENDPOINT" | grep -q train || fail "status --coordinator"
    drover query --coordinator "$ENDPOINT" --csv "select count(*) from job" | grep -q 19 || fail "query --coordinator"
    drover runs slow --coordinator "$ENDPOINT" --json | json 'd["version"]' | grep -q 1 || fail "runs --coordinator"
    drover plan "$TMP/fast.cfg" --coordinator "$ENDPOINT" >plan.out || fail "plan --coordinator"
    drover query --coordinator "$ENDPOINT" "delete from job" >/dev/null 2>delete.err && fail "a writing query was answered"
    [ "$(ls | wc -l)" = 2 ] || fail "asking left files behind: $(ls)"
) || exit 1

# A failing job: why tells its text; retry gives it another attempt, and what is done is not run again.
mkdir "$TMP/model"
echo '{}' >"$TMP/model/config.json"
cat >"$TMP/broken.cfg" <<END
name = "broken";
steps = ( { id = "score"; job = "evaluate"; model = "$TMP/model"; tasks = ["logic"]; split = "test"; examples = 2; retries = 0; } );
tables = ( { title = "Nothing yet"; rows = ["task"]; columns = ( { head = "n"; step = "score"; stat = "n"; } ); } );
END
drover submit "$TMP/broken.cfg" --coordinator "$ENDPOINT" >/dev/null || fail "submit of a model that is none"
within 30 at_least "$S" "select count(*) from job where state = 'FAILED'" 1 || fail "the broken job did not fail"
within 30 is READY 0 || fail "not all of them failed"
(cd "$TMP/elsewhere" && drover table broken --coordinator "$ENDPOINT" 2>&1 | grep -q "no results yet") || fail "table --coordinator"
job=$(rows "$S" "select min(id) from job where state = 'FAILED'")
drover why "j$job" --coordinator "$ENDPOINT" | grep -q "config.json" || fail "why does not tell how the job failed"
tries=$(rows "$S" "select count(*) from attempt")
failed=$(count FAILED)
drover retry "j$job" --coordinator "$ENDPOINT" | grep -q "1 job will be tried again" || fail "retry of a job"
within 30 at_least "$S" "select count(*) from attempt" $((tries + 1)) || fail "the job was not tried again"
within 30 is FAILED "$failed" || fail "it did not fail again"
drover retry broken --step score --coordinator "$ENDPOINT" | grep -q "$failed job" || fail "retry of a step"
within 30 at_least "$S" "select count(*) from attempt where outcome = 'FAILED'" $((failed + 1 + failed)) || fail "the step was not tried again"
[ "$(rows "$S" "select count(*) from attempt join job on job.id = attempt.job where job.state = 'DONE'")" = 19 ] || fail "something done ran again"
within 30 is READY 0 || fail "the step did not end"

# Errors name what there is.
drover pause slwo --coordinator "$ENDPOINT" 2>"$TMP/err" && fail "an unknown experiment was paused"
grep -q slow "$TMP/err" || fail "the error does not name what there is: $(cat "$TMP/err")"
drover retry j1 --coordinator "$ENDPOINT" 2>"$TMP/err" && fail "a done job was tried again"
grep -q "is done" "$TMP/err" || fail "retry of a done job: $(cat "$TMP/err")"
code=0
drover priority slow 2>/dev/null || code=$?
[ "$code" = 2 ] || fail "a priority without a number is wrong usage"

# Cancel and retry without a coordinator: the store itself, under its lock.
kill "$WORKER" "$COORDINATOR"
wait "$COORDINATOR" 2>/dev/null || true
recipe none 0 "31, 32, 33, 34" 8
start_coordinator "$S"
drover submit "$TMP/none.cfg" --coordinator "$ENDPOINT" >/dev/null
kill "$COORDINATOR"
wait "$COORDINATOR" 2>/dev/null || true
drover cancel none --store "$S" | grep -q "4 jobs" || fail "cancel without a coordinator"
is CANCELLED 4 || fail "cancel without a coordinator did nothing"
drover retry none --store "$S" | grep -q "4 jobs" || fail "retry without a coordinator"
is READY 4 || fail "retry without a coordinator did nothing"
drover pause none --store "$S" >/dev/null && drover why none --store "$S" | grep -q "it is paused" || fail "pause without a coordinator"
drover why none --store "$S" | grep -q "no coordinator runs" || fail "why without a coordinator"
drover resume none --store "$S" >/dev/null
start_coordinator "$S"
start_worker c
within 30 is DONE 23 || fail "what was tried again did not run"
drover pause nothing --store "$TMP/absent.db" 2>"$TMP/err" && fail "a store that is not there was paused"
[ ! -e "$TMP/absent.db" ] || fail "pause made a store"
note "paused, resumed, ordered, cancelled, tried again"
