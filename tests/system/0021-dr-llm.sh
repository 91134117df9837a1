#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The recipe dr_llm/in_domain at the smallest size, through a coordinator and workers: labels, routers, static paths and every way of
# routing, with a worker killed while a router trains. The tables come out, nothing runs twice, and the other recipes find what is there.
. "$(dirname "$0")/lib.sh"

S=$TMP/results.db
# Four layers, two levels, a few questions, one seed; two of everything that the full recipe has by the dozen.
TINY="--set base.layers=4 --set base.dim=32 --set base.heads=2 --set base.hidden=64 --set base.steps=60 --set base.batch=32
    --set base.warmup=5 --set vars.levels=[1,2] --set seed=1"
LABELLED="--set vars.label_examples=20 --set vars.family_examples=12 --set vars.near_examples=6"
ASKED="--set vars.test_examples=10 --set vars.validation_examples=6"
STATIC="--set vars.static_m4=1 --set vars.static_m3=2 --set vars.static_m2=3 --set vars.static_m1=3"
SHORT="--set labels.simulations=20 --set oracle_search.simulations=20 --set router.epochs=2000 --set success.epochs=4
    --set success.paths=8 --set success.decide_layer=1"
is() { [ "$(rows "$S" "$2")" = "$3" ] || fail "$1: $(rows "$S" "$2"), not $3"; }

start_coordinator "$S"
start_worker a
VICTIM=$WORKER
# shellcheck disable=SC2086
drover run dr_llm/in_domain $TINY $LABELLED $ASKED $STATIC $SHORT --coordinator "$ENDPOINT" >"$TMP/run.log" 2>&1 &
RUN=$!
PIDS="$PIDS $RUN"
training() { at_least "$S" "select count(*) from attempt join job on job.id = attempt.job
    where job.step = 'router' and attempt.outcome = 'RUNNING'" 1; }
within 300 training || fail "no router began to train"
kill -9 "$VICTIM"
note "killed the worker while a router was trained"
start_worker b
start_worker c
wait "$RUN" || fail "the run failed"
is "attempts of routers that were lost" "select count(*) from attempt join job on job.id = attempt.job
    where job.kind = 'router' and attempt.outcome = 'LOST'" 1
is "jobs that are not done" "select count(*) from job where state <> 'DONE'" 0
is "kinds" "select group_concat(kind, ' ') from (select distinct kind from job order by kind)" \
    'collect evaluate pretrain router search select'
is "select jobs are no rungs" "select count(*) from candidate" 0

# Ways of routing: what they have to have in common, and how they differ.
layers() { rows "$S" "select printf('%.3f', avg(score.layers)) from score join run_family on run_family.family = score.family
    where run_family.step = '$1'"; }
is "questions of every step" "select count(distinct n) from (select sum(examples) n from run_family
    where step like 'static_%' or step like 'routed_%' or step like 'success_%' or step = 'always' group by step)" 1
[ "$(layers always)" = 4.000 ] || fail "every layer once is $(layers always) layers"
[ "$(layers static_m3)" = 2.000 ] || fail "the best path of two layers has $(layers static_m3)"
[ "$(layers random_routed)" = "$(layers routed_k2)" ] || fail "random routing has $(layers random_routed) layers, its router $(layers routed_k2)"
[ "$(layers shuffled_routed)" = "$(layers routed_k2)" ] || fail "shuffled decisions have $(layers shuffled_routed) layers, not $(layers routed_k2)"
note "layers: router $(layers routed_k2), success $(layers success_p3), towards execute $(layers routed_k5)"

# The tables and both figures' numbers.
drover table dr_llm/in_domain --store "$S" >"$TMP/table" 2>"$TMP/table.err" || fail "no table: $(cat "$TMP/table.err")"
for word in 'Table 3' 'best static path' 'epsilon' 'price' 'oracle' 'macro F1' 'Validation'; do
    grep -qi "$word" "$TMP/table" || fail "the tables do not show: $word"
done
drover plot "$HERE/../../experiments/recipes/dr_llm/plots/in_domain.cfg" --store "$S" --json >"$TMP/plot.json" 2>"$TMP/plot.err" ||
    fail "no plot: $(cat "$TMP/plot.err")"

# Again: the keys are the same, nothing runs.
attempts=$(rows "$S" "select count(*) from attempt")
# shellcheck disable=SC2086
drover run dr_llm/in_domain $TINY $LABELLED $ASKED $STATIC $SHORT --coordinator "$ENDPOINT" >"$TMP/again.log" 2>&1 || fail "the second run failed"
is "attempts after the second run" "select count(*) from attempt" "$attempts"

# out_of_domain in the same store: only its own evaluations are new.
# shellcheck disable=SC2086
drover run dr_llm/out_of_domain $TINY $LABELLED --set vars.other_levels=[1,2] --set vars.other_examples=5 --set vars.held_examples=5 \
    --set labels.simulations=20 --set router.epochs=2000 --set success.epochs=4 --set success.paths=8 --set success.decide_layer=1 \
    --set vars.static_m1=3 --coordinator "$ENDPOINT" >"$TMP/ood.log" 2>&1 ||
    fail "out_of_domain failed"
is "jobs of out_of_domain that in_domain has not" "select group_concat(kind, ' ') from (select distinct kind from job
    where id in (select run_job.job from run_job join run on run.id = run_job.run join experiment on experiment.id = run.experiment
        where experiment.name = 'dr_llm/out_of_domain')
    and id not in (select run_job.job from run_job join run on run.id = run_job.run join experiment on experiment.id = run.experiment
        where experiment.name = 'dr_llm/in_domain'))" evaluate
drover table dr_llm/out_of_domain --store "$S" >"$TMP/ood" 2>&1 || fail "no table of out_of_domain"
grep -q 'lists' "$TMP/ood" || fail "the table of out_of_domain does not show lists"

# search_methods: the model is there too, and its figure counts what each search evaluated.
# shellcheck disable=SC2086
drover run dr_llm/search_methods $TINY --set vars.validation_examples=4 --coordinator "$ENDPOINT" >"$TMP/methods.log" 2>&1 ||
    fail "search_methods failed"
is "models" "select count(*) from attempt join job on job.id = attempt.job where job.kind = 'pretrain' and attempt.outcome = 'DONE'" 1
drover table dr_llm/search_methods --store "$S" >"$TMP/methods" 2>&1 || fail "no table of search_methods"
drover plot "$HERE/../../experiments/recipes/dr_llm/plots/search_methods.cfg" --store "$S" --json >"$TMP/plot.json" 2>"$TMP/plot.err" ||
    fail "no plot of search_methods: $(cat "$TMP/plot.err")"
grep -q 'chain_25' "$TMP/plot.json" || fail "the figure does not show the chain"
