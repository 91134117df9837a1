/* SPDX-License-Identifier: Apache-2.0 */
/* manual.h - a command's argp table as a man page and as a list for completion: one text serves
 * --help, the manual and the shell. Pure: appends to a buffer. */
#ifndef COMMON_BASE_MANUAL_H
#define COMMON_BASE_MANUAL_H

#include <argp.h>
#include <stdbool.h>

#include "common/base/buf.h"

struct manual {
    const char *name;    /* "drover run": blanks become dashes in the title */
    const char *summary; /* one line, lower case, without full stop */
    const char *version; /* "0.1.0" */
    const char *see;     /* other pages, "drover(1), drover-plan(1)"; may be NULL */
    const struct argp *argp;
};

/* man(7) source. The argp's doc becomes DESCRIPTION; behind its \v, paragraphs that begin with
 * "Example" become EXAMPLES, "Exit status" and "Exit codes" EXIT STATUS, others NOTES; lines that
 * begin with two blanks stay as they are. Hidden options are left out. */
void manual_man(const struct manual *m, struct buf *out);
/* Plain text for completion, a line per option: "--store=FILE", "--json". */
void manual_options(const struct argp *argp, struct buf *out);

/* For main(): is the only argument --manual=man or --manual=options? Then it was printed. */
bool manual_asked(int argc, char **argv, const struct manual *m);

#endif
