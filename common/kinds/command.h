/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - the command line of an exec job: what its texts may say. The planner checks recipes
 * with it, the worker expands what it runs.
 *
 * In an argument, {NAME} stands for a value, and {{ and }} for braces. A value stays inside its
 * argument, whatever is in it: there is no shell. Names: model, seed, input.NAME, output.NAME, and
 * the parameters' own. */
#ifndef COMMON_KINDS_COMMAND_H
#define COMMON_KINDS_COMMAND_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/kinds/kinds.h"

enum {
    COMMAND_OUTPUTS_MAX = 8,
    COMMAND_INPUTS_MAX = 12, /* with the model; a lease has 16 */
    COMMAND_NAME_MAX = 32,   /* with the NUL: of inputs, outputs and parameters */
    COMMAND_VALUE_MAX = 4096 /* bytes of a parameter */
};

struct command_output {
    char name[COMMAND_NAME_MAX];
    bool folder; /* was written "NAME/" */
};

struct command_parameter {
    char name[COMMAND_NAME_MAX];
    const char *value; /* in the text */
};

/* Letters, digits and _, beginning with a letter, shorter than COMMAND_NAME_MAX. */
bool command_name_good(const char *name);
/* TEXT as a declared output ("model/", "scores.json": letters, digits, _ - and inner dots), as a
 * parameter ("lr=0.1"). False: it is none. */
bool command_output_parse(const char *text, struct command_output *ret);
bool command_parameter_parse(const char *text, struct command_parameter *ret);

/* The value of NAME, or NULL: there is none. */
typedef const char *(*command_value_fn)(void *arg, const char *name);
/* TEXT with its values, appended to OUT. ERR_INVALID: a name without a value, a lone brace. */
int command_expand(const char *text, command_value_fn value, void *arg, struct buf *out,
                   struct err *err) MUST_CHECK;

/* All of an exec job's parameters P, beyond kind_check(). INPUTS: names without "input.", ended by
 * NULL. Messages begin with the parameter's name and a colon. ERR_INVALID. */
int command_check(const struct params *p, const char *const *inputs, bool has_model,
                  struct err *err) MUST_CHECK;

#endif
