#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The dump of all labels is byte-identical for 1, 2, 3 workers, shards of 5 and 50, one and two threads per slot: each in a fresh store.
. "$(dirname "$0")/lib.sh"

one() {
    name=$1
    shift
    drover run "$HERE/tiny.cfg" --store "$TMP/$name.db" "$@" >"$TMP/$name.log" 2>&1 || fail "$name failed"
    drover labels --dump --store "$TMP/$name.db" >"$TMP/$name.dump" || fail "$name: no dump"
    [ "$(wc -l <"$TMP/$name.dump")" -ge 160 ] || fail "$name: the dump is short"
    cmp "$TMP/plain.dump" "$TMP/$name.dump" || fail "$name: other labels"
    note "$name: the same labels"
}

one plain --workers 1 --threads 1
one two-workers --workers 2 --threads 1
one three-workers --workers 3 --threads 1
one shards-of-5 --workers 2 --threads 1 --set labels.shard=5
one shards-of-50 --workers 2 --threads 1 --set labels.shard=50
one two-threads --workers 1 --threads 2
# Another level of the kernels is another CPU: the same bits.
if [ -z "${DROVER_KERNELS:-}" ]; then
    DROVER_KERNELS=v3
    export DROVER_KERNELS
    one kernels-v3 --workers 2 --threads 1
fi
# Equal and empty would prove nothing: most labels are paths of their own.
[ "$(awk '$9 ~ /^[012]*[02][012]*$/' "$TMP/plain.dump" | wc -l)" -ge 40 ] || fail "the dump holds too few routings"
