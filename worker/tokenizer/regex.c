/* SPDX-License-Identifier: Apache-2.0 */
/* regex.c - the patterns of pre-tokenizers, by PCRE2.
 *
 * They are written for Oniguruma (or Rust's regex): \s is Unicode's White_Space there, which holds
 * U+0085 but not U+180E as PCRE2's does, so \s and \S are written out. ^ and $ work per line, and
 * a dot stops at a line feed only. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

#define WHITE                                                                                      \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"    \
    "\\x{205f}\\x{3000}"

enum {
    PATTERN_MAX = 1 << 14,
    MATCH_LIMIT = 50 * 1000 * 1000, /* steps for one match; a run of white space takes its length */
    HEAP_KIB = 256 << 10,
};

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

struct regex_scratch {
    pcre2_match_data *data;
};

/* PATTERN with \s and \S written out. */
static int rewrite(const char *pattern, struct buf *out, struct err *err)
{
    bool in_class = false;

    for (size_t i = 0; pattern[i]; i++) {
        if (pattern[i] == '\\' && pattern[i + 1]) {
            i++;
            if (pattern[i] == 's')
                buf_adds(out, in_class ? WHITE : "[" WHITE "]");
            else if (pattern[i] == 'S' && in_class)
                return err_set(err, ERR_INVALID,
                               "pattern '%.80s': \\S inside a class (at %zu) is not supported",
                               pattern, i - 1);
            else if (pattern[i] == 'S')
                buf_adds(out, "[^" WHITE "]");
            else
                buf_add(out, pattern + i - 1, 2);
            continue;
        }
        buf_addc(out, pattern[i]);
        if (in_class)
            in_class = pattern[i] != ']';
        else if (pattern[i] == '[') {
            in_class = true;
            if (pattern[i + 1] == '^')
                buf_addc(out, pattern[++i]);
            if (pattern[i + 1] == ']')
                buf_addc(out, pattern[++i]);
        }
    }
    return 0;
}

static void compile_context_free(pcre2_compile_context **c)
{
    pcre2_compile_context_free(*c);
}

int regex_new(struct regex **ret, const char *pattern, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    CLEANUP(compile_context_free)
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    struct regex *r;
    PCRE2_SIZE where;
    PCRE2_UCHAR why[128];
    int number, rc;

    if (strlen(pattern) > PATTERN_MAX)
        return err_set(err, ERR_LIMIT, "a pattern of %zu bytes, at most %d", strlen(pattern),
                       PATTERN_MAX);
    rc = rewrite(pattern, &text, err);
    if (rc)
        return rc;
    if (!context)
        return err_set(err, ERR_NOMEM, "out of memory for a pattern");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    r = mem_calloc(1, sizeof(*r));
    r->code = pcre2_compile((PCRE2_SPTR)buf_str(&text), text.len,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                            &number, &where, context);
    r->limits = pcre2_match_context_create(NULL);
    if (!r->code || !r->limits) {
        pcre2_get_error_message(number, why, sizeof(why));
        regex_free(r);
        return err_set(err, ERR_INVALID, "pattern '%.80s': %s (at %zu)", pattern, (const char *)why,
                       (size_t)where);
    }
    pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(r->limits, HEAP_KIB);
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it matching is slower */
    *ret = r;
    return 0;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    pcre2_match_context_free(r->limits);
    free(r);
}

struct regex_scratch *regex_scratch_new(void)
{
    struct regex_scratch *s = mem_calloc(1, sizeof(*s));

    s->data = pcre2_match_data_create(1, NULL);
    return s;
}

void regex_scratch_free(struct regex_scratch *s)
{
    if (!s)
        return;
    pcre2_match_data_free(s->data);
    free(s);
}

int regex_next(const struct regex *r, struct regex_scratch *s, const char *text, size_t len,
               size_t from, size_t *ret_begin, size_t *ret_end, struct err *err)
{
    PCRE2_SIZE *found;
    PCRE2_UCHAR why[128];
    int rc;

    if (!s->data)
        return err_set(err, ERR_NOMEM, "out of memory for splitting a text");
    rc = pcre2_match(r->code, (PCRE2_SPTR)text, len, from, PCRE2_NO_UTF_CHECK, s->data, r->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(r->code, (PCRE2_SPTR)text, len, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                         s->data, r->limits);
    *ret_begin = *ret_end = len;
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        pcre2_get_error_message(rc, why, sizeof(why));
        return err_set(err, ERR_LIMIT, "splitting the text at offset %zu: %s", from,
                       (const char *)why);
    }
    found = pcre2_get_ovector_pointer(s->data);
    *ret_begin = found[0]; /* \K can put it behind the end */
    *ret_end = MAX(found[0], found[1]);
    return 0;
}
