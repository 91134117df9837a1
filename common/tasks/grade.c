/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "common/tasks/task.h"

bool task_grade_answer(const struct task_spec *t, const struct example *e, const char *continuation)
{
    static const char blanks[] = " \t\r\n";
    size_t len;

    assert(t->form == TASK_ANSWER);
    continuation += strspn(continuation, blanks);
    len = strlen(continuation);
    while (len > 0 && strchr(blanks, continuation[len - 1]))
        len--;
    return len == strlen(e->gold) && memcmp(continuation, e->gold, len) == 0;
}

size_t task_pick(const double *logprob, size_t choices_len)
{
    size_t best = 0;

    assert(choices_len > 0);
    for (size_t i = 1; i < choices_len; i++)
        if (logprob[i] > logprob[best])
            best = i;
    return best;
}

/* Unicode characters: bytes that do not continue one. */
static size_t characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

size_t task_pick_norm(const struct example *e, const double *logprob)
{
    double mean[TASK_CHOICES_MAX];

    for (size_t i = 0; i < e->choices_len; i++) {
        size_t n = characters(e->choice[i]);
        mean[i] = logprob[i] / (double)(n ? n : 1);
    }
    return task_pick(mean, e->choices_len);
}
