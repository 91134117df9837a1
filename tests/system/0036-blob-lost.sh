#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Files of results.db-blobs/ that are lost (not thrown away by gc): what needs them makes them again, finds the same digest, and says so. Also when
# they are lost while a coordinator runs, between the submission and the lease.
. "$(dirname "$0")/lib.sh"

S=$TMP/results.db
export XDG_CACHE_HOME="$TMP/cache"
drover run "$HERE/tiny.cfg" --store "$S" --workers 1 >"$TMP/first.log" 2>&1 || fail "the first run failed"
model=$(rows "$S" "select lower(hex(digest)) from job_output join blob on blob.id = blob where job = 1 limit 1")
files() { sqlite3 "$S" "select lower(hex(digest)) from blob where path = '' and not evicted" | while read -r d; do echo "$S-blobs/$(echo "$d" | cut -c1-2)/$d"; done; }
lose() {
    files | while read -r f; do rm -f "$f"; done
    rm -rf "$TMP/cache" # else a worker still has them
}
lose
drover run "$HERE/tiny.cfg" --store "$S" --workers 1 --set labels.simulations=110 >"$TMP/second.log" 2>&1 || fail "the run that needs lost files failed"
[ "$(rows "$S" "select count(*) from event where kind = 'blob_gone'")" -ge 1 ] || fail "nobody says that files are gone"
[ "$(rows "$S" "select count(*) from attempt where job = 1 and outcome = 'DONE'")" = 2 ] || fail "the model was to be made again"
[ "$(rows "$S" "select lower(hex(digest)) from job_output join blob on blob.id = blob where job = 1 limit 1")" = "$model" ] || fail "another model"
[ "$(rows "$S" "select count(*) from event where kind = 'incident'")" = 0 ] || fail "an incident"
note "$(rows "$S" "select count(*) from event where kind = 'blob_gone'") outputs were gone and made again"

note "lost while a coordinator runs and nobody works"
start_coordinator "$S"
drover submit "$HERE/tiny.cfg" --coordinator "$ENDPOINT" --set labels.simulations=120 >"$TMP/submit.log" 2>&1 || fail "submit"
lose
start_worker a
drover run "$HERE/tiny.cfg" --coordinator "$ENDPOINT" --set labels.simulations=120 >"$TMP/third.log" 2>&1 || rc=$?
# The first one may have failed with a word about the file; the same command makes it again then.
[ "${rc:-0}" = 0 ] || drover run "$HERE/tiny.cfg" --coordinator "$ENDPOINT" --set labels.simulations=120 >"$TMP/fourth.log" 2>&1 || fail "the same command does not go on"
[ "$(rows "$S" "select count(*) from event where kind = 'incident'")" = 0 ] || fail "an incident"
kill "$WORKER"
wait "$WORKER" || fail "the worker did not leave in good order"
kill "$COORDINATOR"
wait "$COORDINATOR" || fail "the coordinator did not leave in good order"
