/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/joblog.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

static _Thread_local struct buf kept;
static _Thread_local bool keeping;

/* Cut KEPT to its last LIMIT bytes, at the start of a line. */
static void cut(size_t limit)
{
    if (kept.len <= limit)
        return;
    const char *from = kept.data + kept.len - limit;
    const char *line = memchr(from, '\n', limit);
    from = line != NULL ? line + 1 : from;
    kept.len = (size_t)(kept.data + kept.len - from);
    memmove(kept.data, from, kept.len);
    kept.data[kept.len] = '\0';
}

static void sink(const char *line, void *arg)
{
    size_t len = strlen(line);
    const char *end = len > 0 && line[len - 1] == '\n' ? "" : "\n";

    (void)arg;
    (void)!fprintf(stderr, "%s%s", line, end); /* nobody to tell */
    if (!keeping)
        return;
    buf_adds(&kept, line);
    buf_adds(&kept, end);
    if (kept.len > 2 * (size_t)JOBLOG_BYTES)
        cut(JOBLOG_BYTES);
}

void joblog_add(const char *text)
{
    if (!keeping)
        return;
    buf_adds(&kept, text);
    if (kept.len > 2 * (size_t)JOBLOG_BYTES)
        cut(JOBLOG_BYTES);
}

void joblog_init(void)
{
    log_set_sink(sink, NULL);
}

void joblog_begin(void)
{
    buf_clear(&kept);
    keeping = true;
}

char *joblog_end(void)
{
    keeping = false;
    if (kept.len == 0)
        return NULL;
    cut(JOBLOG_BYTES);
    char *text = text_clean(buf_str(&kept));
    buf_release(&kept);
    return text;
}

char *text_clean(const char *s)
{
    char *copy = mem_strdup(s);
    for (char *p = copy; *p != '\0';) {
        size_t n = utf8_len(p);
        if (n == 0)
            *p = '?';
        p += n ? n : 1;
    }
    return copy;
}
