/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the table of subcommands: what main() runs, what help lists, what manual pages and
 * completion are made from. */
#ifndef EXPERIMENTS_CLI_COMMANDS_H
#define EXPERIMENTS_CLI_COMMANDS_H

#include "common/base/buf.h"
#include "experiments/cli/cli.h"

struct command {
    const char *name;    /* NULL ends the table */
    const char *group;   /* heading in the list; rows of a group stand together */
    command_fn run;      /* NULL: exec PROGRAM beside this one */
    const char *program; /* NULL: a function of this program */
    const struct argp *argp;
    const char *help; /* one line, lower case */
};
extern const struct command commands[];

const struct command *command_find(const char *name); /* NULL: unknown */
/* `drover help`: usage, commands by group, first steps. */
void commands_help(struct buf *out);
/* drover(1) as man(7) source. */
void commands_man(struct buf *out);
/* For completion, a word per line: the commands' names; with RECIPES those of embedded recipes. */
void commands_words(bool recipes, struct buf *out);

#endif
