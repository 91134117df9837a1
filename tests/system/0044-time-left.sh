#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A worker whose allocation ends gets no job that would last longer; why, workers and status say so; shorter ones pass, and what waits goes to one that
# stays.
. "$(dirname "$0")/lib.sh"

S=$TMP/time.db
cd "$TMP"
start_coordinator "$S"

recipe() {
    cat <<CFG
name = "time";
sweep = ( { set = "long.gamma"; values = $1; } );
steps = ( { id = "long"; job = "noop"; makes = "nothing"; sleep_ms = 8000; } );
CFG
}

note "the first one tells how long its kind takes"
recipe "[0.1]" >one.cfg
recipe "[0.1, 0.2]" >two.cfg
start_worker first --idle-exit 1
drover run one.cfg --store "$S" >out.txt 2>&1 || fail "run: $(cat out.txt)"
wait "$WORKER" || fail "the first worker ends with $?"

note "no job that lasts longer than its worker stays, and shorter ones before it"
printf 'name = "quick";\nsteps = ( { id = "short"; job = "noop"; makes = "nothing"; } );\n' >quick.cfg
drover submit two.cfg --coordinator "$ENDPOINT" >out.txt 2>&1 || fail "submit: $(cat out.txt)"
drover submit quick.cfg --coordinator "$ENDPOINT" >out.txt 2>&1 || fail "submit: $(cat out.txt)"
DROVER_END_TIME=$(($(date +%s) + 14))
export DROVER_END_TIME
start_worker short --grace 4
unset DROVER_END_TIME
why() { drover why time --store "$S" >out.txt 2>&1 && grep -q 'takes about 8 s.*none stays for more than [0-7] s' out.txt; }
within 6 why || fail "why says: $(cat out.txt)"
drover workers --json --store "$S" >workers.json || fail "workers: $(cat workers.json)"
python3 -c 'import json; w = json.load(open("workers.json"))["workers"]; assert len(w) == 1 and 0 < w[0]["remaining_s"] < 8, w' ||
    fail "workers say: $(cat workers.json)"
drover workers --store "$S" | grep -q left_s || fail "the table of workers"
drover status --coordinator "$ENDPOINT" | grep -q left_s || fail "the status"
wait "$WORKER" || fail "the worker that left in time ends with $?"
[ "$(rows "$S" "select count(*) from job where state = 'DONE'")" = 2 ] || fail "not the short job alone was done"

note "one that stays takes it"
start_worker last
drover run two.cfg --store "$S" >out.txt 2>&1 || fail "run: $(cat out.txt)"
[ "$(rows "$S" "select count(*) from attempt")" = 3 ] || fail "more attempts than jobs"
