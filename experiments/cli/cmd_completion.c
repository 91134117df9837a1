/* SPDX-License-Identifier: Apache-2.0 */
/* drover completion - a script for the shell. It asks drover itself for commands, options, recipes
 * and experiments, so it is never out of date. */
#include <stdio.h>
#include <string.h>

#include "experiments/cli/cli.h"

static const char doc[] = "Print a script that lets bash complete drover's commands, options, "
                          "recipes and experiments.\v"
                          "Example:\n"
                          "  eval \"$(drover completion bash)\"       # for this shell\n"
                          "  drover completion bash > ~/.local/share/bash-completion/completions/"
                          "drover\n\n"
                          "Exit status: 0 done, 2 wrong usage.";

static const char bash[] =
    "# Completion of drover for bash: eval \"$(drover completion bash)\"\n"
    "_drover() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local drover=${COMP_WORDS[0]} command=${COMP_WORDS[1]} store=results.db options i words=\n"
    "    COMPREPLY=()\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        COMPREPLY=($(compgen -W \"$(\"$drover\" --manual=commands 2>/dev/null)\" -- "
    "\"$cur\"))\n"
    "        return\n"
    "    fi\n"
    "    options=$(\"$drover\" \"$command\" --manual=options 2>/dev/null)\n"
    "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in --store | -s) store=${COMP_WORDS[i+1]} ;; esac\n"
    "        [ \"${COMP_WORDS[i]}\" = = ] && [ \"${COMP_WORDS[i-1]}\" = --store ] && "
    "store=${COMP_WORDS[i+1]}\n"
    "    done\n"
    "    if [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
    "    if [ \"$cur\" = = ]; then cur=; fi\n"
    "    case $prev in\n"
    "    -s | -o) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
    "    -f | --format) words='terminal markdown csv latex json sqlite jsonl' ;;\n"
    "    --*)\n"
    "        case $'\\n'$options$'\\n' in\n"
    "        *$'\\n'\"$prev\"=FILE$'\\n'* | *$'\\n'\"$prev\"=PATH$'\\n'* | "
    "*$'\\n'\"$prev\"=DIR$'\\n'*)\n"
    "            COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
    "        *$'\\n'\"$prev\"=*) return ;;\n"
    "        esac ;;\n"
    "    esac\n"
    "    if [ -z \"$words\" ]; then\n"
    "        case $cur in\n"
    "        -*) words=$(printf '%s\\n' \"$options\" | sed 's/=.*//') ;;\n"
    "        *)\n"
    "            case $command in\n"
    "            help) words=$(\"$drover\" --manual=commands 2>/dev/null) ;;\n"
    "            completion) words=bash ;;\n"
    "            launch) words='slurm ssh local' ;;\n"
    "            scale | down | top | workers | connect | key | audit | worker | coordinator | "
    "dashboard) ;;\n"
    "            run | plan | submit) words=$(\"$drover\" --manual=recipes 2>/dev/null) ;;\n"
    "            tasks) words=$(\"$drover\" tasks --json 2>/dev/null | "
    "sed -n 's/^{\"task\":\"\\([^\"]*\\).*/\\1/p') ;;\n"
    "            *) words=$(\"$drover\" query --csv 'select name from experiment' --store "
    "\"$store\" "
    "2>/dev/null | tail -n +2) ;;\n"
    "            esac\n"
    "            case $command in\n" /* those that take no file */
    "            help | completion | tasks | status | runs | show | diff | logs | pause | resume | "
    "priority | retry | why | cancel | export | gc | pin | replay | verify | labels) ;;\n"
    "            *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "            esac ;;\n"
    "        esac\n"
    "    fi\n"
    "    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "}\n"
    "complete -o filenames -F _drover drover\n";

struct arguments {
    const char *shell;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (a->shell || strcmp(arg, "bash") != 0)
            argp_error(state, "only bash is known, not \"%s\"", arg);
        a->shell = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->shell)
            argp_error(state, "which shell? e.g. drover completion bash");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp argp_completion = { NULL, parse, "bash", doc, NULL, NULL, NULL };

int cmd_completion(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .shell = NULL };

    (void)env;
    argp_parse(&argp_completion, argc, argv, 0, NULL, &a);
    fputs(bash, stdout);
    return CLI_DONE;
}
