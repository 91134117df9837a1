#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_pure.sh [--also REGEX] ARCHIVE...: a core's objects may need only plain memory and string functions, assertions, and each
# other; with --also what matches REGEX, too.
set -eu
allowed='memcpy|memset|memmove|memcmp|strlen|strcmp|strncmp|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__memcpy_chk|__memset_chk'
[ "${1:-}" != --also ] || { allowed="$allowed|$2"; shift 2; }
bad=0
for archive in "$@"; do
    defined=$(nm --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
    for symbol in $(nm -u "$archive" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u); do
        printf '%s\n' "$symbol" | grep -qxE "$allowed" && continue
        printf '%s\n' "$defined" | grep -qx "$symbol" && continue
        echo "$archive: needs $symbol: it decides, it does not do" >&2
        bad=1
    done
    [ -n "$defined" ] || { echo "$archive: no symbols: nothing was checked" >&2; bad=1; }
done
exit $bad
