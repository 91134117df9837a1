/* SPDX-License-Identifier: Apache-2.0 */
/* The table is in four parts: adapters_math.c, adapters_choice.c, adapters_glue.c and
 * adapters_agieval.c. */
#include "common/tasks/adapters.h"

#include <string.h>

static const struct adapter *part_at(size_t part, size_t i)
{
    switch (part) {
    case 0:
        return adapters_choice(i);
    case 1:
        return adapters_math(i);
    case 2:
        return adapters_glue(i);
    case 3:
        return adapters_agieval(i);
    default:
        return NULL;
    }
}

const struct adapter *adapter_at(size_t i)
{
    for (size_t part = 0; part < 4; part++) {
        size_t n = 0;
        for (const struct adapter *a; (a = part_at(part, n)); n++)
            if (n == i)
                return a;
        i -= n;
    }
    return NULL;
}

const struct adapter *adapter_find(const char *name)
{
    const struct adapter *a;

    for (size_t i = 0; (a = adapter_at(i)); i++)
        if (strcmp(a->spec.name, name) == 0)
            return a;
    return NULL;
}

/* Members of a group that have no reader. */
static const char *unread_member(const char *group, size_t i)
{
    return strcmp(group, "superglue") == 0 && i == 0 ? "record" : NULL;
}

static bool is_among(const char *name, const char *const *task, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strcmp(task[i], name) == 0)
            return true;
    return false;
}

size_t task_group_lacks(const char *group, const char *const *task, size_t len, struct buf *out,
                        size_t *ret_members)
{
    size_t members = 0, lacks = 0;
    const struct adapter *a;
    const char *name;

    for (size_t i = 0; (a = adapter_at(i)); i++) {
        if (strcmp(a->spec.group, group) != 0)
            continue;
        members++;
        if (!is_among(a->spec.name, task, len))
            buf_printf(out, "%s%s", lacks++ ? ", " : "", a->spec.name);
    }
    for (size_t i = 0; (name = unread_member(group, i)); i++) {
        members++;
        buf_printf(out, "%s%s", lacks++ ? ", " : "", name);
    }
    if (ret_members)
        *ret_members = members;
    return lacks;
}
