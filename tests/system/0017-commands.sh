# SPDX-License-Identifier: Apache-2.0
# Goal: every command teaches: --help with an example and the exit codes, a manual page made from the same text, completion;
# wrong usage is 2, failure is 1. Method: the list of commands is asked from drover itself; the completion script runs in bash.
. "$(dirname "$0")/lib.sh"
cd "$TMP"

drover help >help.txt
drover --manual=commands >commands.txt
[ "$(wc -l <commands.txt)" -ge 30 ] || fail "only $(wc -l <commands.txt) commands are listed"

while read -r command; do
    [ "$command" != help ] || continue
    grep -q "^  $command " help.txt || fail "help does not list $command"
    drover "$command" --help >text.txt || fail "$command --help fails"
    grep -q "^Usage: drover" text.txt || fail "$command --help has no usage"
    grep -qi "^ *example" text.txt || fail "$command --help shows no example"
    grep -qiE "exit (status|codes)" text.txt || fail "$command --help does not name its exit status"
    drover help "$command" | cmp -s - text.txt || fail "help $command is not $command --help"
    drover "$command" --manual=man >page.1 || fail "$command has no manual page"
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES "EXIT STATUS"; do
        grep -q "^\.SH $section\$" page.1 || fail "the page of $command has no section $section"
    done
    drover "$command" --manual=options >options.txt
    grep -q '^--help$' options.txt || fail "$command does not list its options"
    # Every option of the completion is one of the help's, and the other way round.
    sed -n 's/=.*//; /^--help$/!p' options.txt | while read -r option; do
        grep -q -- "$option" text.txt || fail "$command --help does not show $option"
    done
    rc=0
    drover "$command" --no-such-option >out.txt 2>err.txt || rc=$?
    [ "$rc" -eq 2 ] || fail "$command --no-such-option: exit code $rc, not 2"
    grep -q -- "--no-such-option" err.txt || fail "$command does not name the option that it does not know"
done <commands.txt
note "$(wc -l <commands.txt) commands: help, example, page, options, exit code 2"

# A command that is misspelt gets the nearest; nothing at all is wrong usage.
rc=0
drover statsu 2>err.txt || rc=$?
[ "$rc" -eq 2 ] && grep -q 'did you mean "status"' err.txt || fail "no remedy for a misspelt command"
rc=0
drover 2>/dev/null >&2 || rc=$?
[ "$rc" -eq 2 ] || fail "drover alone: exit code $rc"

# Commands that read a store which is not there fail with 1 and name it.
for command in status table query runs labels export gc verify; do
    case $command in
    query) set -- "select 1" ;;
    runs | verify) set -- nothing ;;
    export) set -- nothing -o out.db ;;
    *) set -- ;;
    esac
    rc=0
    drover "$command" "$@" --store absent.db >out.txt 2>err.txt || rc=$?
    [ "$rc" -eq 1 ] || fail "$command without a store: exit code $rc"
    grep -q absent.db err.txt || fail "$command does not name the store that is missing: $(cat err.txt)"
done

# Completion, in a shell as a person has it.
command -v bash >/dev/null || { note "no bash here"; exit 0; }
drover completion bash >completion.sh
cat >try.sh <<'EOT'
set -eu
drover() { "$BIN/drover" "$@"; }
. ./completion.sh
try() { # words...: the last is being written
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _drover
    printf '%s\n' "${COMPREPLY[@]}" | sort -u | tr '\n' ' '
}
[ "$(try drover sta)" = "status " ] || { echo "commands: $(try drover sta)"; exit 1; }
case $(try drover run qui) in *quickstart*) ;; *) echo "recipes: $(try drover run qui)"; exit 1 ;; esac
[ "$(try drover run --sto)" = "--store " ] || { echo "options: $(try drover run --sto)"; exit 1; }
[ "$(try drover worker --slo)" = "--slots " ] || { echo "daemons: $(try drover worker --slo)"; exit 1; }
case $(try drover run quickstart --store help.t) in *help.txt*) ;; *) echo "files"; exit 1 ;; esac
[ "$(try drover tasks arc_e)" = "arc_easy " ] || { echo "tasks: $(try drover tasks arc_e)"; exit 1; }
touch status.file # no command that takes an experiment offers files
[ "$(try drover status sta)" = " " ] || { echo "no files: $(try drover status sta)"; exit 1; }
[ "$(try drover help qu)" = "query " ] || { echo "help: $(try drover help qu)"; exit 1; }
EOT
PATH="$BIN:$PATH" bash try.sh || fail "completion"
note "completion in bash"
