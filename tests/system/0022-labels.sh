#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Labels can be trusted: made at any kernel level they are the same bytes, every one replays at every level and after kill -9 of the
# coordinator, and one that was tampered with is found; 200 simulations after 50 run only what is new and end as 200 at once;
# lists, statistics and exports say what the store holds.
. "$(dirname "$0")/lib.sh"

one() { # one NAME LEVEL [options]: a run in a store of its own at a kernel level, and its dump
    name=$1
    level=$2
    shift 2
    DROVER_KERNELS=$level drover run "$HERE/tiny.cfg" --store "$TMP/$name.db" --workers 2 --quiet "$@" >"$TMP/$name.log" 2>&1 || fail "$name: the run failed"
    drover labels --dump --store "$TMP/$name.db" >"$TMP/$name.dump" || fail "$name: no dump"
}
verify() { drover labels verify --quiet --store "$@"; }

# Kernel levels: the generic C one against the best of this CPU.
one generic generic --set labels.simulations=50
one best '' --set labels.simulations=50
cmp "$TMP/generic.dump" "$TMP/best.dump" || fail "kernel levels make other labels"
[ "$(wc -l <"$TMP/best.dump")" = 160 ] || fail "160 labels expected"
[ "$(rows "$TMP/best.db" "select count(distinct routing) from label")" -ge 10 ] || fail "equal, but nothing was found"
levels=0
for level in generic v3 v4; do
    verify "$TMP/best.db" --kernels $level >"$TMP/verify.log" 2>&1 || {
        grep -q "no kernels" "$TMP/verify.log" && note "no $level kernels here" && continue
        fail "labels do not replay at $level"
    }
    grep -q "^160 labels, .*($level kernels): all agree" "$TMP/verify.log" || fail "verify at $level says nothing"
    levels=$((levels + 1))
done
note "every label replays at $levels kernel levels"
verify "$TMP/generic.db" --threads 2 --task math --level 1 --json >"$TMP/verify.json" || fail "verify with a filter"
python3 - "$TMP/verify.json" <<'PY' || fail "verify --json"
import json, sys
v = json.load(open(sys.argv[1]))
assert v["version"] == 1 and v["labels"] == 40 and v["evaluations"] >= 40 and v["disagreements"] == [], v
PY

# A tampered label, a tampered answer, a label that contradicts itself: each is found, by its id.
tampered() { # tampered SQL EXPECTED
    cp "$TMP/best.db" "$TMP/bad.db"
    rm -rf "$TMP/bad.db-blobs"
    cp -r "$TMP/best.db-blobs" "$TMP/bad.db-blobs"
    python3 - "$TMP/bad.db" "$1" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute(sys.argv[2]).rowcount == 1
db.commit()
PY
    rc=0
    verify "$TMP/bad.db" >"$TMP/bad.log" 2>&1 || rc=$?
    [ "$rc" = 1 ] || fail "$1: exit code $rc"
    grep -q "$2" "$TMP/bad.log" || fail "$1: not named: $2"
}
id=$(rows "$TMP/best.db" "select example from routing where has_label and label_layers = 3 order by example limit 1")
number="(select id from example where printf('%016x', number) = '$id')"
wrong=$(rows "$TMP/best.db" "select search_log.routing from search_log join label on label.id = label where example = $number and reward = 0 and length(replace(replace(search_log.routing, '0', ''), '2', '22')) = 3 limit 1")
tampered "update label set routing = '$wrong' where example = $number" "^$id of system/tiny/labels, path $wrong: expected .* (right), got .* (wrong)"
tampered "update label set label_answer = 'no' where example = $number" "^$id .*expected \"no\" (right)"
tampered "update label set base_correct = 1 - base_correct where example = $number" "^$id .*the default path"
tampered "update label set routing = '11' where example = $number" "^$id .*contradicts itself"
note "tampered labels are found"

# 200 after 50: only what is new is evaluated, and nothing differs from 200 at once.
one fresh '' --set labels.simulations=200
cp "$TMP/best.db" "$TMP/more.db"
cp -r "$TMP/best.db-blobs" "$TMP/more.db-blobs"
one more '' --set labels.simulations=200
cmp "$TMP/fresh.dump" "$TMP/more.dump" || fail "200 simulations after 50 are not 200 at once"
few=$(rows "$TMP/best.db" "select sum(evaluations) from label")
all=$(rows "$TMP/fresh.db" "select sum(evaluations) from label")
new=$(rows "$TMP/more.db" "select sum(evaluations - hinted) from label where simulations = 200")
note "50 simulations: $few evaluations, 200: $all, 200 after 50: $new"
[ "$few" -lt "$all" ] || fail "more simulations found nothing new: this proves nothing"
[ "$new" = $((all - few)) ] || fail "$new evaluations instead of $((all - few))"
[ "$(rows "$TMP/fresh.db" "select sum(hinted) from label")" = 0 ] || fail "a fresh store has no hints"
verify "$TMP/more.db" >"$TMP/verify.log" 2>&1 || fail "extended labels do not replay"
# The search logs are the same as well, visits included.
log="select example.number, place, search_log.routing, reward, visits, value, answer from search_log join label on label.id = label join example on example.id = example where simulations = 200 order by 1, 2"
rows "$TMP/fresh.db" "$log" >"$TMP/fresh.rows"
rows "$TMP/more.db" "$log" >"$TMP/more.rows"
cmp "$TMP/fresh.rows" "$TMP/more.rows" || fail "search logs differ"
# Another seed asks for much of the same: what is known is not evaluated again.
one seeds '' --set labels.simulations=50 --set labels.seed=7
cp "$TMP/best.db" "$TMP/other.db"
cp -r "$TMP/best.db-blobs" "$TMP/other.db-blobs"
one other '' --set labels.simulations=50 --set labels.seed=7
cmp "$TMP/seeds.dump" "$TMP/other.dump" || fail "hints of another seed change labels"
[ "$(rows "$TMP/other.db" "select sum(hinted) from label")" -gt 160 ] || fail "another seed got no hints"

# After kill -9 of the coordinator in the middle, and a restart.
S=$TMP/killed.db
start_coordinator "$S"
start_worker a
drover submit "$HERE/tiny.cfg" --coordinator "$ENDPOINT" --set labels.simulations=200 >"$TMP/submit.log" 2>&1 || fail "submit"
within 120 at_least "$S" "select count(*) from label" 20 || fail "the search did not begin"
kill -9 "$COORDINATOR"
wait "$COORDINATOR" 2>/dev/null || true
start_coordinator "$S" --listen "$ENDPOINT"
within 120 at_least "$S" "select count(*) from job where state = 'DONE'" "$(rows "$S" "select count(*) from job")" || fail "the jobs did not end"
drover labels --dump --store "$S" >"$TMP/killed.dump"
cmp "$TMP/fresh.dump" "$TMP/killed.dump" || fail "other labels after the kill"
verify "$S" >"$TMP/verify.log" 2>&1 || fail "labels do not replay after the kill"

# The same answers from the file and from the coordinator.
for what in "" stats; do
    drover labels $what --json --store "$S" --task math --solved --limit 0 >"$TMP/file.json" || fail "labels $what"
    drover labels $what --json --coordinator "$ENDPOINT" --task math --solved --limit 0 >"$TMP/asked.json" || fail "labels $what --coordinator"
    cmp "$TMP/file.json" "$TMP/asked.json" || fail "labels $what: the coordinator says something else"
done
rc=0
drover labels verify --coordinator "$ENDPOINT" >"$TMP/usage.log" 2>&1 || rc=$?
[ "$rc" = 2 ] || fail "verify --coordinator: exit code $rc"

# What they say is what the store holds.
drover labels stats --store "$S" >"$TMP/stats.txt" || fail "labels stats"
grep -q "have a shorter right path" "$TMP/stats.txt" || fail "stats: no CoLa"
drover labels stats --json --store "$S" >"$TMP/stats.json"
drover labels export --store "$S" -o "$TMP/labels.jsonl" >/dev/null || fail "export"
drover labels export --store "$S" --format merged_mcts_samples -o "$TMP/merged.json" >/dev/null || fail "export merged_mcts_samples"
drover labels export --store "$S" --with skip@0 --improved >"$TMP/some.jsonl" || fail "export with filters"
python3 - "$TMP" "$S" <<'PY' || fail "stats or exports"
import json, sqlite3, sys
tmp, db = sys.argv[1], sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True)
ask = lambda sql: db.execute(sql).fetchall()
stats = json.load(open(f"{tmp}/stats.json"))["sets"]
assert len(stats) == 1 and stats[0]["step"] == "labels", stats
s = stats[0]["all"]
base, solved, improved, shorter = ask("select sum(base_correct), sum(has_label), sum(has_label and not base_correct), "
                                      "sum(base_correct and label_layers < layers) from label")[0]
assert (s["n"], s["base_correct"], s["labelled"], s["improved"]) == (160, base, solved, improved), s
assert abs(s["right_with_shorter"] - shorter / base) < 1e-12
assert abs(s["wrong_with_right"] - improved / (160 - base)) < 1e-12
assert sum(n for _, n in s["lengths"]) == solved and all(sum(l) == solved for l in s["per_layer"])
assert s["per_layer"][1][0] == ask("select count(*) from label where substr(routing, 2, 1) = '0'")[0][0]
assert [g["n"] for g in stats[0]["groups"]] == [40] * 4
rows = [json.loads(l) for l in open(f"{tmp}/labels.jsonl")]
assert len(rows) == 160
for r in rows:
    assert len(r["right"]) + len(r["wrong"]) == r["evaluations"] and ("1111" in r["right"]) == r["base_correct"]
    assert (r["routing"] in r["right"]) if r["right"] else r["routing"] is None
merged = json.load(open(f"{tmp}/merged.json"))
assert len(merged) == 160 and set(merged[0]) == {"question", "gt_ans", "initial_score", "valid_paths", "invalid_paths"}
for m, r in zip(merged, rows):
    assert m["question"] == r["question"] and m["gt_ans"] == r["gold"] and m["initial_score"] == int(r["base_correct"])
    assert m["valid_paths"] == [[l for l, n in enumerate(p) for _ in range(int(n))] for p in r["right"]]
    assert len(m["invalid_paths"]) == len(r["wrong"])
some = [json.loads(l) for l in open(f"{tmp}/some.jsonl")]
assert len(some) == ask("select count(*) from label where routing like '0%' and not base_correct")[0][0] and some
PY

# Misspelt, and nothing there.
for bad in "verfy" "--with skp@3" "--with skip@x" "--format json" "export --format cvs" "verify --kernels v5"; do
    rc=0
    drover labels $bad --store "$S" >"$TMP/usage.log" 2>&1 || rc=$?
    [ "$rc" = 2 ] || fail "labels $bad: exit code $rc"
done
rc=0
verify "$S" --task nosuch >"$TMP/usage.log" 2>&1 || rc=$?
[ "$rc" = 1 ] || fail "verify of nothing: exit code $rc"
exit 0
