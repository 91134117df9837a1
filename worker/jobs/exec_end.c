/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/exec_end.h"

#include <errno.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/kinds/kinds.h"

struct ended {
    const struct job *j;
    const char *program;
    const struct spawn_end *end;
    const struct exec_tail *tail;
};

/* "; its last words: ..." */
static void add_words(const struct ended *x, struct buf *text)
{
    char words[240];

    exec_tail_last(x->tail, words, sizeof(words));
    if (*words != '\0')
        buf_printf(text, "; its last words: %s", words);
}

static int not_started(const struct ended *x, struct err *err)
{
    static const char *const steps[SPAWN_STEPS] = { "a process for it could not be made",
                                                    "its working folder cannot be entered",
                                                    "it cannot be executed" };
    const int number = x->end->status;
    const char *name = strerrorname_np(number);
    const char *hint =
        number == ENOEXEC ? "; a script needs #! and its interpreter in the first line" : "";

    return err_set(err, ERR_INVALID, "the program \"%s\" did not start: %s: %s (%s)%s", x->program,
                   steps[x->end->step], strerror(number), name != NULL ? name : "?", hint);
}

static int name_memory(const struct ended *x, struct err *err)
{
    const double limit = kind_real(x->j->kind, &x->j->params, "memory_limit_mib");

    if (x->end->kernel)
        return err_set(err, ERR_NOMEM,
                       "\"%s\" was killed by the kernel, which was out of memory (at most %.0f MiB "
                       "were seen)",
                       x->program, (double)x->end->peak_bytes / 0x1p20);
    return err_set(err, ERR_NOMEM,
                   "\"%s\" and its processes used %.0f MiB of memory; memory_limit_mib = %g allows "
                   "less",
                   x->program, (double)x->end->peak_bytes / 0x1p20, limit);
}

static int name_exit(const struct ended *x, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    const int status = x->end->status;
    const char *signal = x->end->cause == SPAWN_SIGNALLED ? sigabbrev_np(status) : NULL;

    if (x->end->cause == SPAWN_EXITED)
        buf_printf(&text, "\"%s\" ended with exit code %d", x->program, status);
    else
        buf_printf(&text, "\"%s\" was killed by signal %d (SIG%s)", x->program, status,
                   signal != NULL ? signal : "?");
    add_words(x, &text);
    return err_set(err, ERR_INVALID, "%s", buf_str(&text));
}

int exec_end_name(const struct job *j, const char *program, const struct spawn_end *end,
                  const struct exec_tail *tail, struct err *err)
{
    const struct ended x = { .j = j, .program = program, .end = end, .tail = tail };

    switch (end->cause) {
    case SPAWN_EXITED:
        return end->status == 0 ? 0 : name_exit(&x, err);
    case SPAWN_SIGNALLED:
        return name_exit(&x, err);
    case SPAWN_NOT_STARTED:
        return not_started(&x, err);
    case SPAWN_MEMORY:
        return name_memory(&x, err);
    case SPAWN_TIME:
        return err_set(err, ERR_TIMEOUT, "\"%s\" ran longer than time_limit_s = %g", program,
                       kind_real(j->kind, &j->params, "time_limit_s"));
    case SPAWN_STOPPED:
        return err_set(err, ERR_CANCELLED, "stopped");
    case SPAWN_ABANDONED:
    case SPAWN_CAUSES:
        break;
    }
    return err_set(err, ERR_IO, "the helper that starts programs is gone; \"%s\" was killed",
                   program);
}
