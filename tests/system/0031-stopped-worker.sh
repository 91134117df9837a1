#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A worker that is stopped (SIGSTOP) for longer than its lease and then continued: its job has one result, by another worker; the late one
# is compared and counted, and of a program (job kind exec), which is not pure, it is refused and counted.
#
# Continued, a worker's job and its network thread wake at once. Is the network thread first, it learns that nobody wants the attempt and
# stops the job: no result comes late, which is right too. Then the same again with another job, until the job was first.
. "$(dirname "$0")/lib.sh"
cd "$TMP"

S=$TMP/stopped.db
start_coordinator "$S" --lease-ms 1500 --renew-ms 200 --heartbeat-ms 100
cat >late.sh <<END
#!/bin/sh
echo "\$\$" >>"$TMP/ran-\$DROVER_PARAM_TRY"
sleep 1
echo "by \$\$" >"\$DROVER_OUTPUT_MARK_TXT"
END
chmod +x late.sh
start_worker a --allow-exec --allow-program "$TMP/late.sh"
A=$WORKER
# One sleep, not many: it is over when the worker is continued.
pure() { echo "{ id = \"go\"; job = \"noop\"; sleep_ms = 1000; points = 1; stage = $1; seed = \"run\"; }"; }
program() { echo "{ id = \"go\"; job = \"exec\"; command = [\"$TMP/late.sh\"]; outputs = [\"mark.txt\"]; parameters = { try = $1; }; seed = \"run\"; }"; }
begun() { [ "$(grep -c 'event=job_begun' worker-a.log)" -gt "$1" ]; }
ended() { [ "$(grep -cE 'event=job_(done|ended)' worker-a.log)" -gt "$1" ]; }
done_by() { [ "$(rows "$S" "select state from job where id = $1")" = DONE ]; }
first() { rows "$S" "select outcome || ' ' || coalesce(compared, 'refused') || ' ' || repeats from attempt where job = $1 and epoch = 1" | tr -d '"'; }

# late KIND TRY: worker a begins a job, is stopped, b does the job, a is continued. Sets JOB.
late() {
    echo "name = \"stopped/$1-$2\"; steps = ( $("$1" "$2") );" >"$1-$2.cfg"
    before=$(grep -c 'event=job_begun' worker-a.log || true)
    drover submit "$1-$2.cfg" --coordinator "$ENDPOINT" >submit.log 2>&1 || fail "submit"
    within 60 begun "$before" || fail "the job did not begin"
    kill -STOP "$A"
    JOB=$(rows "$S" "select max(id) from job")
    start_worker "b-$1-$2" --allow-exec --allow-program "$TMP/late.sh"
    within 120 done_by "$JOB" || fail "nobody else did job $JOB"
    kill "$WORKER"
    wait "$WORKER" || fail "worker b did not leave in good order"
    kill -CONT "$A"
    within 120 ended "$before" || fail "worker a did not end its attempt"
    sleep 0.3
    [ "$(rows "$S" "select count(*) from attempt where job = $JOB and outcome = 'DONE' and epoch = 2 and id = (select attempt from job where id = $JOB)")" = 1 ] ||
        fail "the second attempt was to give the one result: $(rows "$S" "select id, epoch, outcome, compared, repeats from attempt where job = $JOB")"
    [ "$(rows "$S" "select count(*) from attempt where job = $JOB")" = 2 ] || fail "two attempts were to be"
    note "$1 $2: the first attempt: $(first "$JOB")"
}

# come_late KIND WHAT: tries until the first attempt's row says WHAT.
come_late() {
    for try in 1 2 3 4 5 6 7 8 9 10; do
        late "$1" "$try"
        [ "$(first "$JOB")" != "$2" ] || return 0
        [ "$(first "$JOB")" = 'LOST refused 0' ] || fail "of $1 the late result is \"$(first "$JOB")\", not \"$2\""
    done
    fail "of $1 no late result came in ten tries"
}

come_late pure 'LOST SAME 1'
[ "$(rows "$S" "select count(*) from series where attempt = (select attempt from job where id = $JOB)")" = 2 ] || fail "metrics of the one result"
come_late program 'LOST refused 1'
[ "$(wc -l <"ran-$try")" = 2 ] || fail "the program was to run twice: $(cat "ran-$try")"
[ "$(rows "$S" "select count(*) from job_output where job = $JOB")" = 1 ] || fail "not one output"
[ "$(rows "$S" "select count(*) from event where kind = 'incident'")" = 0 ] || fail "a late program's other bytes are no incident"
kill "$A"
wait "$A" || fail "worker a did not leave in good order"
kill "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator did not leave in good order"
"$BIN/compare" "$S" >compare.log || fail "the store is not sound: $(cat compare.log)"
