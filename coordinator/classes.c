/* SPDX-License-Identifier: Apache-2.0 */
/* classes.c - numeric classes as bits of the core's masks. */
#include <string.h>

#include "common/base/mem.h"
#include "coordinator/shell.h"

int shell_class(struct server *s, const char *name)
{
    for (int i = 0; i < SCHED_CLASSES; i++) {
        if (!s->classes[i])
            s->classes[i] = mem_strdup(name);
        if (strcmp(s->classes[i], name) == 0)
            return i;
    }
    return -1;
}
