#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A kind's result never changes without a new kind version: the outputs of a tiny job of each kind against golden.txt. They are the
# same on every CPU. After raising a version on purpose: GOLDEN_UPDATE=1 sh tests/system/0009-golden-outputs.sh
. "$(dirname "$0")/lib.sh"

S=$TMP/results.db
drover run "$HERE/tiny.cfg" --store "$S" --workers 2 >"$TMP/run.log" 2>&1 || fail "the run failed"
version() { rows "$S" "select distinct kind_version from job where kind = '$1'"; }
R=$TMP/routers.db
drover run "$HERE/tiny-router.cfg" --store "$R" --workers 2 >"$TMP/routers.log" 2>&1 || fail "the run with routers failed"
T=$TMP/stages.db
drover run "$HERE/tiny-stage.cfg" --store "$T" --workers 2 >"$TMP/stages.log" 2>&1 || fail "the curriculum failed"
# Router, success router and select by step; what they decide, with costs left out.
made() { rows "$R" "select lower(hex(b.digest)) from job j join job_output o on o.job = j.id join blob b on b.id = o.blob
    where j.step = '$1'"; }
output() { rows "$S" "select lower(hex(b.digest)) from job j join job_output o on o.job = j.id join blob b on b.id = o.blob
    where j.kind = '$1'"; }
sum() { sha256sum | cut -d' ' -f1; }
{
    echo "pretrain $(version pretrain) $(output pretrain)"
    echo "search $(version search) $(drover labels --dump --store "$S" | sum)"
    echo "collect $(version collect) $(output collect)"
    echo "evaluate $(version evaluate) $(rows "$S" "select e.task, e.level, e.number, s.correct, s.answer, s.routing, s.layers
        from score s join example e on e.id = s.example join family f on f.id = s.family
        join run_family rf on rf.family = f.id order by rf.step, e.task, e.level, e.number" | sum)"
    echo "select $(rows "$R" "select distinct kind_version from job where kind = 'select'") $(made front)"
    echo "router $(rows "$R" "select distinct kind_version from job where kind = 'router'") $(made router) $(made success)"
    echo "routed $(version evaluate) $(rows "$R" "select rf.step, e.task, e.level, e.number, s.correct, s.answer, s.routing, s.layers,
        s.metrics from score s join example e on e.id = s.example join family f on f.id = s.family
        join run_family rf on rf.family = f.id order by rf.step, e.task, e.level, e.number" | sum)"
    echo "stage $(rows "$T" "select distinct kind_version from job where kind = 'stage'") $(rows "$T" "select o.name, lower(hex(b.digest))
        from job j join job_output o on o.job = j.id join blob b on b.id = o.blob where j.kind = 'stage' order by j.id, o.name" | sum)"
} >"$TMP/golden.txt"
[ -z "${GOLDEN_UPDATE:-}" ] || cp "$TMP/golden.txt" "$HERE/golden.txt"
diff "$HERE/golden.txt" "$TMP/golden.txt" || fail "an output changed while its kind's version did not"
[ "$(wc -l <"$TMP/golden.txt")" = 8 ] || fail "eight lines expected"
