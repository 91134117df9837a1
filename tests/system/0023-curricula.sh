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
    before=$(done_attempts "j.kind = 'stage'") || before=0
    scores=$(done_attempts "j.kind = 'evaluate'") || scores=0
    bases=$(done_attempts "j.kind = 'pretrain'") || bases=0
    drover run chain.cfg --store "$S" --workers 2 --quiet "$@" >run.txt 2>>run.log || fail "run $*"
    STAGES=$(($(done_attempts "j.kind = 'stage'") - ${before:-0}))
    SCORES=$(($(done_attempts "j.kind = 'evaluate'") - ${scores:-0}))
    BASES=$(($(done_attempts "j.kind = 'pretrain'") - ${bases:-0}))
}
# expect WHAT BASES STAGES SCORES
expect() { [ "$BASES $STAGES $SCORES" = "$2 $3 $4" ] || fail "$1: ran $BASES $STAGES $SCORES, not $2 $3 $4"; }

drover run chain.cfg --store "$S" --workers 2 --quiet >run.txt 2>run.log || fail "the first run"
[ "$(done_attempts "1")" = 7 ] || fail "1 base, 4 stages and 2 evaluations expected"

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
run_it --set train.schedule=linear --set train.budget_first=30 --set train.budget_last=12 --set train.drops=3
expect "the same budgets said otherwise" 0 0 0

# Every update reported once, counted through the stages.
n=$(rows "$S" "select count(distinct c.at_step) || ' ' || min(c.at_step) || ' ' || max(c.at_step) from curriculum c
    where c.step = 'train' and c.metric = 'budget'")
case $n in "8 "*) ;; *) fail "updates of all stages: $n" ;; esac

# refused TEXT --set ...: `drover plan` says TEXT with a place and exits with 1.
refused() {
    text=$1
    shift
    ! drover plan chain.cfg "$@" >plan.txt 2>&1 || fail "accepted: $*"
    grep -q "steps\[1\].*$text" plan.txt || fail "$*: $(cat plan.txt)"
}
refused 'above the first' --set 'train.steps=[12, 30]'
refused 'above the first' --set train.schedule=linear --set train.budget_first=10 --set train.budget_last=20
refused 'not between 0 and 1' --set train.schedule=exponential --set train.gamma=0
refused 'is out of range' --set train.schedule=exponential --set train.gamma=1.5
refused '0 updates between two drops' --set train.schedule=exponential --set train.interval=0
refused 'is out of range' --set train.length_weight=-1
refused 'is out of range' --set train.group=1
refused 'do not fit into the model' --set train.max_new=1000
sed 's/max_new = 12; micro_batches = 1;/max_new = 1000; micro_batches = 1;/' chain.cfg >long.cfg
! drover plan long.cfg >plan.txt 2>&1 || fail "accepted: max_new = 1000"
grep -q "long.cfg:6: steps\[1\].max_new" plan.txt || fail "no file and line: $(cat plan.txt)"

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
