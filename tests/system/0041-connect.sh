#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Connection files: workers and people on other computers need nothing but one small file; who may read it is looked at; idle pilots leave by
# themselves, those with a time limit before it, and the exit code says whether work was cut off.
. "$(dirname "$0")/lib.sh"

S=$TMP/cluster.db
export XDG_CONFIG_HOME="$TMP/config"
cd "$TMP"
# refused WORDS COMMAND...: it fails, and says WORDS.
refused() {
    words=$1
    shift
    "$@" >out.txt 2>&1 && fail "accepted: $*"
    grep -q -- "$words" out.txt || fail "$* says: $(cat out.txt)"
}
refused 'no coordinator runs' drover connect --store "$S"
start_coordinator "$S"
unset DROVER_KEY DROVER_SERVER_KEY
mkdir elsewhere

note "what the file says"
drover connect --store "$S" >address.connect 2>/dev/null || fail "connect"
grep -q "^drover-connect1 $ENDPOINT " address.connect || fail "the address: $(cat address.connect)"
grep -q drover-secret1 address.connect && fail "a secret on the screen"
drover connect pilots.connect --as pilots --store "$S" 2>/dev/null || fail "connect --as"
[ "$(stat -c %a pilots.connect)" = 600 ] || fail "others may read the file"
refused 'another key is called pilots' drover connect more.connect --as pilots --store "$S"
echo precious >notes.txt
refused 'no connection file' drover connect notes.txt --store "$S"
[ "$(cat notes.txt)" = precious ] || fail "a file was overwritten"
drover connect ada.connect --as ada --role submit --store "$S" 2>/dev/null || fail "connect --role"
drover connect named.connect --address login1:7077 --store "$S" 2>/dev/null || fail "connect --address"
grep -q '^drover-connect1 tcp://login1:7077 ' named.connect || fail "--address: $(cat named.connect)"
drover connect --json --store "$S" 2>/dev/null | python3 -c 'import json, sys; assert json.load(sys.stdin)["endpoint"].startswith("tcp://127.0.0.1:")' || fail "--json"

note "all that others need"
cd elsewhere
"$BIN/drover-worker" --connect ../pilots.connect --cache "$TMP/cache" --idle-exit 3 >../pilot.log 2>&1 &
PILOT=$!
PIDS="$PIDS $PILOT"
within 10 grep -q event=welcome ../pilot.log || fail "the pilot is not welcome: $(cat ../pilot.log)"
drover run "$HERE/tiny.cfg" --connect ../ada.connect >out.txt 2>&1 || fail "run: $(cat out.txt)"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "labels are missing"
DROVER_CONNECT=../ada.connect drover status >out.txt 2>&1 || fail "DROVER_CONNECT: $(cat out.txt)"
grep -q tiny out.txt || fail "the status: $(cat out.txt)"
refused 'takes the role' drover submit "$HERE/tiny.cfg" --connect ../pilots.connect
rc=0
wait "$PILOT" || rc=$?
[ "$rc" = 0 ] || fail "the idle pilot ends with $rc: $(tail -n 3 ../pilot.log)"
grep -q 'event=drain' ../pilot.log || fail "the pilot did not leave by itself"

note "files that are not believed"
cp ../ada.connect open.connect
chmod 640 open.connect
refused 'chmod 600' drover status --connect open.connect
cp ../pilots.connect open-pilots.connect
chmod 604 open-pilots.connect
refused 'chmod 600' "$BIN/drover-worker" --connect open-pilots.connect
head -c 70 ../ada.connect >torn.connect
chmod 600 torn.connect
refused 'torn.connect' drover status --connect torn.connect
refused 'no such file' drover status --connect none.connect
refused 'no such file' "$BIN/drover-worker" --connect none.connect
DROVER_CONNECT=none.connect drover status --store "$S" >out.txt 2>&1 || fail "a stale DROVER_CONNECT stops --store: $(cat out.txt)"
drover key revoke ada --store "$S" >out.txt || fail "revoke"
within 5 refused 'not allowed' drover status --connect ../ada.connect

note "cut off, and told so"
cat >long.cfg <<'CFG'
name = "connect/long";
steps = ( { id = "wait"; job = "noop"; makes = "nothing"; sleep_ms = 30000; } );
CFG
drover connect ../eve.connect --as eve --role submit --store "$S" 2>/dev/null || fail "connect"
drover submit long.cfg --connect ../eve.connect >out.txt 2>&1 || fail "submit: $(cat out.txt)"
begun() { grep -q 'event=job_begun' "$1"; }
"$BIN/drover-worker" --connect ../pilots.connect --cache "$TMP/cache" --log-level debug --grace 5 >../cut.log 2>&1 &
CUT=$!
PIDS="$PIDS $CUT"
within 15 begun ../cut.log || fail "the job did not begin: $(tail -n 5 ../cut.log)"
kill -USR1 "$CUT"
rc=0
wait "$CUT" || rc=$?
[ "$rc" = 75 ] || fail "cut off, but the exit code is $rc: $(tail -n 3 ../cut.log)"

note "before the time limit"
SLURM_JOB_ID=17 SLURM_JOB_END_TIME=$(($(date +%s) + 10)) "$BIN/drover-worker" --connect ../pilots.connect --cache "$TMP/cache" --log-level debug --grace 4 >../limit.log 2>&1 &
LIMIT=$!
PIDS="$PIDS $LIMIT"
began=$(date +%s)
rc=0
wait "$LIMIT" || rc=$?
took=$(($(date +%s) - began))
grep -q 'what="slurm job 17"' ../limit.log || fail "the allocation is not in the log: $(head -n 3 ../limit.log)"
grep -q 'why=time_limit' ../limit.log || fail "it did not leave because of its limit: $(tail -n 3 ../limit.log)"
[ "$took" -le 9 ] || fail "it left $took s after its start, 10 s before the kill"
want=0
grep -q 'event=end .*cut=1' ../limit.log && want=75
[ "$rc" = "$want" ] || fail "exit code $rc instead of $want"
[ "$(rows "$S" "select sum(tries) from job")" = 0 ] || fail "leaving spent tries"
