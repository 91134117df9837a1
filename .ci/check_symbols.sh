#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_symbols.sh FOLDER: no two libraries below the build folder define the same global name: linked together, one would silently serve
# the other's callers. check_symbols.sh --self-test
set -eu

twice() { # lines "archive member name", sorted by nobody
    awk 'seen[$3] && seen[$3] != $1 " " $2 { print $3 ": " seen[$3] " and " $1 " " $2; bad = 1 } { seen[$3] = $1 " " $2 } END { exit bad }'
}
if [ "${1:-}" = --self-test ]; then
    printf 'a.a x.o f\nb.a y.o g\n' | twice || { echo "self-test: names that differ are refused"; exit 1; }
    ! printf 'a.a x.o f\nb.a y.o f\n' | twice >/dev/null || { echo "self-test: a name defined twice is not seen"; exit 1; }
    exit 0
fi
names=$(find "$1" -name 'lib*.a' ! -path '*/tests/*' | sort | while read -r archive; do
    nm -A --defined-only "$archive" 2>/dev/null
done | awk '$2 ~ /^[TDBRC]$/ { n = split($1, p, ":"); print p[1], p[2], $3 }')
[ "$(printf '%s\n' "$names" | wc -l)" -gt 500 ] || { echo "$1: too few names: nothing was checked" >&2; exit 1; }
printf '%s\n' "$names" | sed "s#$1/##" | twice
