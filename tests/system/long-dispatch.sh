#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The group dispatch in its short form gives every figure, and the memory of coordinator and workers stays flat in a soak of some minutes
# (DROVER_SOAK_MINUTES, else 4; the whole form, an hour, is ./dev bench soak). No rate is asserted: the machine may be busy.
. "$(dirname "$0")/lib.sh"

"$BIN/drover-bench" dispatch --short --json >"$TMP/dispatch.log" || fail "drover-bench dispatch"
for name in durable_per_s whole_per_s submit_per_s coordinator_us_per_job worker_us_per_job curve_share submit_start.p99_ms \
    submit_durable.p99_ms workers_100 queue_bytes_per_job_50k restart_50k_s flatness_50k; do
    grep -q "\"name\":\"dispatch.$name\",\"value\":[0-9]" "$TMP/dispatch.log" || fail "no figure dispatch.$name"
done
TMPDIR=$TMP "$BIN/drover-bench" soak --minutes "${DROVER_SOAK_MINUTES:-4}" --short --json >"$TMP/soak.log" || fail "drover-bench soak"
cat "$TMP/soak.log"
for phase in steady full; do
    for who in coordinator workers; do
        sed -n "s/.*\"name\":\"soak.$phase.${who}_spread\",\"value\":\([0-9.e-]*\),.*/\1/p" "$TMP/soak.log" >"$TMP/spread"
        awk '{ exit !($1 <= 0.05) } END { exit NR != 1 }' "$TMP/spread" || fail "the memory of the $who grows (phase $phase)"
    done
done
[ "$(find "$TMP" -maxdepth 1 -name 'drover-bench-*' | wc -l)" = 0 ] || fail "a scratch folder is left behind"
