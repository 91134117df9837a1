#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A model of 3.2 billion BF16 parameters (Llama-3.2-3B's shape, random weights) scores 20 questions of ARC within 9 GiB of resident
# memory. Needs 7 GB of disk in TMPDIR.
. "$(dirname "$0")/lib.sh"

D=${DROVER_SHARED:-../shared}/data
if [ ! -r "$D/arc/ARC-Easy-Test.jsonl" ] || [ ! -r "$D/tokenizers/gpt2/encoder.json" ]; then
    echo "SKIP-DATA system.long-3b"
    exit 77
fi
"$BIN/drover-make-checkpoint" --preset llama-3.2-3b --dtype bf16 --format hf --seed 1 --out "$TMP/model" || fail "no model"
cp "$D/tokenizers/gpt2/encoder.json" "$TMP/model/vocab.json"
cp "$D/tokenizers/gpt2/vocab.bpe" "$TMP/model/merges.txt"
start_coordinator "$TMP/results.db" --lease-ms 60000
start_worker big --threads "$(nproc)"
drover evaluate --model "$TMP/model" --task arc_easy --data "$D/arc/ARC-Easy-Test.jsonl" --examples 20 --shard 20 \
    --coordinator "$ENDPOINT" >"$TMP/evaluate.log" 2>&1 &
EVALUATE=$!
PIDS="$PIDS $EVALUATE"
peak=0
while kill -0 "$EVALUATE" 2>/dev/null; do
    now=$(awk '/^VmHWM:/ { print $2 }' "/proc/$WORKER/status")
    [ "${now:-0}" -le "$peak" ] || peak=$now
    sleep 0.5
done
wait "$EVALUATE" || fail "the evaluation failed"
kill -TERM "$WORKER" "$COORDINATOR"
wait "$WORKER" "$COORDINATOR" || true
[ "$(rows "$TMP/results.db" "select n from metric_summary where metric = 'acc'")" = 20 ] || fail "20 scores expected"
note "resident memory of the worker at its highest: $((peak / 1024)) MiB"
[ "$peak" -gt $((5 * 1024 * 1024)) ] || fail "less than the weights: not measured"
[ "$peak" -lt $((9 * 1024 * 1024)) ] || fail "more than 9 GiB"
