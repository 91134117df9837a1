/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kinds/command.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/base/nearest.h"

bool command_name_good(const char *name)
{
    size_t len = 0;

    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (; name[len] != '\0'; len++)
        if (!isalnum((unsigned char)name[len]) && name[len] != '_')
            return false;
    return len < COMMAND_NAME_MAX;
}

bool command_output_parse(const char *text, struct command_output *ret)
{
    size_t len = strlen(text);

    *ret = (struct command_output){ .folder = len > 0 && text[len - 1] == '/' };
    len -= ret->folder;
    if (len == 0 || len >= COMMAND_NAME_MAX || text[0] == '.' || text[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("_-.", text[i]) == NULL)
            return false;
    memcpy(ret->name, text, len);
    return true;
}

bool command_parameter_parse(const char *text, struct command_parameter *ret)
{
    const char *sign = strchr(text, '=');

    *ret = (struct command_parameter){ 0 };
    if (sign == NULL || sign - text >= COMMAND_NAME_MAX || strlen(sign + 1) > COMMAND_VALUE_MAX)
        return false;
    memcpy(ret->name, text, (size_t)(sign - text));
    ret->value = sign + 1;
    return command_name_good(ret->name);
}

/* The name between braces at AT, behind the first; its length, 0 when it does not end. */
static size_t name_len(const char *at)
{
    size_t len = 0;

    while (isalnum((unsigned char)at[len]) || (at[len] != '\0' && strchr("_.-", at[len]) != NULL))
        len++;
    return at[len] == '}' ? len : 0;
}

int command_expand(const char *text, command_value_fn value, void *arg, struct buf *out,
                   struct err *err)
{
    char name[COMMAND_NAME_MAX + 16];

    for (const char *at = text; *at != '\0';) {
        if ((at[0] == '{' && at[1] == '{') || (at[0] == '}' && at[1] == '}')) {
            buf_addc(out, at[0]);
            at += 2;
            continue;
        }
        if (at[0] != '{' && at[0] != '}') {
            buf_addc(out, *at++);
            continue;
        }
        const size_t len = at[0] == '{' ? name_len(at + 1) : 0;
        if (len == 0 || len >= sizeof(name))
            return err_set(err, ERR_INVALID,
                           "\"%.100s\" has a brace that is no {NAME}; a brace itself is written "
                           "twice: {{ or }}",
                           text);
        memcpy(name, at + 1, len);
        name[len] = '\0';
        const char *v = value(arg, name);
        if (v == NULL)
            return err_set(err, ERR_INVALID, "\"%.100s\": there is no {%s}", text, name);
        buf_adds(out, v);
        at += len + 2;
    }
    return 0;
}

/* ---- the check ---- */

enum { NAMES_MAX = PARAM_LIST_MAX + COMMAND_OUTPUTS_MAX + COMMAND_INPUTS_MAX + 4 };

struct names {
    char text[NAMES_MAX][COMMAND_NAME_MAX + 8];
    const char *list[NAMES_MAX + 1]; /* ended by NULL */
    size_t len;
    bool model; /* an argument names it */
};

/* False: it is there already. */
static bool add_name(struct names *n, const char *prefix, const char *name)
{
    char *to = n->text[n->len];

    (void)snprintf(to, sizeof(n->text[0]), "%s%s", prefix, name);
    for (size_t i = 0; i < n->len; i++)
        if (strcasecmp(n->list[i], to) == 0) /* variables are in capitals */
            return false;
    n->list[n->len++] = to;
    n->list[n->len] = NULL;
    return true;
}

static const char *known(void *arg, const char *name)
{
    struct names *n = arg;

    n->model |= strcmp(name, "model") == 0;
    for (size_t i = 0; i < n->len; i++)
        if (strcmp(n->list[i], name) == 0)
            return "x";
    return NULL;
}

static int check_parameters(const struct params *p, struct names *n, struct err *err)
{
    const struct param_value *v = params_get(p, "parameters");

    for (size_t i = 0; v != NULL && i < v->len; i++) {
        struct command_parameter one;
        if (!command_parameter_parse(v->texts[i], &one))
            return err_set(err, ERR_INVALID,
                           "parameters: \"%.100s\" is not NAME=VALUE with a name of letters, "
                           "digits and _ (at most %d) and a value of at most %d bytes",
                           v->texts[i], COMMAND_NAME_MAX - 1, COMMAND_VALUE_MAX);
        if (!add_name(n, "", one.name))
            return err_set(err, ERR_INVALID,
                           "parameters: %s is there twice (or is model or seed, which drover "
                           "gives); case does not count",
                           one.name);
    }
    return 0;
}

/* Do two outputs have one variable DROVER_OUTPUT_NAME? */
static bool same_variable(const char *a, const char *b)
{
    size_t i = 0;

    for (; a[i] != '\0' && a[i] != '/' && b[i] != '\0' && b[i] != '/'; i++) {
        const int x = isalnum((unsigned char)a[i]) ? toupper((unsigned char)a[i]) : '_';
        const int y = isalnum((unsigned char)b[i]) ? toupper((unsigned char)b[i]) : '_';
        if (x != y)
            return false;
    }
    return (a[i] == '\0' || a[i] == '/') && (b[i] == '\0' || b[i] == '/');
}

static int check_outputs(const struct params *p, struct names *n, struct err *err)
{
    const struct param_value *v = params_get(p, "outputs");

    if (v != NULL && v->len > COMMAND_OUTPUTS_MAX)
        return err_set(err, ERR_INVALID, "outputs: at most %d, here are %zu", COMMAND_OUTPUTS_MAX,
                       v->len);
    for (size_t i = 0; v != NULL && i < v->len; i++) {
        struct command_output one;
        if (!command_output_parse(v->texts[i], &one))
            return err_set(err, ERR_INVALID,
                           "outputs: \"%.100s\": a plain name of letters, digits, _ - and dots (at "
                           "most %d) is needed, with / behind a folder's",
                           v->texts[i], COMMAND_NAME_MAX - 1);
        for (size_t k = 0; k < i; k++)
            if (same_variable(v->texts[k], v->texts[i]))
                return err_set(err, ERR_INVALID,
                               "outputs: %s is there twice (%s before; its variable has capitals, "
                               "and _ for . and -)",
                               one.name, v->texts[k]);
        (void)add_name(n, "output.", one.name);
    }
    return 0;
}

static int check_program(const char *program, struct err *err)
{
    if (*program == '\0')
        return err_set(err, ERR_INVALID, "command: the program's name is empty");
    if (strpbrk(program, "{}") != NULL)
        return err_set(err, ERR_INVALID,
                       "command: the program itself, \"%.100s\", may not be a {NAME}: workers have "
                       "a list of those that they allow",
                       program);
    if (program[0] != '/' && strchr(program, '/') != NULL)
        return err_set(err, ERR_INVALID,
                       "command: \"%.100s\" is a relative path; give the program's absolute path, "
                       "or its name alone, which workers look up in their PATH",
                       program);
    return 0;
}

int command_check(const struct params *p, const char *const *inputs, bool has_model,
                  struct err *err)
{
    const struct param_value *command = params_get(p, "command");
    static _Thread_local struct names names;
    struct err why = { 0 };

    names.len = 0;
    names.model = false;
    if (command == NULL || command->len == 0)
        return err_set(err, ERR_INVALID, "command: names no program");
    int rc = check_program(command->texts[0], err);
    (void)add_name(&names, "", "seed");
    (void)add_name(&names, "", "model"); /* reserved, also where there is none */
    for (size_t i = 0; inputs[i] != NULL; i++)
        (void)add_name(&names, "input.", inputs[i]);
    rc = rc ? rc : check_parameters(p, &names, err);
    rc = rc ? rc : check_outputs(p, &names, err);
    for (size_t i = 1; rc == 0 && i < command->len; i++) {
        struct buf out CLEANUP(buf_release) = { 0 };
        rc = command_expand(command->texts[i], known, &names, &out, &why);
        if (rc == 0 && !has_model && names.model)
            rc = err_set(&why, ERR_INVALID, "\"%.100s\": the step names no model",
                         command->texts[i]);
        if (rc == 0)
            continue;
        const char *at = strstr(why.text, "there is no {");
        char name[64];
        const bool cut = at != NULL && sscanf(at + 13, "%63[^}]", name) == 1;
        const char *near = cut ? nearest_find(name, names.list) : NULL;
        return near ? err_set(err, ERR_INVALID, "command: %s; did you mean {%s}?", why.text, near)
                    : err_set(err, ERR_INVALID, "command: %s", why.text);
    }
    return rc;
}
