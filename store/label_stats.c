/* SPDX-License-Identifier: Apache-2.0 */
#include "store/label_stats.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void label_stats_release(struct label_stats *s)
{
    free(s->length);
    free(s->at);
    *s = (struct label_stats){ 0 };
}

/* Room for models of DEPTH layers and labels of up to LENGTHS - 1 layer applications. */
static void make_room(struct label_stats *s, uint32_t depth, size_t lengths)
{
    if (depth > s->depth) {
        s->at = mem_realloc(s->at, depth, sizeof *s->at);
        memset(s->at + s->depth, 0, (depth - s->depth) * sizeof *s->at);
        s->depth = depth;
    }
    if (lengths > s->lengths) {
        s->length = mem_realloc(s->length, lengths, sizeof *s->length);
        memset(s->length + s->lengths, 0, (lengths - s->lengths) * sizeof *s->length);
        s->lengths = lengths;
    }
}

void label_stats_add(struct label_stats *s, const struct store_label_row *r)
{
    const uint32_t depth = MIN(r->layers, (uint32_t)LABEL_LAYERS_MAX),
                   length = MIN(r->label_layers, (uint32_t)(2 * LABEL_LAYERS_MAX));

    s->n++;
    s->base_correct += r->base_correct;
    s->simulations += r->simulations;
    s->evaluations += r->evaluations;
    s->hinted += r->hinted;
    s->layer_rows += r->layer_rows;
    s->layer_rows_whole += r->layer_rows_whole;
    s->wall_us += r->wall_us;
    make_room(s, depth, r->has_label ? length + 1 : 0);
    if (!r->has_label)
        return;
    s->labelled++;
    s->improved += !r->base_correct;
    s->preserved += r->base_correct;
    s->shorter += r->base_correct && r->label_layers < r->layers;
    s->fixed_shorter += !r->base_correct && r->label_layers < r->layers;
    s->layers += r->layers;
    s->label_layers += r->label_layers;
    s->length[length]++;
    for (uint32_t l = 0; r->routing && l < depth; l++)
        if (r->routing[l] >= '0' && r->routing[l] <= '2')
            s->at[l][r->routing[l] - '0']++;
}

void label_stats_merge(struct label_stats *to, const struct label_stats *from)
{
    to->n += from->n;
    to->base_correct += from->base_correct;
    to->labelled += from->labelled;
    to->improved += from->improved;
    to->preserved += from->preserved;
    to->shorter += from->shorter;
    to->fixed_shorter += from->fixed_shorter;
    to->simulations += from->simulations;
    to->evaluations += from->evaluations;
    to->hinted += from->hinted;
    to->layer_rows += from->layer_rows;
    to->layer_rows_whole += from->layer_rows_whole;
    to->wall_us += from->wall_us;
    to->layers += from->layers;
    to->label_layers += from->label_layers;
    make_room(to, from->depth, from->lengths);
    for (size_t i = 0; i < from->lengths; i++)
        to->length[i] += from->length[i];
    for (uint32_t l = 0; l < from->depth; l++)
        for (int i = 0; i < 3; i++)
            to->at[l][i] += from->at[l][i];
}

size_t label_stats_bytes(const struct label_stats *s)
{
    return s->lengths * sizeof *s->length + s->depth * sizeof *s->at;
}

static void put_lists(struct jsonw *w, const struct label_stats *s)
{
    jsonw_open_at(w, "lengths", '[');
    for (size_t i = 0; i < s->lengths; i++) {
        if (s->length[i] == 0)
            continue;
        jsonw_open(w, '[');
        jsonw_int(w, NULL, (int64_t)i);
        jsonw_int(w, NULL, (int64_t)s->length[i]);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
    jsonw_open_at(w, "per_layer", '[');
    for (uint32_t l = 0; l < s->depth; l++) {
        jsonw_open(w, '[');
        for (int i = 0; i < 3; i++)
            jsonw_int(w, NULL, (int64_t)s->at[l][i]);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
}

/* A / B, or null. */
static void put_share(struct jsonw *w, const char *name, uint64_t a, uint64_t b)
{
    if (b)
        jsonw_real(w, name, (double)a / (double)b);
    else
        jsonw_null(w, name);
}

void label_stats_put(const struct label_stats *s, struct jsonw *w)
{
    const struct {
        const char *name;
        uint64_t v;
    } counts[] = { { "n", s->n },
                   { "base_correct", s->base_correct },
                   { "labelled", s->labelled },
                   { "improved", s->improved },
                   { "preserved", s->preserved },
                   { "unsolved", s->n - s->labelled },
                   { "simulations", s->simulations },
                   { "evaluations", s->evaluations },
                   { "hinted", s->hinted },
                   { "layer_rows", s->layer_rows },
                   { "layer_rows_whole", s->layer_rows_whole },
                   { "wall_us", s->wall_us },
                   { "layers", s->depth } };

    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        jsonw_int(w, counts[i].name, (int64_t)counts[i].v);
    put_share(w, "base", s->base_correct, s->n);
    put_share(w, "oracle", s->labelled, s->n);
    put_share(w, "improved_share", s->improved, s->labelled);
    put_share(w, "right_with_shorter", s->shorter, s->base_correct);
    put_share(w, "wrong_with_right", s->improved, s->n - s->base_correct);
    put_share(w, "wrong_with_right_shorter", s->fixed_shorter, s->n - s->base_correct);
    put_share(w, "mean_layers", s->label_layers, s->labelled);
    put_share(w, "hinted_share", s->hinted, s->evaluations);
    if (s->layer_rows_whole)
        jsonw_real(w, "saved", 1 - (double)s->layer_rows / (double)s->layer_rows_whole);
    else
        jsonw_null(w, "saved");
    put_lists(w, s);
}

const char *label_verdict(const struct store_label_row *r)
{
    if (!r->has_label)
        return "unsolved";
    if (!r->base_correct)
        return "improved";
    return r->label_layers < r->layers ? "shorter" : "preserved";
}
