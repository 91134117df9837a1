#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Goal: what is executed is what changed: another third entry of a schedule runs stage 3 and later again, a further seed that seed only,
# schedules that agree on a stage share it; a stage's model can be evaluated. Impossible schedules are refused with file and line.
# Method: a tiny chain of real stages, its attempts counted in the store after every change.
. "$(dirname "$0")/lib.sh"
cd "$TMP"
S=$TMP/c.db

cat >chain.cfg <<'EOT'
name = "system/chain";
steps = (
  { id = "base"; job = "pretrain"; tasks = ["math"]; levels = [1]; prompts = "think"; layers = 1; dim = 16; heads = 2; hidden = 16;
    steps = 4; batch = 8; warmup = 1; micro_batches = 1; gemm = "packed"; seed = "run"; },
  { id = "train"; job = "stage"; model = "base"; tasks = ["math"]; levels = [1, 2]; updates = 8; stages = 4; problems = 2; group = 2;
    max_new = 12; micro_batches = 1; validation_examples = 2; validation_budget = 12;
    schedule = "steps"; steps = [30, 24, 18, 12]; gemm = "packed"; seed = "run"; },
  { id = "end"; job = "evaluate"; model = "train"; tasks = ["math"]; levels = [1]; prompts = "think"; budget = 12; max_new = 12;
    examples = 4; },
  { id = "half"; job = "evaluate"; model = "train.2"; tasks = ["math"]; levels = [1]; prompts = "think"; budget = 12; max_new = 12;
    examples = 4; }
);
sweep = ( { set = "seed"; values = [1]; } );
EOT

# done_attempts WHERE: attempts that gave a result.
done_attempts() {
    rows "$S" "select count(*) from attempt a join job j on j.id = a.job
        where a.outcome in ('DONE', 'DIVERGED') and $1"
}
# run_it [--set ...]: sets STAGES, SCORES and BASES to what this run executed.
run_it() {
    stages=$(done_attempts "j.kind = 'stage'")
    scores=$(done_attempts "j.kind = 'evaluate'")
    bases=$(done_attempts "j.kind = 'pretrain'")
    drover run chain.cfg --store "$S" --workers 2 --quiet "$@" >run.txt 2>>run.log || fail "run $*"
    STAGES=$(($(done_attempts "j.kind = 'stage'") - stages))
    SCORES=$(($(done_attempts "j.kind = 'evaluate'") - scores))
    BASES=$(($(done_attempts "j.kind = 'pretrain'") - bases))
}
# expect WHAT BASES STAGES SCORES
expect() { [ "$BASES $STAGES $SCORES" = "$2 $3 $4" ] || fail "$1: ran $BASES $STAGES $SCORES, not $2 $3 $4"; }

drover run chain.cfg --store "$S" --workers 2 --quiet >run.txt 2>run.log || fail "the first run"
[ "$(done_attempts "1")" = 7 ] || fail "1 base, 4 stages and 2 evaluations expected, not $(rows "$S" "select j.step, a.outcome, a.text
    from attempt a join job j on j.id = a.job")"
# `train` is the last stage's model, `train.2` the second's.
rows "$S" "select e.step, count(s.id) from job e join job_input i on i.job = e.id and i.name = 'model'
    join job s on s.kind = 'stage' and s.id <= i.producer where e.kind = 'evaluate' group by e.step order by 1" >models.txt
[ "$(tr '\n' ' ' <models.txt)" = "end,4 half,2 " ] || fail "the evaluations read the models of other stages: $(cat models.txt)"

run_it
expect "the same again" 0 0 0
run_it --set 'train.steps=[30, 24, 17, 12]'
expect "another third entry" 0 2 1
run_it --set 'train.steps=[30, 24, 17, 11]'
expect "another fourth entry" 0 1 1
run_it --set 'train.steps=[31, 24, 17, 11]'
expect "another first entry" 0 4 2
run_it --set seed=1,2
expect "a further seed" 1 4 2
run_it --set seed=1,2 --set train.checkpoint_s=0 --set train.adapt_rate=0.5
expect "what has no effect" 0 0 0
run_it --set seed=1,2 --set train.schedule=linear --set train.budget_first=30 --set train.budget_last=12 --set train.drops=3
expect "the same budgets said otherwise" 0 0 0

# Both runs have a row for each update of all stages, counted through.
rows "$S" "select run, count(*), count(distinct c.at_step), min(c.at_step), max(c.at_step) from curriculum c
    where c.step = 'train' and c.metric = 'budget' group by run" >updates.txt
[ "$(wc -l <updates.txt)" = 2 ] || fail "two runs expected: $(cat updates.txt)"
! grep -v ',8,8,1,8$' updates.txt || fail "other updates than 1 to 8, once each"

# Both evaluations of both seeds count.
for step in half end; do
    [ "$(rows "$S" "select count(*) from accuracy where step = '$step' and n = 4")" = 2 ] || fail "$step: no accuracy of both seeds"
done

# refused TEXT KEYS: with KEYS in place of its schedule `drover plan` says file, line and TEXT, and exits with 1.
refused() {
    sed "s/schedule = \"steps\"; steps = .*; gemm/$2 gemm/" chain.cfg >bad.cfg
    code=0
    drover plan bad.cfg >plan.txt 2>&1 || code=$?
    [ "$code" = 1 ] || fail "$2: exit code $code"
    grep -q "bad.cfg:7: steps\[1\]\..*$1" plan.txt || fail "$2: $(cat plan.txt)"
}
refused 'above the first' 'schedule = "steps"; steps = [12, 30];'
refused 'above the first' 'schedule = "linear"; budget_first = 10; budget_last = 20;'
refused 'not between 0 and 1' 'schedule = "exponential"; gamma = 0;'
refused 'is out of range' 'schedule = "exponential"; gamma = 1.5;'
refused '0 updates between two drops' 'schedule = "exponential"; interval = 0;'
refused 'is out of range' 'length_weight = -1.0;'
! drover plan chain.cfg --set train.group=1 >plan.txt 2>&1 || fail "accepted: a group of one"
grep -q -- '--set train.group=1: steps\[1\].group: 1 is out of range' plan.txt || fail "group: $(cat plan.txt)"
sed 's/max_new = 12; micro_batches = 1;/max_new = 1000; micro_batches = 1;/' chain.cfg >bad.cfg
! drover plan bad.cfg >plan.txt 2>&1 || fail "accepted: max_new = 1000"
grep -q 'bad.cfg:6: steps\[1\].max_new: .*do not fit into the model' plan.txt || fail "max_new: $(cat plan.txt)"

# The plan draws the schedule within 80 columns; --json has it.
drover plan chain.cfg --store "$S" >plan.txt || fail "drover plan"
grep -q '^ *30 |\*\*\*\*' plan.txt || fail "no chart: $(cat plan.txt)"
! grep '|' plan.txt | grep -q '.\{81\}' || fail "wider than 80 columns"
drover plan chain.cfg --json >plan.json || fail "drover plan --json"
python3 - <<'EOT' || fail "the schedule in JSON"
import json
c, = json.load(open("plan.json"))["curricula"]
assert [(b["update"], b["tokens"]) for b in c["budgets"]] == [(0, 30), (2, 24), (4, 18), (6, 12)], c
assert c["step"] == "train" and c["stages"] == 4 and c["updates"] == 8, c
EOT
