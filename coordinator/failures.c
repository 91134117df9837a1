/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/failures.h"

#include <string.h>

#include "common/base/macros.h"
#include "common/base/utf8.h"

/* As many whole characters of TEXT as OUT holds. */
static void copy(char *out, size_t size, const char *text)
{
    size_t len = 0, n;

    while (text[len] && (n = utf8_len(text + len)) > 0 && len + n < size)
        len += n;
    memcpy(out, text, len);
    out[len] = '\0';
}

void failures_add(struct failures *f, enum sched_cause cause, uint64_t at_ms, uint64_t job,
                  const char *worker, const char *text)
{
    struct failure *to = &f->v[f->next];

    f->next = (f->next + 1) % FAILURES_KEPT;
    f->len = MIN(f->len + 1, (size_t)FAILURES_KEPT);
    to->cause = cause;
    to->at_ms = at_ms;
    to->job = job;
    copy(to->worker, sizeof(to->worker), worker);
    copy(to->text, sizeof(to->text), text);
}

const struct failure *failures_at(const struct failures *f, size_t i)
{
    return i < f->len ? &f->v[(f->next + FAILURES_KEPT - 1 - i) % FAILURES_KEPT] : NULL;
}
