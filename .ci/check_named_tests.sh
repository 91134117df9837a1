#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_named_tests.sh [--self-test]: docs/operations.md promises things and names the tests that show them. Each must be there: `0003` a script
# of tests/system, `test_x` or `test_x: name_of_a_case` a unit test, `sim: x` a scenario of the simulator. Every row of the table names one at least.
set -eu
cd "$(dirname "$0")/.."

# check FILE: prints what is wrong.
check() {
    awk '/^\| failure \|/ { table = 1; next } table && !/^\|/ { table = 0 } table && !/^\|[- |]*$/ { rows++; n = split($0, cell, "|"); print cell[n - 1] "\t" cell[2] }
        END { if (rows < 10) print "\t" "the table of failures has " rows + 0 " rows" }' "$1" |
        while IFS='	' read -r tests failure; do
            names=$(printf '%s\n' "$tests" | grep -o '`[^`]*`' | tr -d '`' || true)
            [ -n "$names" ] || printf '%s: no test is named\n' "$failure"
            printf '%s\n' "$names" | while read -r name; do
                case $name in
                '') ;;
                [0-9][0-9][0-9][0-9]) ls tests/system/"$name"-*.sh >/dev/null 2>&1 || printf '%s: tests/system has no %s\n' "$failure" "$name" ;;
                sim:*) [ -e "tests/sim/scenarios/${name#sim: }" ] || ls "tests/sim/scenarios/${name#sim: }".* >/dev/null 2>&1 || printf '%s: no scenario %s\n' "$failure" "${name#sim: }" ;;
                test_*)
                    file=$(ls tests/unit/*/"${name%%:*}".c 2>/dev/null || true)
                    [ -n "$file" ] || { printf '%s: no unit test %s\n' "$failure" "${name%%:*}"; continue; }
                    # shellcheck disable=SC2086
                    [ "$name" = "${name%%:*}" ] || grep -q "${name#*: }(void" $file || printf '%s: %s has no case %s\n' "$failure" "${name%%:*}" "${name#*: }"
                    ;;
                *) printf '%s: "%s" is no name of a test\n' "$failure" "$name" ;;
                esac
            done
        done
}

if [ "${1:-}" = --self-test ]; then
    page=$(mktemp)
    trap 'rm -f "$page"' EXIT
    planted() {
        { printf '| failure | test |\n|---|---|\n'; for i in 1 2 3 4 5 6 7 8 9 10; do printf '| row %s | `0003` |\n' $i; done; printf '%s\n' "$1"; } >"$page"
        found=$(check "$page")
        [ -n "$found" ] || { echo "self-test: not found: $1"; exit 1; }
    }
    planted '| a | `9999` |'
    planted '| a | none |'
    planted '| a | `test_nobody` |'
    planted '| a | `test_open: no_such_case` |'
    planted '| a | `sim: nothing` |'
    planted '| a | `whatever` |'
    { printf '| failure | test |\n|---|---|\n'; for i in 1 2 3 4 5 6 7 8 9 10; do printf '| row %s | `0003`, `test_open` |\n' $i; done; } >"$page"
    [ -z "$(check "$page")" ] || { echo "self-test: falsely found: $(check "$page")"; exit 1; }
    printf '| failure | test |\n|---|---|\n| one | `0003` |\n' >"$page"
    [ -n "$(check "$page")" ] || { echo "self-test: a table that is too short is not found"; exit 1; }
    exit 0
fi
wrong=$(check docs/operations.md)
[ -z "$wrong" ] || { printf 'docs/operations.md: %s\n' "$wrong" >&2; exit 1; }
