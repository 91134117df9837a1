/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - a scratch folder, files of the shared data, and short ways to encode and decode. */
#ifndef TESTS_UNIT_WORKER_TOKENIZER_FILES_H
#define TESTS_UNIT_WORKER_TOKENIZER_FILES_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer.h"

static char scratch[128];

static inline int make_scratch(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(scratch, sizeof(scratch), "%.80s/drover-tokenizer-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline int remove_scratch(void **state)
{
    (void)state;
    return nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* scratch/NAME; a few results stay valid at a time. */
static inline const char *at(const char *name)
{
    static char path[8][256];
    static unsigned next;
    char *p = path[next++ % 8];

    snprintf(p, sizeof(path[0]), "%s/%s", scratch, name);
    return p;
}

static inline void put(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static inline void get(const char *path, struct buf *out)
{
    struct err err = { 0 };

    buf_clear(out);
    if (buf_read_file(out, path, 1 << 26, &err))
        fail_msg("%s", err.text);
}

/* NAME in shared data/tokenizers; NULL when it is not there. A few results stay valid. */
static inline const char *shared(const char *name)
{
    static char path[8][4096];
    static unsigned next;
    const char *root = getenv("DROVER_SHARED");
    char *p = path[next++ % 8];

    snprintf(p, sizeof(path[0]), "%s/data/tokenizers/%s", root && *root ? root : "../shared", name);
    return access(p, R_OK) ? NULL : p;
}

#define NEED_SHARED(NAME)                                                                          \
    do {                                                                                           \
        if (!shared(NAME)) {                                                                       \
            print_message("SKIP-DATA tokenizers/%s\n", NAME);                                      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static inline void expect_error(int rc, const struct err *err, int code, const char *part,
                                const char *what)
{
    if (rc != code || !strstr(err->text, part))
        fail_msg("%s: expected %s with '%s', got %s: %s", what, err_name(code), part, err_name(rc),
                 err->text);
}

static inline struct tokenizer *open_ok(const char *path, size_t vocab, const char *pre)
{
    struct tokenizer *t = NULL;
    struct err err = { 0 };

    if (tokenizer_open(&t, path, vocab, pre, &err))
        fail_msg("%s", err.text);
    return t;
}

static inline void assert_ids_len(const struct tokenizer *t, const char *text, size_t text_len,
                                  unsigned flags, const uint32_t *want, size_t len)
{
    uint32_t *ids;
    struct err err = { 0 };
    size_t got;

    if (tokenizer_encode(t, text, text_len, flags, &ids, &got, &err))
        fail_msg("'%s': %s", text, err.text);
    for (size_t i = 0; i < MAX(got, len); i++)
        if (i >= got || i >= len || ids[i] != want[i])
            fail_msg("%s: '%.*s': id %zu is %d instead of %d", tokenizer_kind(t),
                     (int)MIN(text_len, (size_t)200), text, i, i < got ? (int)ids[i] : -1,
                     i < len ? (int)want[i] : -1);
    free(ids);
}

static inline void assert_ids(const struct tokenizer *t, const char *text, unsigned flags,
                              const uint32_t *want, size_t len)
{
    assert_ids_len(t, text, strlen(text), flags, want, len);
}

/* IDS decode to TEXT, at once and token by token with only whole characters on the way. */
static inline void assert_text_len(const struct tokenizer *t, const uint32_t *ids, size_t len,
                                   bool special, const char *text, size_t text_len)
{
    struct buf whole = { 0 }, step = { 0 };
    struct token_stream s = { 0 };

    tokenizer_decode(t, ids, len, special, &whole);
    for (size_t i = 0; i < len; i++) {
        token_stream_push(&s, t, ids[i], special, &step);
        assert_true(step.len + s.held_len <= whole.len);
        assert_true(!step.len || !memcmp(step.data, whole.data, step.len));
        /* what comes next starts no character's rest that could have waited */
        assert_true(s.held_len < 4);
    }
    token_stream_end(&s, &step);
    if (whole.len != text_len || (text_len && memcmp(whole.data, text, text_len)))
        fail_msg("%s: decoded '%s' instead of '%.*s'", tokenizer_kind(t), buf_str(&whole),
                 (int)text_len, text);
    assert_int_equal(step.len, whole.len);
    assert_true(!whole.len || !memcmp(step.data, whole.data, whole.len));
    buf_release(&whole);
    buf_release(&step);
}

static inline void assert_text(const struct tokenizer *t, const uint32_t *ids, size_t len,
                               const char *text)
{
    assert_text_len(t, ids, len, false, text, strlen(text));
}

/* decode(encode(TEXT)) is WANT. */
static inline void assert_round_trip(const struct tokenizer *t, const char *text, size_t len,
                                     const char *want, size_t want_len)
{
    uint32_t *ids;
    struct err err = { 0 };
    size_t ids_len;

    for (unsigned flags = 0; flags <= TOKENIZER_BOS; flags++) {
        if (tokenizer_encode(t, text, len, flags, &ids, &ids_len, &err))
            fail_msg("%s", err.text);
        assert_text_len(t, ids, ids_len, false, want, want_len);
        free(ids);
    }
}

#endif
