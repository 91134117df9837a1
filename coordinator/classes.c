/* SPDX-License-Identifier: Apache-2.0 */
/* classes.c - numeric classes and labels as bits of the core's masks. */
#include <string.h>

#include "common/base/mem.h"
#include "coordinator/shell.h"

/* Number of NAME in LIST, a new one if need be; -1 when there are MAX others.
 */
static int number(char **list, int max, const char *name)
{
    for (int i = 0; i < max; i++) {
        if (!list[i])
            list[i] = mem_strdup(name);
        if (strcmp(list[i], name) == 0)
            return i;
    }
    return -1;
}

int shell_class(struct server *s, const char *name)
{
    return number(s->classes, SCHED_CLASSES, name);
}

int shell_label(struct server *s, const char *name)
{
    return number(s->labels, SCHED_LABELS, name);
}
