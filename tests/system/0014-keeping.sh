#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Goal: results can be kept: they travel whole, old checkpoints go and come back bit by bit, and a result that is not what its key
# makes is found. Method: a small experiment through export, import, gc, replay and verify, with the full disk, the running
# coordinator, clashing and altered rows that real life has.
. "$(dirname "$0")/lib.sh"

A=$TMP/a.db
B=$TMP/b.db
R=$HERE/tiny.cfg
N=system/tiny
sql() { sqlite3 "$1" "$2"; }
# must_fail WORDS COMMAND...: exit code 1 and WORDS in the message.
must_fail() {
    words=$1
    shift
    rc=0
    "$@" >"$TMP/must_fail.log" 2>&1 || rc=$?
    [ "$rc" = 1 ] || fail "exit code $rc, not 1: $*"
    grep -q -- "$words" "$TMP/must_fail.log" || fail "no \"$words\": $*"
}

drover run "$R" --store "$A" --workers 2 -q >"$TMP/run.log" 2>&1 || fail "the run fails"
drover table "$N" --store "$A" >"$TMP/table-a.txt" || fail "no table"

note "export"
drover export "$N" --store "$A" -o "$TMP/x.db" >"$TMP/export.log" || fail "export fails"
must_fail "is there already" drover export "$N" --store "$A" -o "$TMP/x.db"
drover export "$N" --store "$A" -o "$TMP/x.db" --force --json | grep -q '"version": *1' || fail "no --json"
must_fail 'no experiment "nothing"' drover export nothing --store "$A" -o "$TMP/y.db"
rc=0
drover export "$N" --store "$A" -o "$TMP/y.xyz" 2>/dev/null || rc=$?
[ "$rc" = 2 ] || fail "an unknown ending gives $rc, not 2"
[ -z "$(ls "$TMP" | grep -E 'part|x.db-|y\.')" ] || fail "files are left behind: $(ls "$TMP")"
for view in routing accuracy run_result metric_summary subset_accuracy curriculum; do
    [ "$(sql "$TMP/x.db" "select count(*) from $view")" = "$(sql "$A" "select count(*) from $view")" ] || fail "view $view differs"
done
drover table "$N" --store "$TMP/x.db" >"$TMP/table-x.txt" || fail "no table from the exported file"
cmp -s "$TMP/table-a.txt" "$TMP/table-x.txt" || fail "the exported file's table differs"
drover labels --limit 2 --store "$TMP/x.db" >/dev/null || fail "labels does not read the exported file"
for what in runs scores labels metrics; do
    drover export "$N" --store "$A" --what $what -o "$TMP/$what.csv" 2>/dev/null || fail "csv of $what"
    drover export "$N" --store "$A" --what $what --format jsonl -o - >"$TMP/$what.jsonl" 2>/dev/null || fail "jsonl of $what"
    python3 - "$TMP/$what" <<'EOF' || fail "csv and jsonl of $what do not say the same"
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1] + ".csv", newline="")))
lines = [json.loads(line) for line in open(sys.argv[1] + ".jsonl")]
assert rows and len(rows) == len(lines), (len(rows), len(lines))
for row, line in zip(rows, lines):
    flat = {k: v for k, v in line.items() if not isinstance(v, (dict, list))}
    flat.update(line.get("params", {})); flat.update(line.get("summaries", {}))
    for k, v in flat.items():
        assert row[k] == ("" if v is None else v) if isinstance(v, (str, type(None))) else float(row[k]) == v, (k, row[k], v)
EOF
done

note "a full disk"
rc=0
(ulimit -f 64 && exec "$BIN/drover" export "$N" --store "$A" -o "$TMP/full.db") >"$TMP/full.log" 2>&1 || rc=$?
[ "$rc" = 1 ] || fail "exit code $rc on a full disk, not 1: $(cat "$TMP/full.log")"
grep -q "full.db: no space left" "$TMP/full.log" || fail "the message does not say that the disk is full: $(cat "$TMP/full.log")"
rc=0
(ulimit -f 80 && exec "$BIN/drover" export "$N" --store "$A" --what scores -o "$TMP/full.jsonl") >"$TMP/full.log" 2>&1 || rc=$?
[ "$rc" = 1 ] && grep -q "full.jsonl: no space left" "$TMP/full.log" || fail "jsonl on a full disk: $rc $(cat "$TMP/full.log")"
[ -z "$(ls "$TMP" | grep -E 'full\.(db|jsonl)')" ] || fail "a partial file is left: $(ls "$TMP")"

note "import"
drover import "$TMP/x.db" --store "$B" >"$TMP/import.log" || fail "import fails"
drover table "$N" --store "$B" >"$TMP/table-b.txt" || fail "no table"
cmp -s "$TMP/table-a.txt" "$TMP/table-b.txt" || fail "the imported table differs"
drover import "$TMP/x.db" --store "$B" | grep -q "here already" || fail "importing twice is no no-op"
drover run "$R" --store "$B" --workers 1 --json >"$TMP/again.json" 2>"$TMP/again.log" || fail "the run after an import"
python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["cached"] == d["jobs"], d' "$TMP/again.json" ||
    fail "imported jobs ran again: $(cat "$TMP/again.json")"
cp "$B" "$TMP/clash.db"
sql "$TMP/clash.db" "update label set digest = zeroblob(32) where id % 7 = 1"
before=$(sql "$TMP/clash.db" "select count(*) || total(id) from event")
must_fail "nothing was changed" drover import "$TMP/x.db" --store "$TMP/clash.db"
grep -q "and 3 more" "$TMP/must_fail.log" || fail "not all clashes are told: $(cat "$TMP/must_fail.log")"
[ "$(sql "$TMP/clash.db" "select count(*) || total(id) from event")" = "$before" ] || fail "a refused import changed something"
head -c 60000 "$TMP/x.db" >"$TMP/torn.db"
must_fail "damaged" drover import "$TMP/torn.db" --store "$TMP/new.db"
[ ! -e "$TMP/new.db" ] || fail "a refused import left a store"
cp "$TMP/x.db" "$TMP/newer.db"
sql "$TMP/newer.db" "pragma user_version = 999"
must_fail "schema 999" drover import "$TMP/newer.db" --store "$B"
must_fail "no file of drover\|not a file of drover" drover import "$R" --store "$B"

note "a running coordinator is named"
start_coordinator "$B"
must_fail "process $COORDINATOR" drover gc --store "$B"
must_fail "process $COORDINATOR" drover import "$TMP/x.db" --store "$B"
drover export "$N" --store "$B" -o "$TMP/while.db" >/dev/null || fail "no export while a coordinator runs"
kill "$COORDINATOR"
wait "$COORDINATOR" || true

note "replay"
job=$(sql "$A" "select id from job where kind = 'pretrain'")
shard=$(sql "$A" "select id from job where kind = 'search' limit 1")
drover replay "j$job" --store "$A" --workers 1 >"$TMP/replay.log" 2>&1 || fail "replay: $(cat "$TMP/replay.log")"
grep -q "^SAME" "$TMP/replay.log" || fail "not SAME"
drover verify "$N" --store "$A" --sample 4 --workers 2 --json >"$TMP/verify.json" || fail "verify: $(cat "$TMP/verify.json")"
[ "$(sql "$A" "select count(*) from replay where verdict = 'SAME'")" = 5 ] || fail "verdicts are not recorded"
cp "$A" "$TMP/bad.db"
cp -r "$A-blobs" "$TMP/bad.db-blobs"
sql "$TMP/bad.db" "update label set digest = zeroblob(32) where idx = 1"
must_fail "^DIFFERENT" drover replay "j$shard" --store "$TMP/bad.db" --workers 1
grep -q "(index 1): committed 0000000000000000" "$TMP/must_fail.log" || fail "the example is not named: $(cat "$TMP/must_fail.log")"
grep -q "committed in: drover" "$TMP/must_fail.log" || fail "no environments"
sql "$TMP/bad.db" "attach '$A' as good;
    update label set digest = (select digest from good.label as g where g.id = label.id), base_correct = base_correct <> (idx = 1)"
must_fail "the row was altered" drover replay "j$shard" --store "$TMP/bad.db" --workers 1
sql "$TMP/bad.db" "update metric_chunk set points = replace(points, '1', '2') where level = 0"
must_fail 'metric "' drover replay "j$job" --store "$TMP/bad.db" --workers 1
[ "$(sql "$TMP/bad.db" "select count(*) from replay where verdict = 'DIFFERENT'")" = 3 ] || fail "differences are not recorded"

note "gc"
drover gc --store "$A" >"$TMP/gc.log" || fail "gc fails"
grep -q "^0 files (0.0 MiB) freed" "$TMP/gc.log" || fail "gc frees what is final: $(cat "$TMP/gc.log")"
old=$(sql "$A" "select lower(hex(digest)) from blob join job_output on blob = blob.id where job = $job")
drover run "$R" --store "$A" --workers 2 -q --set base.steps=44 >"$TMP/second.log" 2>&1 || fail "the second revision"
drover pin "$N" --store "$A" >/dev/null
drover gc --store "$A" | grep -q "^0 files" || fail "gc frees what is pinned"
drover pin "$N" --off --store "$A" >/dev/null
drover gc --store "$A" --keep-days 1 | grep -q "^0 files" || fail "gc frees what is young"
drover gc --store "$A" --dry-run | grep -q "would be freed" || fail "no dry run"
[ -e "$A-blobs/$(echo "$old" | cut -c1-2)/$old" ] || fail "a dry run removed a file"
drover gc --store "$A" --json >"$TMP/gc.json" || fail "gc"
[ ! -e "$A-blobs/$(echo "$old" | cut -c1-2)/$old" ] || fail "the old checkpoint is still there"
[ "$(sql "$A" "select evicted from blob where lower(hex(digest)) = '$old'")" = 1 ] || fail "it is not marked"
drover gc --store "$A" | grep -q "^0 files" || fail "the second gc frees more"
cp "$A" "$TMP/other.db"
cp -r "$A-blobs" "$TMP/other.db-blobs"
must_fail "is gone" drover replay "j$shard" --store "$A"

note "what was thrown away is made again when it is needed, and must be the same"
drover run "$R" --store "$A" --workers 2 -q --set labels.examples=60 --set labels.shard=30 >"$TMP/third.log" 2>&1 ||
    fail "the third revision"
[ "$(sql "$A" "select count(*) || group_concat(compared) from attempt where job = $job")" = 2SAME ] ||
    fail "the checkpoint was not made again and compared"
[ -e "$A-blobs/$(echo "$old" | cut -c1-2)/$old" ] || fail "the checkpoint is not back"
[ "$(sql "$A" "select evicted from blob where lower(hex(digest)) = '$old'")" = 0 ] || fail "it is still marked"
[ "$(sql "$A" "select count(*) from label join family on family.id = family where task = 'math'")" = 200 ] || fail "labels are missing"
O=$TMP/other.db
sql "$O" "update blob set digest = zeroblob(32) where lower(hex(digest)) = '$old'"
rc=0
drover run "$R" --store "$O" --workers 2 -q --set labels.examples=60 --set labels.shard=30 >"$TMP/incident.log" 2>&1 || rc=$?
[ "$rc" = 1 ] || fail "a checkpoint with other bits was built on"
[ "$(sql "$O" "select state from job where id = $job")" = FAILED ] || fail "its job is not FAILED"
sql "$O" "select text from event where kind = 'incident'" | grep -q "environments: committed \[drover.*now \[drover" ||
    fail "no incident with both environments"
[ "$(sql "$O" "select count(*) from job where state = 'READY'")" = 0 ] || fail "jobs behind it still wait"

note "halving: candidates, gates and decisions travel, and decisions are made again"
cat >"$TMP/halve.cfg" <<'EOF'
name = "halve";
steps = ( { id = "s1"; job = "noop"; points = 4; seed = "run"; }, { id = "s2"; job = "noop"; points = 4; model = "s1"; seed = "run"; } );
sweep = ( { set = "s1.gamma"; values = [0.1, 0.5, 0.9]; }, { set = "seed"; values = [1, 2]; } );
halving = { rungs = ["s1", "s2"]; measure = "reward"; better = "higher"; keep = 0.5; };
EOF
H=$TMP/h.db
drover run "$TMP/halve.cfg" --store "$H" --workers 2 -q >"$TMP/halve.log" 2>&1 || true # runs that were not chosen are no failure
drover export halve --store "$H" -o "$TMP/hx.db" >/dev/null || fail "export of a halving"
drover import "$TMP/hx.db" --store "$TMP/hi.db" >/dev/null || fail "import of a halving"
for table in candidate gate job run_job run_summary series; do
    [ "$(sql "$H" "select * from $table")" = "$(sql "$TMP/hi.db" "select * from $table")" ] || fail "table $table differs"
done
[ "$(sql "$H" "select count(*) from candidate where chosen is not null")" = 6 ] || fail "nothing was decided"
drover verify halve --store "$TMP/hi.db" --sample 0 --workers 2 >"$TMP/hv.log" 2>&1 || fail "a halving replays to other bits: $(cat "$TMP/hv.log")"
grep -q " 0 SKIPPED" "$TMP/hv.log" || fail "jobs were left out"
