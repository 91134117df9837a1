#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reading commands on a finished store: what they print agrees with plain SQL, in every format; local and through a
# coordinator they say the same; bad input has exit code 1 and a remedy, wrong usage 2; SQL that writes or runs for ever is refused.
. "$(dirname "$0")/lib.sh"
cd "$TMP"
cp "$HERE/tiny.cfg" tiny.cfg
S=r.db
drover run tiny.cfg --store $S --set seed=1,2 -q --workers 2 >run.log 2>&1 || fail "the run failed"

# json FILE EXPRESSION: of the document d.
json() { python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"; }
# exits CODE PART COMMAND...: its exit code, and what standard error says.
exits() {
    code=$1 part=$2
    shift 2
    rc=0
    drover "$@" >out.txt 2>err.txt || rc=$?
    [ "$rc" -eq "$code" ] || fail "drover $*: exit code $rc, not $code: $(cat err.txt)"
    grep -q -- "$part" err.txt || fail "drover $*: not \"$part\" but: $(cat err.txt)"
}

note "runs agree with the view"
drover runs --store $S --json >runs.json || fail "runs --json"
[ "$(json runs.json 'd["version"], len(d["rows"]), d["runs"], d["more"]')" = "(1, 2, 2, False)" ] || fail "runs: $(cat runs.json)"
want=$(rows $S "select round(base, 9) || ' ' || round(oracle, 9) || ' ' || round(accuracy, 9) from run_result order by run limit 1")
[ "$(json runs.json '"%s %s %s" % tuple(round(d["rows"][0][k], 9) for k in ("base", "oracle", "accuracy"))')" = "$want" ] ||
    fail "runs and run_result differ: $want"
best=$(rows $S "select run from run_result order by oracle desc, run limit 1")
[ "$(drover runs --store $S --sort -oracle --limit 1 --csv --columns oracle | tail -n 1 | cut -d, -f1)" = "$best" ] || fail "--sort"
[ "$(drover runs --store $S --where "seed == 2 and state = 'done'" --csv | wc -l)" -eq 2 ] || fail "--where"
drover runs --store $S --where "seed == 99" | grep -q "none for which" || fail "an empty list does not say so"
drover runs --store $S --metric loss --csv | head -n 1 | grep -q loss || fail "--metric"

note "tables in every format, and the number behind a cell"
for format in terminal markdown csv latex; do
    drover table --store $S --format $format >table.txt || fail "table --format $format"
    grep -q oracle table.txt || fail "table --format $format: $(cat table.txt)"
done
drover table --store $S --json >table.json || fail "table --json"
[ "$(json table.json 'd["version"], len(d["tables"]), len(d["tables"][0]["rows"])')" = "(1, 1, 6)" ] || fail "table --json: $(head -c 300 table.json)"
drover cell system/tiny 1 1 --store $S --json >cell.json || fail "cell --json"
[ "$(json cell.json 'd["version"], d["value"] == d["sql_value"]')" = "(1, True)" ] || fail "cell --json: $(head -c 300 cell.json)"

note "show, diff, logs"
drover show --store $S 1 | grep -q "^Environment" || fail "show has no environment"
drover show --store $S 1 --json >show.json
[ "$(json show.json 'len(d["jobs"]), d["run"]["seed"]')" = "(26, 1)" ] || fail "show --json"
key=$(rows $S "select lower(hex(key)) from job where id = 1")
drover show --store $S "$(echo "$key" | cut -c1-12)" | grep -q "$key" || fail "a job by its key"
drover diff --store $S 1 2 >diff.txt
grep -q "seed: 1 | 2" diff.txt && grep -q "j1.model | j" diff.txt || fail "diff does not tell why: $(cat diff.txt)"
drover logs --store $S j1 | grep -q "event=job_done" || fail "logs"
exits 1 "no attempt 7" logs --store $S j1 --attempt 7

note "status and plan"
drover status --store $S --json >status.json
[ "$(json status.json 'all(s["done"] == s["jobs"] for s in d["steps"]), d["experiments"][0]["finished"]')" = "(True, True)" ] || fail "status"
drover plan tiny.cfg --store $S --set seed=1,2,3 --json >plan.json
[ "$(json plan.json '[(s["jobs"], s["in_store"], s["to_run"]) for s in d["steps"]][1]')" = "(24, 16, 8)" ] || fail "plan"
[ "$(json plan.json 'd["unknown_steps"], d["expected_work"]["low"] < d["expected_work"]["seconds"] < d["expected_work"]["high"]')" = "(0, True)" ] ||
    fail "plan expects nothing: $(cat plan.json)"
drover plan tiny.cfg --store $S --set seed=1,2 | grep -q "nothing to run" || fail "plan of what is done"
drover plan tiny.cfg --store absent.db | grep -q "unknown" || fail "plan without a store"
[ ! -e absent.db ] || fail "plan made a store"
drover plan tiny.cfg --graph | grep -q "^digraph" || fail "--graph"
drover plan --parameters | grep -q "sweep" || fail "--parameters"

note "query"
drover query --store $S --schema >schema.txt
[ "$(head -n 2 schema.txt | grep -c "^view")" -eq 1 ] && grep -q "^table *job " schema.txt || fail "--schema"
drover query --store $S --schema=accuracy | grep -q "truncated.*cut on the left" || fail "--schema=accuracy"
echo "select 1 as one" | drover query --store $S --csv - | grep -q one || fail "SQL from standard input"
exits 1 "did you mean \"accuracy\"" query --store $S --schema=acuracy
exits 1 "only reading" query --store $S "delete from run"
exits 1 "only reading" query --store $S "attach 'x.db' as x"
exits 1 "longer than 1000 ms" query --store $S --time-limit 1 \
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
exits 1 "more than 2 rows" query --store $S --rows 2 --csv "select id from job"
[ "$(wc -l <out.txt)" -eq 3 ] || fail "the rows up to the limit are printed"
exits 2 "question is missing" query --store $S

note "errors"
exits 1 'did you mean "system/tiny"' runs --store $S system/tny
exits 1 'did you mean "oracle"' runs --store $S --where "oracel > 1"
exits 1 "column" runs --store $S --where "seed >"
exits 1 "they go up to 2" show --store $S 99
exits 1 "no run and no job" show --store $S nonsense
exits 1 "a run is wanted" diff --store $S 1 j1
exits 1 absent.db show --store absent.db 1
exits 2 "which run or job" show --store $S
exits 2 "which two runs" diff --store $S 1
exits 2 "is no number" runs --store $S --limit many

note "a coordinator says the same as the file"
start_coordinator "$TMP/$S"
for command in "runs --json" "show 1 --json" "show j1 --json" "diff 1 2 --json" "logs j1 --json" "query --json --schema" \
    "query --csv --schema=accuracy" "table --json" "table --format latex" "cell system/tiny 2 3 --json"; do
    drover $command --store $S >local.txt || fail "$command"
    drover $command --coordinator "$ENDPOINT" >remote.txt 2>err.txt || fail "$command --coordinator: $(cat err.txt)"
    cmp -s local.txt remote.txt || fail "$command: the coordinator says something else: $(diff local.txt remote.txt | head -n 5)"
done
drover query --csv "select * from accuracy order by 1, 2, 3, 4, 5, 6, 7" --store $S >local.txt
drover query --csv "select * from accuracy order by 1, 2, 3, 4, 5, 6, 7" --coordinator "$ENDPOINT" >remote.txt || fail "query --coordinator"
cmp -s local.txt remote.txt || fail "query: the coordinator says something else"
drover plan tiny.cfg --coordinator "$ENDPOINT" --workers 4 --set seed=1,2,3 --json >remote.json || fail "plan --coordinator"
[ "$(json remote.json '[(s["in_store"], s["to_run"]) for s in d["steps"]]')" = "$(json plan.json '[(s["in_store"], s["to_run"]) for s in d["steps"]]')" ] ||
    fail "plan: the coordinator says something else"
drover status --coordinator "$ENDPOINT" --json >remote.json || fail "status --coordinator"
[ "$(json remote.json 'd["experiments"][0]["finished"]')" = True ] || fail "status: the coordinator says something else"
exits 1 "only reading" query --coordinator "$ENDPOINT" "delete from run"
exits 1 'did you mean "oracle"' runs --coordinator "$ENDPOINT" --where "oracel > 1"
