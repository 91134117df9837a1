#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ARC-Easy with stories260K through two workers: the same scores for shards of 10 and 200, each in a fresh store.
. "$(dirname "$0")/lib.sh"

D=${DROVER_SHARED:-../shared}/data
if [ ! -r "$D/arc/ARC-Easy-Test.jsonl" ] || [ ! -r "$D/models/stories260K/stories260K.bin" ]; then
    echo "SKIP-DATA system.0008-arc"
    exit 77
fi
score() {
    drover run arc_stories --store "$TMP/$1.db" --workers 2 --set score.shard="$2" \
        --set paths.model="$D/models/stories260K/stories260K.bin" --set paths.tokenizer="$D/models/stories260K/tok512.bin" \
        --set paths.arc_easy="$D/arc/ARC-Easy-Test.jsonl" >"$TMP/$1.log" 2>&1 || fail "shards of $2 failed"
    rows "$TMP/$1.db" "select e.source_id, s.correct, s.correct_norm, s.answer, s.logprob from score s join example e on e.id = s.example
        order by e.source_id, e.number" >"$TMP/$1.scores"
    note "shards of $2: $(rows "$TMP/$1.db" "select count(*), sum(correct), sum(correct_norm) from score")"
}
score small 10
score large 200
[ "$(wc -l <"$TMP/small.scores")" = 2376 ] || fail "2376 scores expected"
cmp "$TMP/small.scores" "$TMP/large.scores" || fail "scores depend on the shard"
