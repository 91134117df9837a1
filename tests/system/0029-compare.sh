#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The judge of chaos is not blind: two runs of one recipe are the same whatever their workers were, and each planted difference is found.
. "$(dirname "$0")/lib.sh"

compare() { "$BIN/compare" "$@"; }
drover run "$HERE/tiny.cfg" --store "$TMP/a.db" --workers 2 >"$TMP/a.log" 2>&1 || fail "the first run failed"
drover run "$HERE/tiny.cfg" --store "$TMP/b.db" --workers 1 >"$TMP/b.log" 2>&1 || fail "the second run failed"
compare "$TMP/a.db" "$TMP/b.db" >"$TMP/same.log" || fail "two runs of one recipe differ"
note "$(cat "$TMP/same.log")"

# planted WHAT SQL: after SQL on one of the stores the comparison ends with 1 and a line with WHAT.
planted() {
    sqlite3 "$TMP/b.db" ".backup $TMP/x.db"
    rm -rf "$TMP/x.db-blobs"
    cp -r "$TMP/b.db-blobs" "$TMP/x.db-blobs"
    # Triggers call functions that only drover has.
    sqlite3 "$TMP/x.db" "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_schema WHERE type = 'trigger'" | sqlite3 "$TMP/x.db"
    sqlite3 "$TMP/x.db" "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; $2" >"$TMP/plant.log" 2>&1 || fail "planting: $1"
    [ -z "${3:-}" ] || eval "$3"
    rc=0
    compare "$TMP/a.db" "$TMP/x.db" >"$TMP/planted.log" 2>&1 || rc=$?
    [ "$rc" = 1 ] || fail "exit code $rc: nobody sees: $1"
    grep -q -- "$1" "$TMP/planted.log" || fail "not \"$1\", but: $(cat "$TMP/planted.log")"
    note "found: $(grep -m 1 -- "$1" "$TMP/planted.log" | cut -c1-120)"
}
# A table without its constraints: what no statement of drover's could write.
bare() { printf 'CREATE TABLE bare AS SELECT * FROM %s; DROP TABLE %s; ALTER TABLE bare RENAME TO %s;' "$1" "$1" "$1"; }

planted 'score .* differs' "UPDATE score SET correct = 1 - correct WHERE id = 7"
planted 'score .* differs' "UPDATE score SET layers = layers * (1 + 2.3e-16) WHERE id = 7"
planted 'score .* is missing in .*x.db' "DELETE FROM score WHERE id = 7"
planted 'label .* differs' "UPDATE label SET digest = randomblob(32) WHERE id = 3"
planted 'label .* is missing in .*x.db' "DELETE FROM label WHERE id = (SELECT max(id) FROM label)"
planted 'label .* is there twice' "$(bare label) INSERT INTO label SELECT * FROM label WHERE id = 3"
planted 'score .* is there twice' "$(bare score) INSERT INTO score SELECT * FROM score WHERE id = 3"
planted 'search_log .* differs' "UPDATE search_log SET value = value + 1e-9 WHERE label = 3 AND place = 1"
planted 'metric .* differs' "UPDATE metric_chunk SET points = json_set(points, '\$[0]', 0.25) WHERE id = (SELECT min(id) FROM metric_chunk WHERE level = 0)"
planted 'metric .* is missing' "DELETE FROM metric_chunk WHERE level = 0 AND series IN (SELECT id FROM series WHERE name = 'loss')"
planted 'metric .* is there twice' "$(bare metric_chunk) INSERT INTO metric_chunk SELECT * FROM metric_chunk WHERE level = 0 LIMIT 1"
planted 'output .* differs' "UPDATE job_output SET blob = (SELECT id FROM blob WHERE id <> job_output.blob LIMIT 1) WHERE job = 1"
planted 'output .* is missing in .*x.db' "DELETE FROM job_output WHERE job = 1"
planted 'job .* is missing in .*a.db' "INSERT INTO job (key, kind, kind_version, class, step, state, waiting, priority, seed, range_begin, range_end, retries,
    params, params_text, submitted_ms) SELECT randomblob(32), kind, kind_version, class, step, 'CANCELLED', 0, 0, 0, 0, 0, 0, params, params_text, 0 FROM job LIMIT 1"
planted 'not ended: .* is READY' "UPDATE job SET state = 'READY', attempt = NULL WHERE id = 2"
planted 'no effective attempt' "UPDATE job SET attempt = NULL WHERE id = 1"
planted 'effective attempt: .* is LOST' "UPDATE attempt SET outcome = 'LOST' WHERE job = 2"
planted 'two effective results' "INSERT INTO attempt (job, epoch, incarnation, outcome, started_ms, ended_ms) SELECT 2, 99, 1, 'DONE', 0, 1"
planted 'other bits' "UPDATE attempt SET compared = 'DIFFERENT' WHERE job = 2"
planted 'integrity' "$(bare family) PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = rootpage + 1 WHERE name = 'tally'"
planted 'foreign key' "DELETE FROM example WHERE id = 3"
blob=$(sqlite3 "$TMP/a.db" "SELECT lower(hex(digest)) FROM blob WHERE path = '' AND NOT evicted LIMIT 1")
planted 'no file: .*other bytes' "" 'printf x >>"$TMP/x.db-blobs/$(echo "$blob" | cut -c1-2)/$blob"'
planted 'no file: ' "" 'find "$TMP/x.db-blobs" -type f -delete'

note "what was acknowledged"
attempt=$(rows "$TMP/a.db" "select attempt from label where id = 5")
example=$(rows "$TMP/a.db" "select printf('%016x', number) from label join example on example.id = example where label.id = 5")
printf 'example %s %s\nresult %s\n' "$attempt" "$example" "$attempt" >"$TMP/acked"
compare "$TMP/a.db" --acked "$TMP/acked" >"$TMP/acked.log" || fail "what is there is said to be missing"
for line in "example $attempt 0123456789abcdef" "result 4711"; do
    echo "$line" >"$TMP/acked"
    compare "$TMP/a.db" --acked "$TMP/acked" >"$TMP/acked.log" && fail "\"$line\" is not missed"
    grep -q 'acked, not there' "$TMP/acked.log" || fail "\"$line\" is not missed"
done
# Lost and made again by a later attempt: the row is there, and yet what was promised had gone.
sqlite3 "$TMP/a.db" "UPDATE label SET attempt = attempt + 1 WHERE id = 5"
echo "example $attempt $example" >"$TMP/acked"
compare "$TMP/a.db" --acked "$TMP/acked" >"$TMP/acked.log" && fail "a result that was lost and made again is not missed"
echo "start 4711" >"$TMP/effects"
compare "$TMP/a.db" --effects "$TMP/effects" >"$TMP/effects.log" && fail "an effect of an unknown attempt is not seen"
exit 0
