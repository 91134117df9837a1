/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - what the store's tests share: a scratch folder with a store in it, and a way to
 * look into it. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

/* 0 or the error's text on the way out. */
#define OK(CALL)                                                                                   \
    do {                                                                                           \
        struct err err_ = { 0 };                                                                   \
        struct err *err = &err_;                                                                   \
        int rc_ = (CALL);                                                                          \
        if (rc_ != 0)                                                                              \
            fail_msg("%s: %s: %s", #CALL, err_name(rc_), err_.text);                               \
    } while (0)

/* The call fails with CODE and its text holds PART. */
#define FAILS(CODE, PART, CALL)                                                                    \
    do {                                                                                           \
        struct err err_ = { 0 };                                                                   \
        struct err *err = &err_;                                                                   \
        int rc_ = (CALL);                                                                          \
        if (rc_ != (CODE) || !strstr(err_.text, PART))                                             \
            fail_msg("%s: got %s: %s", #CALL, err_name(rc_), err_.text);                           \
    } while (0)

struct fixture {
    char dir[64], path[96];
    struct store *s;
};

static inline void remove_tree(const char *path)
{
    struct stat st;
    DIR *dir;

    if (lstat(path, &st) < 0)
        return;
    if (S_ISDIR(st.st_mode)) {
        (void)!chmod(path, 0755);
        dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            struct buf below = { 0 };

            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            buf_printf(&below, "%s/%s", path, e->d_name);
            remove_tree(buf_str(&below));
            buf_release(&below);
        }
        if (dir)
            closedir(dir);
        rmdir(path);
    } else {
        unlink(path);
    }
}

static inline void scratch(struct fixture *f)
{
    *f = (struct fixture){ .dir = "/tmp/drover-store-XXXXXX" };
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/results.db", f->dir);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    scratch(f);
    OK(store_open(&f->s, f->path, "tcp://127.0.0.1:1", err));
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->s);
    remove_tree(f->dir);
    free(f);
    return 0;
}

static inline struct digest key_of(const char *name)
{
    return digest_of(name, strlen(name));
}

/* Number in the first column of SQL's first row, by a reading connection. */
static inline int take_number(const char *const *names, const struct store_value *v, size_t columns,
                              void *arg)
{
    (void)names;
    if (v && columns > 0)
        *(int64_t *)arg = v[0].type == STORE_INTEGER ? v[0].i : (int64_t)v[0].r;
    return 0;
}

static inline int64_t number(const char *path, const char *sql)
{
    struct store *r;
    int64_t n = -1;

    OK(store_open_read(&r, path, err));
    OK(store_query(r, sql, NULL, take_number, &n, err));
    store_close(r);
    return n;
}

static inline int take_text(const char *const *names, const struct store_value *v, size_t columns,
                            void *arg)
{
    (void)names;
    if (v && columns > 0)
        snprintf(arg, 512, "%s", v[0].text);
    return 0;
}

/* Text in the first column of SQL's last row, in OUT (512 bytes). */
static inline const char *text_of(const char *path, const char *sql, char out[512])
{
    struct store *r;

    out[0] = '\0';
    OK(store_open_read(&r, path, err));
    OK(store_query(r, sql, NULL, take_text, out, err));
    store_close(r);
    return out;
}

#endif
