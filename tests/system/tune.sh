#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stands in for torchtune's `tune`: takes its arguments, writes its logger's lines and a "checkpoint" that depends on the model, the
# seed and the budget.
set -eu
[ "$1 $2" = "run --nproc_per_node" ] || exit 64
for argument in "$@"; do
    case $argument in
    checkpointer.checkpoint_dir=*) from=${argument#*=} ;;
    output_dir=*) out=${argument#*=} ;;
    metric_logger.log_dir=*) log=${argument#*=} ;;
    metric_logger.filename=*) log=$log/${argument#*=} ;;
    max_generated_tokens=*) budget=${argument#*=} ;;
    num_steps=*) steps=${argument#*=} ;;
    seed=*) seed=${argument#*=} ;;
    esac
done
for step in $(seq "$steps"); do echo "Step $step | loss:0.$step response_lengths:$budget.0 " >>"$log"; done
mkdir -p "$out/epoch_0"
{ cat "$from/model.safetensors"; echo "$seed $budget"; } >"$out/epoch_0/model.safetensors"
echo "trained with budget $budget"
