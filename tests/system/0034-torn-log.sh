#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The store's log after a crash: what lies behind the last commit may be anything and costs nothing. Damage to what was committed is told, in the
# coordinator's log and as an event, and the work that it cost is done again: the same store in the end.
. "$(dirname "$0")/lib.sh"

drover run "$HERE/tiny.cfg" --store "$TMP/plain.db" --workers 1 >"$TMP/plain.log" 2>&1 || fail "the undisturbed run failed"

# log_ends: sets END, where the last transaction in the log ends (behind it are frames of one that was under way, older ones, or zeros), and MIDDLE, where
# the middle one of those that are there ends; NEW, how many transactions the mark knows and the file alone does not have, 0 where bringing in was under way
# or a reader had held it up: such a file needs its log, and is refused without it (test_torn).
log_ends() {
    eval "$(python3 -c '
import sqlite3, struct, sys
store = sys.argv[1]
data = open(store + "-wal", "rb").read()
ends, at = [], 32
while data[at + 8:at + 16] == data[16:24]:
    commits = data[at + 4:at + 8] != bytes(4)
    at += 24 + struct.unpack(">I", data[8:12])[0]
    if commits: ends.append(at)
alone = sqlite3.connect("file:" + store + "?immutable=1", uri=True)
has = alone.execute("select value from meta where name = ?", ("commits",)).fetchone()[0]
marked, brought, bringing = [int(word, 16) for word in open(store + "-mark").read().split()[1:4]]
if bringing > brought: marked = has
print("END=%d MIDDLE=%d NEW=%d" % (ends[-1] if ends else 32, ends[len(ends) // 2] if ends else 32, marked - has))' "$S")"
}
# half_way NAME: sets S; a coordinator and its worker were killed with part of the work done and a log that has more of it than the file: where it has just
# been brought in, it has not, and nothing can be lost with it.
half_way() {
    attempt=0
    NEW=0
    while [ "$NEW" -lt 8 ]; do
        attempt=$((attempt + 1))
        [ "$attempt" -le 20 ] || fail "the log was always just brought in, or being brought in"
        S=$TMP/$1-$attempt.db
        start_coordinator "$S"
        start_worker "$1"
        drover submit "$HERE/tiny.cfg" --coordinator "$ENDPOINT" >"$TMP/submit.log" 2>&1 || fail "submit failed"
        within 120 at_least "$S" "select count(*) from label" 60 || fail "the search did not get half-way"
        kill -9 "$COORDINATOR" "$WORKER"
        wait "$COORDINATOR" "$WORKER" 2>/dev/null || true
        [ -s "$S-wal" ] || fail "no log is left to be damaged"
        log_ends
    done
}
# go_on: the rest is done; sets DAMAGED, whether it was told.
go_on() {
    : >"$TMP/coordinator.log"
    start_coordinator "$S"
    labels=$(rows "$S" "select count(*) from label")
    start_worker "again-$1"
    drover run "$HERE/tiny.cfg" --coordinator "$ENDPOINT" >"$TMP/run.log" 2>&1 || fail "$1: the run does not go on"
    kill "$WORKER"
    wait "$WORKER" || fail "the worker did not leave in good order"
    kill "$COORDINATOR"
    wait "$COORDINATOR" || fail "the coordinator did not leave in good order"
    "$BIN/compare" "$S" "$TMP/plain.db" >"$TMP/compare.log" || fail "$1: the stores differ: $(cat "$TMP/compare.log")"
    DAMAGED=no
    if grep -q 'event=store_damaged' "$TMP/coordinator.log"; then
        DAMAGED=yes
        [ "$(rows "$S" "select count(*) from event where kind = 'damaged'")" = 1 ] || fail "$1: logged, but no event"
        note "$1: $(grep -o 'lost_transactions=[0-9]*' "$TMP/coordinator.log"), $labels labels were left; told, and made again"
    else
        [ "$(rows "$S" "select count(*) from event where kind = 'damaged'")" = 0 ] || fail "$1: an event, but nothing in the log"
        note "$1: nothing lost, $labels labels were left"
    fi
}

half_way tail
head -c 7000 /dev/urandom | dd of="$S-wal" bs=4096 seek="$END" oflag=seek_bytes conv=notrunc status=none
before=$(sqlite3 "file:$S?mode=ro" "select count(*) from label")
head -c 7000 /dev/urandom >>"$S-wal"
go_on tail
[ "$DAMAGED" = no ] && [ "$labels" -ge "$before" ] || fail "rubbish behind the last commit cost something: $before labels, then $labels"

half_way shortened
truncate -s $((MIDDLE + 100)) "$S-wal"
go_on shortened
[ "$DAMAGED" = yes ] || fail "half of the log is gone in silence"

half_way overwritten
printf 'damage' | dd of="$S-wal" bs=1 seek=$((MIDDLE + 500)) conv=notrunc status=none
go_on overwritten
[ "$DAMAGED" = yes ] || fail "a damaged log is read in silence"

half_way removed
rm "$S-wal"
go_on removed
[ "$DAMAGED" = yes ] || fail "a log that is gone is not missed"
