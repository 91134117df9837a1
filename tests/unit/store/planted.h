/* SPDX-License-Identifier: Apache-2.0 */
/* planted.h - a writer that commits and is killed, with its log left behind, and looks at what is
 * beside a store: for the tests of what becomes of a damaged log. */
#ifndef TESTS_UNIT_STORE_PLANTED_H
#define TESTS_UNIT_STORE_PLANTED_H

#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/store/fixture.h"

/* COMMITS transactions of an event of 2 KiB each. */
static inline bool commit_events(struct store *s, int commits)
{
    char text[2048];
    struct err err;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < commits; i++)
        if (store_begin(s, &err) < 0 || store_event(s, "planted", 0, 0, text, &err) < 0 ||
            store_commit(s, &err) < 0)
            return false;
    return true;
}

/* WRITE has F's store in a process of its own, and is killed; the store is closed here. */
static inline void write_and_die(struct fixture *f, void (*write)(struct store *s, void *arg),
                                 void *arg)
{
    int status;

    store_close(f->s);
    f->s = NULL;
    pid_t child = fork();
    if (child == 0) {
        struct store *s;
        struct err err;
        if (store_open(&s, f->path, "", &err) < 0)
            _exit(1);
        write(s, arg);
        (void)raise(SIGKILL);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
}

/* The path of results.db-WHAT. */
static inline const char *beside(const struct fixture *f, const char *what, char out[128])
{
    snprintf(out, 128, "%s-%s", f->path, what);
    return out;
}

static inline int64_t events(const struct fixture *f)
{
    return number(f->path, "SELECT count(*) FROM event WHERE kind = 'planted'");
}

#endif
