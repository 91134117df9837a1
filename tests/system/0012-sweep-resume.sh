#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A sweep of 1,200 runs, killed ten times at random (client, a worker, the coordinator) and started again with the same command, ends
# with the result set of an undisturbed run, and no job is executed after its result was durable. A second `drover run` on the store
# joins the first, or refuses and names it. SEED=N repeats the same kills (their effects depend on the machine's timing).
. "$(dirname "$0")/lib.sh"

SEED=${SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
KILLS=10
RUNS=1200
FEWER=
if grep -q __asan_init "$BIN/drover-worker" || grep -q __tsan_init "$BIN/drover-worker"; then
    RUNS=240 # sanitizers: one seed
    FEWER="--set seed=1"
fi
note "seed $SEED, $RUNS runs"

# random N: sets R to one of 0..N-1.
random() {
    SEED=$(((SEED * 1103515245 + 12345) % 2147483648))
    R=$((SEED / 65536 % $1))
}
# children PID NAME: pids of PID's children whose program's name begins with NAME.
children() {
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        case $(cat "/proc/$child/comm" 2>/dev/null) in "$2"*) echo "$child" ;; esac
    done
}
# begin LOG: sets CLIENT, a `drover run` on $S in the background.
begin() {
    "$BIN/drover" run "$HERE/sweep.cfg" $FEWER --store "$S" --workers 2 --quiet >>"$TMP/$1.log" 2>&1 &
    CLIENT=$!
    PIDS="$PIDS $CLIENT"
    coordinator=0 worker=0 # so often killed in this life of the client
}
# refused: the run ended because the second one has the store, or is about to.
refused() { tail -n 1 "$TMP/run.log" | grep -q 'in use by process [0-9]'; }
finished() { rows "$S" "select count(*) from job where state = 'DONE'" 2>/dev/null || echo 0; }
dump() {
    rows "$1" "select lower(hex(j.key)), j.state, o.name, lower(hex(b.digest)) from job j join job_output o on o.job = j.id
        join blob b on b.id = o.blob order by 1, 3" >"$2"
    rows "$1" "select lower(hex(j.key)), c.step, c.metric, c.at_step, c.value from curriculum c join job j on j.id = c.job
        order by 1, 2, 3, 4" >>"$2"
    rows "$1" "select lower(hex(r.digest)), lower(hex(j.key)) from run r join run_job c on c.run = r.id and c.live = 1
        join job j on j.id = c.job where r.superseded = 0 order by 1, 2" >>"$2"
}

S=$TMP/plain.db
drover run "$HERE/sweep.cfg" $FEWER --set train.sleep_ms=0 --store "$S" --workers 2 --quiet >"$TMP/plain.log" 2>&1 ||
    fail "the undisturbed run failed"
dump "$S" "$TMP/plain.dump"
[ "$(grep -c DONE "$TMP/plain.dump")" = $RUNS ] || fail "$RUNS results expected"

S=$TMP/killed.db
begin run
kills=0
while [ "$kills" -lt "$KILLS" ]; do
    # It may have refused because the second run was starting a coordinator: the same command again.
    if ! kill -0 "$CLIENT" 2>/dev/null && refused; then
        note "the run refused: $(tail -n 1 "$TMP/run.log")"
        begin run
    fi
    # Each time at another place: after so many more results than before.
    random $((RUNS / KILLS - 20))
    target=$((RUNS * kills / KILLS + R))
    within 60 at_least "$S" "select count(*) from job where state = 'DONE'" "$target" || fail "no progress to $target jobs"
    kills=$((kills + 1))
    random 3
    case $R in
    0) who=client victim=$CLIENT ;;
    1) who=coordinator victim=$(children "$CLIENT" drover-coord | head -n 1) ;;
    2) who=worker victim=$(children "$CLIENT" drover-worker | tail -n 1) ;;
    esac
    # Who dies six times within moments is given up, and rightly so.
    eval "n=\${$who:-0}"
    [ "$n" -lt 5 ] || victim=
    eval "$who=\$((n + 1))"
    if [ -z "$victim" ]; then # given up, or between two lives
        who=client victim=$CLIENT
    fi
    left=$(children "$CLIENT" drover)
    # A coordinator that finds the other run's there ends by itself; then it is the client.
    if ! kill -9 "$victim" 2>/dev/null; then
        who=client
        kill -9 "$CLIENT" 2>/dev/null || refused || fail "nobody to kill: the run ended before its time"
    fi
    note "kill $kills: the $who after $(finished) of $RUNS jobs"
    if [ "$who" = client ]; then
        wait "$CLIENT" 2>/dev/null || true
        PIDS="$PIDS $left"
        begin run
    fi
    if [ "$kills" = 5 ]; then # a second one, same command
        timeout 400 "$BIN/drover" run "$HERE/sweep.cfg" $FEWER --store "$S" --workers 1 --quiet >"$TMP/second.log" 2>&1 &
        SECOND=$!
        PIDS="$PIDS $SECOND"
    fi
done
while ! wait "$CLIENT"; do
    refused || fail "the run that was killed ten times failed"
    begin run
done
if ! wait "$SECOND"; then
    grep -q 'in use by process [0-9]' "$TMP/second.log" || fail "the second run on the store neither joined nor named the first"
    note "the second run refused: $(tail -n 1 "$TMP/second.log")"
fi

dump "$S" "$TMP/killed.dump"
cmp "$TMP/plain.dump" "$TMP/killed.dump" || fail "another result set than the undisturbed run's"
late=$(rows "$S" "select count(*) from job j join attempt e on e.id = j.attempt join attempt a on a.job = j.id and a.id > e.id
    where a.started_ms >= e.ended_ms")
[ "$late" = 0 ] || fail "$late attempts began after their job's result was durable"
[ "$(rows "$S" "select count(*) from attempt where outcome = 'DONE' and compared = 'DIFFERENT'")" = 0 ] || fail "results differ"
attempts=$(rows "$S" "select count(*) from attempt")
note "$attempts attempts of $RUNS jobs: $(rows "$S" "select group_concat(outcome || ' ' || n, '; ') from
    (select outcome, count(*) n from attempt group by outcome)")"
# A kill costs what was held then: with two or three workers of one slot a lease each, and one that was on its way.
[ "$attempts" -le $((RUNS + KILLS * 6)) ] || fail "too many attempts"
drover run "$HERE/sweep.cfg" $FEWER --store "$S" --workers 2 --quiet >"$TMP/again.log" 2>&1 || fail "the run after the end failed"
[ "$(rows "$S" "select count(*) from attempt")" = "$attempts" ] || fail "a run that was complete executed something"
