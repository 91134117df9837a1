#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# drover evaluate: real benchmark files through two workers with stories260K. Every form of example lands in the store with its
# metrics and the summary row with its standard error; nothing depends on batch, shard or threads. With LONG=1 whole files.
. "$(dirname "$0")/lib.sh"

D=${DROVER_SHARED:-../shared}/data
M=$D/models/stories260K/stories260K.bin
if [ ! -r "$M" ] || [ ! -r "$D/gsm8k/test.jsonl" ] || [ ! -r "$D/mmlu/test/anatomy_test.csv" ]; then
    echo "SKIP-DATA system.0011-benchmarks"
    exit 77
fi
N=${N:-8}
[ -z "${LONG:-}" ] || N=
tasks="--task arc_easy --data $D/arc/ARC-Easy-Test.jsonl --task arc_challenge --data $D/arc/ARC-Challenge-Test.jsonl --task mmlu --data $D/mmlu --task gsm8k --data $D/gsm8k
    --task svamp --data $D/svamp/SVAMP.json --task gsm_plus --data $D/gsm_plus/gsmplus_testmini.jsonl
    --task college_math --data $D/college_math/test.ccby.jsonl --task agieval_math --data $D/agieval/math.jsonl
    --task agieval_aqua_rat --data $D/agieval/aqua-rat.jsonl --task agieval_gaokao_physics --data $D/agieval/gaokao-physics.jsonl
    --task agieval_gaokao_english --data $D/agieval/gaokao-english.jsonl --task agieval_lsat_lr --data $D/agieval/lsat-lr.jsonl
    --task agieval_gaokao_mathcloze --data $D/agieval/gaokao-mathcloze.jsonl --task agieval_sat_math --data $D/agieval/sat-math.jsonl
    --task agieval_gaokao_mathqa --data $D/agieval/gaokao-mathqa.jsonl
    --task agieval_sat_en_without_passage --data $D/agieval/sat-en-without-passage.jsonl"
validation="--task piqa --data $D/piqa/valid.jsonl --task boolq --data $D/superglue/BoolQ/val.jsonl
    --task copa --data $D/superglue/COPA/val.jsonl --task wsc --data $D/superglue/WSC/val.jsonl
    --task truthfulqa_mc1 --data $D/truthfulqa/v1/mc_task.json --task truthfulqa_mc2 --data $D/truthfulqa/v1/mc_task.json
    --task squadv2 --data $D/squad2/dev-v2.0.json"

# evaluate STORE NAME OPTIONS...
evaluate() {
    store=$TMP/$1.db
    name=$2
    shift 2
    # shellcheck disable=SC2086
    drover evaluate --model "$M" --tokenizer "$D/models/stories260K/tok512.bin" --name "$name" --store "$store" \
        ${N:+--examples $N --max-new 24} "$@" >>"$TMP/$name.log" 2>&1 || fail "$name failed"
}
scores() {
    rows "$TMP/$1.db" "select e.task, e.subset, e.source_id, s.correct, s.correct_norm, s.answer, s.logprob, s.metrics, s.pick, s.gold_class,
        s.truncated, s.generated, s.tokens from score s join example e on e.id = s.example order by e.task, e.number" >"$TMP/$1.scores"
}
# Evaluations into one store stand side by side; what changes no result changes no name.
named() {
    drover evaluate --print --model "/x/my model.bin" --task arc_easy "$@" | head -n 1
}
case $(named --data a) in
    'name = "evaluate/my_model.bin/arc_easy/'??????'";') ;;
    *) fail "the default name: $(named --data a)" ;;
esac
[ "$(named --data a)" = "$(named --data a --shard 7 --batch 2)" ] || fail "a shard changes the name"
[ "$(named --data a)" != "$(named --data b)" ] || fail "two evaluations have one name"
# shellcheck disable=SC2086
{
    evaluate one test $tasks --shard 10 --batch 16
    evaluate one validation --split validation $validation --shard 10 --batch 16
    if [ -n "$N" ]; then
        evaluate two test $tasks --shard 24 --batch 1 --workers 1 --threads 2
        evaluate two validation --split validation $validation --shard 7 --batch 5 --workers 1 --threads 2
    fi
}
scores one
[ -s "$TMP/one.scores" ] || fail "no scores"
if [ -z "$N" ]; then
    # Whole files: as many examples as they have.
    rows "$TMP/one.db" "select task || ' ' || n from metric_summary where metric in ('acc', 'exact', 'exact_match') order by 1" >"$TMP/sizes"
    printf '%s\n' 'arc_challenge 1172' 'arc_easy 2376' 'boolq 3270' 'copa 100' 'gsm8k 1319' 'mmlu 14042' 'piqa 1838' 'squadv2 6078' 'svamp 1000' \
        'truthfulqa_mc1 817' 'truthfulqa_mc2 817' 'wsc 104' | while read -r line; do
        grep -qx "$line" "$TMP/sizes" || fail "not $line: $(grep "^${line% *} " "$TMP/sizes")"
    done
fi
if [ -n "$N" ]; then
    scores two
    cmp "$TMP/one.scores" "$TMP/two.scores" || fail "scores depend on shard, batch or threads"
    n=$(rows "$TMP/one.db" "select count(*) from score")
    [ "$n" = $((23 * N)) ] || fail "$((23 * N)) scores expected, $n found"
fi
rows "$TMP/one.db" "select task, metric, round(value, 4), round(stderr, 4), n from metric_summary order by task, metric" >"$TMP/summary"
sed 's/^/# /' "$TMP/summary"
for task in arc_easy arc_challenge mmlu gsm8k svamp gsm_plus college_math agieval_math agieval_aqua_rat agieval_gaokao_physics \
    agieval_gaokao_english agieval_lsat_lr agieval_gaokao_mathcloze agieval_sat_math agieval_gaokao_mathqa agieval_sat_en_without_passage \
    piqa boolq copa wsc truthfulqa_mc1 truthfulqa_mc2 squadv2; do
    grep -q "^$task," "$TMP/summary" || fail "no summary row of $task"
done
# The harness's rule: sample standard deviation over the square root of n.
rows "$TMP/one.db" "with x as (select f.task as task, coalesce(json_extract(c.metrics, '\$.acc'), c.correct) as v from score c
        join family f on f.id = c.family),
    s as (select task, count(*) as n, avg(v) as p, sum(v * v) as squares from x group by 1)
    select count(*) from s join metric_summary m on m.task = s.task and m.metric = 'acc'
    where abs(m.value - s.p) > 1e-12 or abs(m.stderr - sqrt(max(s.squares - s.n * s.p * s.p, 0) / (s.n - 1) / s.n)) > 1e-9 or m.n != s.n" >"$TMP/wrong"
[ "$(cat "$TMP/wrong")" = 0 ] || fail "a summary row is not the mean with its standard error"
