#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutants.sh SEEDS PROCESSES PROGRAM... - the test of the test: every planted bug must be caught within SEEDS seeds.
# One line per mutant, sorted by name: the first seed that catches it, and how.
seeds=$1 processes=$2
shift 2
[ "$processes" -gt 0 ] || processes=$(nproc)

# try PROGRAM: its line
if [ $# -eq 2 ] && [ "$1" = --one ]; then
    program=$2
    name=${program##*/sim-mutant-}
    report=$({ ulimit -c 0; timeout 1500 "$program" --seeds "$seeds"; } 2>&1)
    code=$?
    if [ $code -ne 1 ]; then
        echo "SURVIVED $name ($code)"
    else
        printf '%s\n' "$report" | sed -n "s/^seed \([0-9]*\)\( at [0-9]* ms\)*: \(.*\)/caught $name|\1|\3/p" | tail -n 1 |
            awk -F'|' '{ printf "%-50s seed %5d: %s\n", $1, $2, $3 }'
    fi
    exit 0
fi
lines=$(printf '%s\n' "$@" | xargs -P "$processes" -n 1 "$0" "$seeds" 1 --one | sort)
printf '%s\n' "$lines"
caught=$(printf '%s\n' "$lines" | grep -c '^caught')
echo "$caught of $# mutants caught within $seeds seeds"
[ $# -ge 20 ] && [ "$caught" -eq $# ]
