#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A full or read-only disk: a clear message, exit code 1, everything that was acknowledged is still there, and the run goes on
# once there is room.
. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" -ne 0 ] || ! mkdir -p "$TMP/disk" || ! mount -t tmpfs -o size=1500k tmpfs "$TMP/disk" 2>/dev/null; then
    note "no right to mount a small disk: nothing tested"
    exit 77
fi
trap 'umount -l "$TMP/disk" 2>/dev/null; cleanup' EXIT

S=$TMP/disk/results.db
rc=0
drover run "$HERE/tiny.cfg" --store "$S" --workers 1 >"$TMP/full.log" 2>&1 || rc=$?
[ "$rc" = 1 ] || fail "exit code $rc on a full disk, not 1"
grep -qiE 'no space|full' "$TMP/full.log" || fail "the message does not say that the disk is full"
note "$(grep -iE 'no space|full' "$TMP/full.log" | head -n 1 | cut -c1-150)"
mount -o remount,size=64m "$TMP/disk"
drover run "$HERE/tiny.cfg" --store "$S" --workers 1 >"$TMP/again.log" 2>&1 || fail "the run does not go on with room"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "labels are missing"

note "a read-only disk"
mount -o remount,ro "$TMP/disk"
rc=0
drover run "$HERE/tiny.cfg" --store "$S" --workers 1 >"$TMP/ro.log" 2>&1 || rc=$?
[ "$rc" = 1 ] || fail "exit code $rc on a read-only disk, not 1"
grep -qiE 'read-only|not writable|permission' "$TMP/ro.log" || fail "the message does not say read-only"
[ "$(rows "$S" "select count(*) from label")" = 160 ] || fail "a read-only store cannot be read"
