#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutants.sh SEEDS PROGRAM... - the test of the test: every planted bug must be caught within SEEDS seeds.
seeds=$1
shift
survivors=0
for program in "$@"; do
    name=${program##*/sim-mutant-}
    report=$({ ulimit -c 0; timeout 60 "$program" --seeds "$seeds"; } 2>&1)
    code=$?
    if [ $code -eq 0 ] || [ $code -eq 124 ] || [ $code -eq 126 ] || [ $code -eq 127 ]; then
        echo "SURVIVED $name ($code)"
        survivors=$((survivors + 1))
    else
        echo "caught   $name: $(printf '%s\n' "$report" | grep -E 'seed [0-9]+ at|Assertion' | tail -n 1)"
    fi
done
[ $# -ge 6 ] && [ $survivors -eq 0 ]
