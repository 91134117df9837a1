/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/tree.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/store_private.h"

enum {
    LOG_MAX = 1 << 17, /* nodes that are looked at: eight times what a search may send */
    EDIT_BYTES = 200,
};

static void node_release(struct label_node *n)
{
    free(n->routing);
    free(n->answer);
    free(n->edit);
}

void label_tree_release(struct label_tree *t)
{
    for (size_t i = 0; i < t->len; i++)
        node_release(&t->node[i]);
    free(t->node);
    *t = (struct label_tree){ 0 };
}

/* ---- edits ---- */

/* "skip 4-5, 7" of the layers that are WORD's choice in TO and another one in FROM. */
static void one_kind(const char *from, const char *to, char choice, const char *word,
                     struct buf *out)
{
    bool told = false;

    for (size_t i = 0, end; to[i]; i = end) {
        end = i + 1;
        if (to[i] != choice || from[i] == choice)
            continue;
        while (to[end] == choice && from[end] != choice)
            end++;
        if (out->len > EDIT_BYTES) {
            buf_adds(out, "...");
            return;
        }
        if (told)
            buf_adds(out, ", ");
        else
            buf_printf(out, "%s%s ", out->len ? ", " : "", word);
        told = true;
        if (end - i > 1)
            buf_printf(out, "%zu-%zu", i, end - 1);
        else
            buf_printf(out, "%zu", i);
    }
}

void label_edit(const char *from, const char *to, struct buf *out)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (strlen(from) != strlen(to)) {
        buf_adds(out, "another model's path");
        return;
    }
    one_kind(from, to, '0', "skip", &text);
    one_kind(from, to, '2', "repeat", &text);
    one_kind(from, to, '1', "execute", &text);
    buf_adds(out, text.len ? buf_str(&text) : "nothing");
}

/* ---- reading ---- */

static uint32_t applications(const char *routing)
{
    uint32_t n = 0;

    for (; *routing; routing++)
        n += *routing >= '0' && *routing <= '2' ? (uint32_t)(*routing - '0') : 0;
    return n;
}

static int read_log(struct store *s, uint64_t label, struct label_tree *t, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_LABEL_LOG);
    size_t cap = 0;
    int rc;

    stmt_u64(st, ":label", label);
    while ((rc = stmt_step(st, err)) > 0) {
        t->of++;
        t->right += stmt_col_real(st, 3) > 0.5;
        if (t->len == LOG_MAX)
            continue;
        if (t->len == cap) {
            cap = MAX((size_t)64, 2 * cap);
            t->node = mem_realloc(t->node, cap, sizeof *t->node);
        }
        t->node[t->len++] = (struct label_node){ .place = stmt_col(st, 0),
                                                 .parent = stmt_col(st, 1),
                                                 .routing = mem_strdup(stmt_col_text(st, 2)),
                                                 .reward = stmt_col_real(st, 3),
                                                 .visits = stmt_col_u64(st, 4),
                                                 .value = stmt_col_real(st, 5),
                                                 .answer = mem_strdup(stmt_col_text(st, 6)) };
    }
    return rc;
}

/* Index of the node at PLACE among the first N, which are sorted; N: none. */
static size_t index_of(const struct label_tree *t, size_t n, int64_t place)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;

        if (t->node[mid].place < place)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && t->node[lo].place == place ? lo : n;
}

/* Parents stand before their children; one that does not is none. */
static void connect(struct label_tree *t)
{
    for (size_t i = 0; i < t->len; i++) {
        struct label_node *n = &t->node[i];
        const size_t parent = index_of(t, i, n->parent);
        struct buf edit = { 0 };

        n->layers = applications(n->routing);
        if (parent == i) {
            n->parent = -1;
            n->edit = mem_strdup(i == 0 ? "root" : "another root");
            continue;
        }
        n->depth = t->node[parent].depth + 1;
        label_edit(t->node[parent].routing, n->routing, &edit);
        n->edit = buf_detach(&edit);
    }
}

static void find_best(struct label_tree *t, const char *routing)
{
    size_t i = 0;

    t->best = -1;
    while (routing && i < t->len && strcmp(t->node[i].routing, routing) != 0)
        i++;
    if (!routing || i == t->len)
        return;
    t->best = t->node[i].place;
    for (size_t at = i;;) {
        struct label_node *n = &t->node[at];

        n->best = true;
        if (n->parent < 0)
            return;
        at = index_of(t, at, n->parent); /* there: see connect() */
    }
}

/* The first MOST, which are closed under "parent of", and the way to the best. */
static void cut(struct label_tree *t, size_t most)
{
    size_t len = 0;

    for (size_t i = 0; i < t->len; i++) {
        if (i < most || t->node[i].best)
            t->node[len++] = t->node[i];
        else
            node_release(&t->node[i]);
    }
    t->len = len;
}

int label_tree_read(struct store *s, uint64_t label, const char *routing, size_t most,
                    struct label_tree *ret, struct err *err)
{
    *ret = (struct label_tree){ .best = -1 };
    int rc = read_log(s, label, ret, err);

    if (rc) {
        label_tree_release(ret);
        return rc;
    }
    connect(ret);
    find_best(ret, routing);
    cut(ret, most);
    return 0;
}
