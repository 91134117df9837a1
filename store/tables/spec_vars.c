/* SPDX-License-Identifier: Apache-2.0 */
/* spec_vars.c - ${vars.NAME} in specifications of tables (spec_private.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/tables/spec_private.h"

#define OPEN "${vars."

int spec_variable(const struct conf_value *v, const char *name, const struct conf_value **ret,
                  struct err *err)
{
    const struct conf_value *vars, *up;
    const char *names[256], *near;
    size_t n = 0;

    while ((up = conf_parent(v)) != NULL)
        v = up;
    vars = conf_get(v, "vars");
    *ret = vars ? conf_get(vars, name) : NULL;
    if (*ret)
        return 0;
    for (; vars && n < conf_len(vars) && n + 1 < ARRAY_LEN(names); n++)
        names[n] = conf_name(conf_at(vars, n));
    names[n] = NULL;
    near = nearest_find(name, names);
    return near
               ? err_set(err, ERR_INVALID, "there is no vars.%s; did you mean vars.%s?", name, near)
               : err_set(err, ERR_INVALID, "there is no vars.%s", name);
}

int spec_fill_in(const struct conf_value *v, const char *text, struct buf *out, struct err *err)
{
    const char *open;

    for (; (open = strstr(text, OPEN)) != NULL; text = strchr(open, '}') + 1) {
        const char *name = open + strlen(OPEN), *close = strchr(name, '}');
        CLEANUP(mem_cleanup) char *copy = NULL;
        const struct conf_value *x;
        char value[TABLE_WORD_MAX];
        int rc;

        if (!close)
            return err_set(err, ERR_INVALID, "a variable is written ${vars.NAME}");
        copy = mem_strdup(name);
        copy[close - name] = '\0';
        rc = spec_variable(v, copy, &x, err);
        rc = rc ? rc : spec_scalar(x, value, sizeof value, err);
        if (rc < 0)
            return rc;
        buf_add(out, text, (size_t)(open - text));
        buf_adds(out, value);
    }
    buf_adds(out, text);
    return 0;
}

/* ---- what the command line changed ---- */

/* Where the last lines of TEXT that begin with "# --set " begin. */
static const char *settings(const char *text)
{
    static const char begin[] = "# --set ";
    const char *end = text + strlen(text);

    for (const char *line = end; line > text; end = line) {
        for (line--; line > text && line[-1] != '\n';)
            line--;
        if (strncmp(line, begin, sizeof begin - 1) != 0)
            break;
    }
    return end;
}

static void replace(struct buf *text, const char *what, const char *by)
{
    struct buf out = { 0 };
    const char *at = buf_str(text), *found;

    for (; (found = strstr(at, what)) != NULL; at = found + strlen(what)) {
        buf_add(&out, at, (size_t)(found - at));
        buf_adds(&out, by);
    }
    buf_adds(&out, at);
    buf_release(text);
    *text = out;
}

void spec_override(struct buf *recipe)
{
    static const char begin[] = "# --set vars.";
    CLEANUP(mem_cleanup) char *lines = mem_strdup(settings(buf_str(recipe)));
    size_t len = strlen(lines);

    /* The last one of a name wins: from the end. */
    while (len > 0) {
        CLEANUP(buf_release) struct buf what = { 0 };
        char *line, *equals;

        lines[len] = '\0';
        if (lines[len - 1] == '\n')
            lines[--len] = '\0';
        line = strrchr(lines, '\n') ? strrchr(lines, '\n') + 1 : lines;
        len = (size_t)(line - lines);
        equals = strchr(line, '=');
        if (strncmp(line, begin, sizeof begin - 1) != 0 || !equals)
            continue;
        *equals = '\0';
        buf_printf(&what, OPEN "%s}", line + sizeof begin - 1);
        if (!strpbrk(equals + 1, "\"\\")) /* it stands in a text */
            replace(recipe, buf_str(&what), equals + 1);
    }
}
