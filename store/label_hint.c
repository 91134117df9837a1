/* SPDX-License-Identifier: Apache-2.0 */
/* label_hint.c - what other searches know about a search's examples (work.h): outcomes of the same
 * evaluation are the same, whoever asked for them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "store/hint.h"
#include "store/store_private.h"

/* A path of one example; texts are places in the words. */
struct path {
    size_t routing, answer;
    const char *words;
    bool right;
};

struct hint {
    struct store *s;
    struct buf *out;
    size_t limit;
    /* Of one example. */
    struct path *path;
    size_t len, cap;
    struct buf words;
};

static const char *routing_of(const struct path *p)
{
    return p->words + p->routing;
}

static const char *answer_of(const struct path *p)
{
    return p->words + p->answer;
}

static size_t add_word(struct buf *words, const char *text)
{
    size_t at = words->len;

    buf_add(words, text, strlen(text) + 1);
    return at;
}

/* What the search of LABEL found joins the example's paths. */
static int read_paths(struct hint *h, uint64_t label, struct err *err)
{
    struct stmt *st = USE(h->s, HINT_PATHS);
    int rc;

    stmt_u64(st, ":label", label);
    while ((rc = stmt_step(st, err)) > 0) {
        double reward = stmt_col_real(st, 1);

        if (reward != 0 && reward != 1)
            continue;
        if (h->len == h->cap) {
            h->cap = MAX((size_t)512, 2 * h->cap);
            h->path = mem_realloc(h->path, h->cap, sizeof *h->path);
        }
        h->path[h->len++] = (struct path){ .routing = add_word(&h->words, stmt_col_text(st, 0)),
                                           .answer = add_word(&h->words, stmt_col_text(st, 2)),
                                           .right = reward == 1 };
    }
    return rc;
}

static int by_routing(const void *a, const void *b)
{
    return strcmp(routing_of(a), routing_of(b));
}

/* Most texts stand in JSON as they are. */
static void add_quoted(struct buf *out, const char *text)
{
    size_t len = 0;

    while ((unsigned char)text[len] >= ' ' && (unsigned char)text[len] < 0x7f && text[len] != '"' &&
           text[len] != '\\')
        len++;
    if (text[len]) {
        jsonw_text(&(struct jsonw){ .to = out }, NULL, text);
        return;
    }
    buf_addc(out, '"');
    buf_add(out, text, len);
    buf_addc(out, '"');
}

/* The N equal paths at P, unless they contradict each other (an incident somewhere: let it be
 * evaluated again), or the answer is no text and would not come back as it was. */
static bool write_path(const struct path *p, size_t n, bool first, struct buf *out)
{
    for (size_t i = 1; i < n; i++)
        if (p[i].right != p->right || strcmp(answer_of(&p[i]), answer_of(p)) != 0)
            return false;
    if (!utf8_valid(answer_of(p)))
        return false;
    buf_adds(out, first ? "[" : ",[");
    add_quoted(out, routing_of(p));
    buf_adds(out, p->right ? ",1," : ",0,");
    add_quoted(out, answer_of(p));
    buf_addc(out, ']');
    return true;
}

/* The line of EXAMPLE; one without paths, or that does not fit any more, was never there. False: it
 * did not fit. */
static bool write_line(struct hint *h, uint64_t example)
{
    size_t start = h->out->len, paths = 0, n;

    for (size_t i = 0; i < h->len; i++)
        h->path[i].words = h->words.data;
    if (h->len > 0)
        qsort(h->path, h->len, sizeof *h->path, by_routing);
    buf_printf(h->out, "{\"id\":\"%016llx\",\"paths\":[", (unsigned long long)example);
    for (size_t i = 0; i < h->len; i += n) {
        for (n = 1; i + n < h->len && by_routing(&h->path[i], &h->path[i + n]) == 0;)
            n++;
        paths += write_path(&h->path[i], n, paths == 0, h->out);
    }
    buf_adds(h->out, "]}\n");
    h->len = 0;
    buf_clear(&h->words);
    if (paths > 0 && h->out->len <= h->limit)
        return true;
    h->out->len = start;
    h->out->data[start] = '\0';
    return paths == 0;
}

static int add_examples(struct hint *h, const struct store_job *j, struct err *err)
{
    struct stmt *st = USE(h->s, HINT_LABELS);
    uint64_t open = 0;
    bool fits = true;
    int rc;

    stmt_u64(st, ":family", j->families[0].id);
    stmt_u64(st, ":range_begin", j->begin);
    stmt_u64(st, ":range_end", j->end);
    while (fits && (rc = stmt_step(st, err)) > 0) {
        uint64_t example = stmt_col_u64(st, 1);

        if (h->len > 0 && example != open)
            fits = write_line(h, open);
        open = example;
        rc = fits ? read_paths(h, stmt_col_u64(st, 0), err) : 0;
        if (rc < 0)
            break;
    }
    stmt_reset(st);
    if (fits && rc == 0 && h->len > 0)
        (void)write_line(h, open);
    return fits ? rc : 0;
}

int store_hint(struct store *s, const struct store_job *j, size_t limit, struct buf *ret,
               struct err *err)
{
    struct hint h = { .s = s, .out = ret, .limit = limit + ret->len };
    struct stmt *st;
    int64_t known = 0;
    int rc;

    if (!kind_is_search(j->kind) || j->families_len == 0)
        return 0;
    st = USE(s, HINT_KNOWN);
    stmt_u64(st, ":family", j->families[0].id);
    stmt_u64(st, ":range_begin", j->begin);
    stmt_u64(st, ":range_end", j->end);
    rc = stmt_get(st, &known, err);
    if (rc == 0 && known)
        rc = add_examples(&h, j, err);
    free(h.path);
    buf_release(&h.words);
    return rc;
}
