/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/walkers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* States that a group works with: two per walker at most. */
enum { GROUP_BYTES_MAX = 256 << 20 };

/* A state to be made from another one by one pass through a layer. */
struct item {
    struct prefix_state *from, *to; /* FROM NULL: from the tokens */
    struct prefix *prefix;
    const struct question *question;
    size_t reader; /* the walker that gets logits in this very pass; SIZE_MAX: none */
    bool full;     /* somebody needs the state of all rows */
};

/* Part PART of item ITEM. */
struct where {
    size_t item, part;
};

struct group {
    const struct model *m;
    struct sweep *sweep;
    struct progress *progress;
    struct walker *w;
    size_t n;
    size_t layer; /* the present step: pass TIMES of LAYER */
    unsigned times;
    uint8_t *once; /* [layers][layers]: row l passes layer l only */
    uint8_t *key;  /* [layers] */
    struct item *item;
    size_t items, items_room;
    /* Of the present pass. */
    struct sweep_seq *seq; /* [seqs_room] */
    struct where *where;   /* [seqs_room] */
    float **save;          /* [seqs_room][layers + 1] */
    size_t seqs, seqs_room;
    struct logits logits;
};

static void group_release(struct group *g)
{
    free(g->once);
    free(g->key);
    free(g->item);
    free(g->seq);
    free(g->where);
    free(g->save);
    logits_release(&g->logits);
}

static size_t layers_of(const struct group *g)
{
    return g->m->conf.layers;
}

static size_t step_of(size_t layer, unsigned times)
{
    return ROUTING_REPEAT * layer + times;
}

/* The last step of a path; 0 for a path without layers. */
static size_t last_step(const struct group *g, const uint8_t *routing)
{
    size_t l = layers_of(g);

    while (l > 0 && routing[l - 1] == ROUTING_SKIP)
        l--;
    return l > 0 ? step_of(l - 1, routing[l - 1]) : 0;
}

/* Logits in pieces need the whole last state. */
static bool in_pieces(const struct group *g, const struct question *q)
{
    size_t most = reading_logit_rows_max(g->m);

    for (size_t k = 0; k < q->parts; k++)
        if (q->part[k].rows - q->part[k].logits_from > most)
            return true;
    return false;
}

/* W goes on from state S (NULL: from none), of which it is a user already. */
static void move_to(struct walker *w, struct prefix_state *s)
{
    if (w->at)
        prefix_drop(w->prefix, w->at);
    w->at = s;
}

/* ------------------------------------------------------------------------------------------- */

static struct item *next_item(struct group *g)
{
    if (g->items == g->items_room) {
        g->items_room = 2 * g->items_room + 64;
        g->item = mem_realloc(g->item, g->items_room, sizeof(*g->item));
    }
    return &g->item[g->items++];
}

/* Walker W takes state TO by the present step. */
static struct item *add_item(struct group *g, struct walker *w, struct prefix_state *to)
{
    struct item *t = next_item(g);

    to->item = g->items - 1;
    if (w->at)
        prefix_use(w->at); /* until the step is done */
    w->made++;
    *t = (struct item){ .from = w->at,
                        .to = to,
                        .prefix = w->prefix,
                        .question = w->reading->question,
                        .reader = SIZE_MAX };
    return t;
}

/* Walker I does the present step: its state is there, or becomes an item of this step. */
static void take_step(struct group *g, size_t i)
{
    struct walker *w = &g->w[i];
    const uint8_t *routing = w->reading->routing;
    bool ends = last_step(g, routing) == step_of(g->layer, g->times);
    bool pieces = in_pieces(g, w->reading->question);
    struct prefix_state *to;

    memcpy(g->key, routing, g->layer);
    g->key[g->layer] = (uint8_t)g->times;
    to = prefix_get(w->prefix, g->key, g->layer + 1);
    if (!to->floats) {
        struct item *t = to->item == SIZE_MAX ? add_item(g, w, to) : &g->item[to->item];

        /* A state behind the last layer serves a repeat of that layer alone: not worth its cost. */
        if (!ends || pieces || g->layer + 1 < layers_of(g))
            t->full = true;
        if (ends && !pieces && to->reader == SIZE_MAX)
            t->reader = to->reader = i;
    }
    move_to(w, to);
}

static int fill_states(struct group *g, struct err *err)
{
    for (size_t i = 0; i < g->items; i++) {
        struct item *t = &g->item[i];

        if (t->full && !prefix_fill(t->prefix, t->to, t->question->rows * g->m->conf.dim))
            return err_set(err, ERR_NOMEM, "no memory for the state of %zu rows",
                           t->question->rows);
    }
    return 0;
}

static void seqs_fit(struct group *g, size_t n)
{
    g->seqs = 0;
    if (n <= g->seqs_room)
        return;
    g->seqs_room = 2 * g->seqs_room + n;
    g->seq = mem_realloc(g->seq, g->seqs_room, sizeof(*g->seq));
    g->where = mem_realloc(g->where, g->seqs_room, sizeof(*g->where));
    free(g->save);
    g->save = mem_calloc(g->seqs_room * (layers_of(g) + 1), sizeof(*g->save));
}

static void add_part(struct group *g, size_t i, size_t k)
{
    const struct item *t = &g->item[i];
    const struct part *part = &t->question->part[k];
    size_t layers = layers_of(g), offset = part->before * g->m->conf.dim;
    float **save = g->save + g->seqs * (layers + 1);

    if (t->full)
        save[g->layer + 1] = t->to->floats + offset;
    g->where[g->seqs] = (struct where){ .item = i, .part = k };
    g->seq[g->seqs++] = (struct sweep_seq){
        .tokens = part->tokens,
        .rows = part->rows,
        .routing = g->once + g->layer * layers,
        .start_layer = t->from ? g->layer : 0,
        .start = t->from ? t->from->floats + offset : NULL,
        .save = t->full ? save : NULL,
        .logits_from = t->reader != SIZE_MAX ? part->logits_from : part->rows,
    };
}

/* Sequences FROM..*RET_TO-1: as many as one pass may have, at least one. */
static int run_some(struct group *g, size_t from, size_t *ret_to, struct err *err)
{
    size_t rows = 0, logit_rows = 0, most = reading_logit_rows_max(g->m), to = from;
    int rc;

    for (; to < g->seqs; to++) {
        size_t more = g->seq[to].rows - g->seq[to].logits_from;

        if (to > from && (rows + g->seq[to].rows > READING_ROWS_MAX || logit_rows + more > most))
            break;
        rows += g->seq[to].rows;
        logit_rows += more;
    }
    *ret_to = to;
    rc = logits_fit(&g->logits, g->m, logit_rows, err);
    if (rc < 0)
        return rc;
    for (size_t s = from, row = 0; s < to && logit_rows > 0; s++) {
        g->seq[s].logits = g->logits.rows + row * g->m->conf.vocab;
        row += g->seq[s].rows - g->seq[s].logits_from;
    }
    rc = sweep_run(g->sweep, g->seq + from, to - from, g->progress, err);
    for (size_t s = from; rc == 0 && s < to; s++) {
        size_t n = g->seq[s].rows - g->seq[s].logits_from;

        if (n > 0)
            reading_take(g->w[g->item[g->where[s].item].reader].reading, g->m, g->where[s].part,
                         g->seq[s].logits, 0, n);
    }
    return rc;
}

static int run_items(struct group *g, struct err *err)
{
    size_t parts = 0;
    int rc = fill_states(g, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < g->items; i++)
        parts += g->item[i].question->parts;
    seqs_fit(g, parts);
    for (size_t i = 0; i < g->items; i++)
        for (size_t k = 0; k < g->item[i].question->parts; k++)
            add_part(g, i, k);
    for (size_t s = 0; rc == 0 && s < g->seqs;)
        rc = run_some(g, s, &s, err);
    for (size_t s = 0; s < g->seqs; s++)
        if (g->seq[s].save)
            g->seq[s].save[g->layer + 1] = NULL;
    return rc;
}

/* All walkers whose paths have it do the present step. */
static int run_step(struct group *g, struct err *err)
{
    size_t step = step_of(g->layer, g->times);
    int rc;

    g->items = 0;
    for (size_t i = 0; i < g->n; i++)
        if (step > g->w[i].start && g->w[i].reading->routing[g->layer] >= g->times)
            take_step(g, i);
    rc = g->items > 0 ? run_items(g, err) : 0;
    for (size_t i = 0; i < g->items; i++) {
        if (!g->item[i].full)
            g->w[g->item[i].reader].ended++;
        if (g->item[i].from)
            prefix_drop(g->item[i].prefix, g->item[i].from);
        prefix_trim(g->item[i].prefix);
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

/* What is left of part K of walker I's question is the head. */
static void add_head(struct group *g, size_t i, size_t k)
{
    const struct walker *w = &g->w[i];
    const struct part *part = &w->reading->question->part[k];
    struct sweep_seq *seq = &g->seq[g->seqs];

    g->where[g->seqs++] = (struct where){ .item = g->items - 1, .part = k };
    *seq = (struct sweep_seq){ .tokens = part->tokens + part->logits_from,
                               .rows = part->rows - part->logits_from,
                               .routing = w->reading->routing };
    if (w->at) { /* else a path without layers */
        seq->start_layer = layers_of(g);
        seq->start = w->at->floats + (part->before + part->logits_from) * g->m->conf.dim;
    }
}

static int add_heads(struct group *g, size_t i, struct err *err)
{
    const struct walker *w = &g->w[i];
    const struct question *q = w->reading->question;
    int rc = 0;

    if (w->at && in_pieces(g, q)) {
        for (size_t k = 0; rc == 0 && k < q->parts; k++)
            rc = reading_pieces(w->reading, g->m, g->sweep, k,
                                w->at->floats + q->part[k].before * g->m->conf.dim, &g->logits,
                                g->progress, err);
        return rc;
    }
    *next_item(g) = (struct item){ .reader = i };
    for (size_t k = 0; k < q->parts; k++)
        add_head(g, i, k);
    return 0;
}

/* The paths whose last state was there, or whose logits come in pieces: only the head is left. */
static int run_heads(struct group *g, struct err *err)
{
    size_t parts = 0;
    int rc = 0;

    for (size_t i = 0; i < g->n; i++)
        parts += g->w[i].reading->question->parts;
    seqs_fit(g, parts);
    g->items = 0;
    for (size_t i = 0; rc == 0 && i < g->n; i++) {
        struct walker *w = &g->w[i];

        w->like = w->at && w->at->reader != SIZE_MAX ? w->at->reader : i;
        if (w->at && w->at->reader != SIZE_MAX)
            continue;
        if (w->at)
            w->at->reader = i;
        rc = add_heads(g, i, err);
    }
    for (size_t s = 0; rc == 0 && s < g->seqs;)
        rc = run_some(g, s, &s, err);
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

static void enter(struct group *g)
{
    size_t layers = layers_of(g);

    g->once = mem_calloc(layers, layers);
    g->key = mem_calloc(layers, 1);
    for (size_t l = 0; l < layers; l++)
        g->once[l * layers + l] = ROUTING_EXECUTE;
    for (size_t i = 0; i < g->n; i++) {
        struct walker *w = &g->w[i];
        size_t layer;
        unsigned times;

        reading_begin(w->reading);
        w->made = w->ended = 0;
        w->at = prefix_start(w->prefix, w->reading->routing, layers, &layer, &times);
        w->start = w->at ? step_of(layer, times) : 0;
        if (w->at)
            prefix_use(w->at);
    }
}

static void leave(struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        move_to(&g->w[i], NULL);
    for (size_t i = 0; i < g->n; i++)
        prefix_touch(g->w[i].prefix, g->w[i].reading->routing, layers_of(g));
    for (size_t i = 0; i < g->n; i++)
        prefix_trim(g->w[i].prefix);
}

/* The result of the walker that went in the place of W. */
static void copy_result(const struct walker *like, struct walker *w)
{
    if (like == w)
        return;
    memcpy(w->reading->logprob, like->reading->logprob, sizeof(w->reading->logprob));
    w->reading->top = like->reading->top;
}

static int run_group(struct group *g, struct err *err)
{
    int rc = 0;

    enter(g);
    for (g->layer = 0; rc == 0 && g->layer < layers_of(g); g->layer++)
        for (g->times = 1; rc == 0 && g->times <= ROUTING_REPEAT; g->times++)
            rc = run_step(g, err);
    rc = rc == 0 ? run_heads(g, err) : rc;
    for (size_t i = 0; rc == 0 && i < g->n; i++) {
        copy_result(&g->w[g->w[i].like], &g->w[i]);
        rc = reading_check(g->w[i].reading, err);
    }
    leave(g);
    return rc;
}

int walkers_run(const struct model *m, struct sweep *s, struct walker *w, size_t n,
                struct progress *progress, struct err *err)
{
    size_t most = GROUP_BYTES_MAX / (2 * sizeof(float) * m->conf.dim);
    int rc = 0;

    most = MAX(most, (size_t)READING_ROWS_MAX);
    for (size_t from = 0, to; rc == 0 && from < n; from = to) {
        size_t rows = w[from].reading->question->rows;

        for (to = from + 1; to < n && rows + w[to].reading->question->rows <= most; to++)
            rows += w[to].reading->question->rows;
        struct group g CLEANUP(group_release) = {
            .m = m, .sweep = s, .progress = progress, .w = w + from, .n = to - from
        };
        rc = run_group(&g, err);
    }
    for (size_t i = 0; rc < 0 && i < n; i++)
        prefix_clear(w[i].prefix); /* states promised but not computed */
    return rc;
}
