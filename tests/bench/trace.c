/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/bench/embedded.h"

static void bad(const char *file, size_t line, const char *what)
{
    fprintf(stderr, "drover-bench: %s:%zu: %s\n", file, line, what);
    exit(1);
}

/* The paths of one example in a round, in text AT. */
static void read_paths(struct trace *t, const char *file, size_t line, char *at)
{
    char *rest = NULL, *word = strtok_r(at, " \n", &rest);
    const size_t example = word ? strtoul(word, NULL, 10) : 0;
    struct err err = { 0 };

    if (!word || t->rounds == 0 || example >= t->examples)
        bad(file, line, "a round, then EXAMPLE PATH.. is expected");
    while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
        t->path = mem_realloc(t->path, t->len + 1, sizeof(*t->path));
        t->memory = mem_realloc(t->memory, t->len + 1, t->layers);
        if (strlen(word) != t->layers ||
            routing_parse(word, t->layers, t->memory + t->len * t->layers, &err) < 0)
            bad(file, line, "a path of digits 0, 1, 2, one per layer, is expected");
        t->path[t->len++] = (struct evaluation){ .example = example };
    }
}

static void read_line(struct trace *t, const char *file, size_t line, char *text)
{
    if (text[0] == '#' || text[0] == '\n')
        return;
    if (strncmp(text, "layers ", 7) == 0) {
        t->layers = strtoul(text + 7, NULL, 10);
    } else if (strncmp(text, "examples ", 9) == 0) {
        t->examples = strtoul(text + 9, NULL, 10);
    } else if (strcmp(text, "round\n") == 0) {
        t->round = mem_realloc(t->round, t->rounds + 2, sizeof(*t->round));
        t->round[t->rounds++] = t->len;
    } else {
        read_paths(t, file, line, text);
    }
}

void trace_read(struct trace *t, const char *file)
{
    FILE *f = fopen(file, "re");
    char *text = NULL;
    size_t room = 0, line = 0;

    *t = (struct trace){ 0 };
    if (!f)
        bad(file, 0, "cannot be read");
    while (getline(&text, &room, f) > 0)
        read_line(t, file, ++line, text);
    free(text);
    fclose(f);
    if (t->len == 0)
        bad(file, line, "no paths");
    t->round[t->rounds] = t->len;
    for (size_t i = 0; i < t->len; i++)
        t->path[i].routing = t->memory + i * t->layers;
}

void trace_release(struct trace *t)
{
    free(t->path);
    free(t->round);
    free(t->memory);
    *t = (struct trace){ 0 };
}

double trace_edits(const struct trace *t)
{
    size_t edits = 0;

    for (size_t i = 0; i < t->len; i++) {
        const uint8_t *r = t->path[i].routing;
        size_t run = 0;

        for (size_t l = 0; l < t->layers; l++) {
            run = r[l] == ROUTING_SKIP ? run + 1 : 0;
            edits += run % 2 == 1 || r[l] == ROUTING_REPEAT;
        }
    }
    return (double)edits / (double)t->len;
}

double trace_changes(const struct trace *t)
{
    size_t changes = 0;

    for (size_t i = 0; i < t->len * t->layers; i++)
        changes += t->memory[i] != ROUTING_EXECUTE;
    return (double)changes / (double)t->len;
}

/* ------------------------------------------------------------------------------------------- */

struct lane {
    struct search *machine;
    const uint8_t *const *asked;
    size_t len;
};

static void write_round(FILE *f, const struct lane *lane, size_t n, size_t layers)
{
    char text[MODEL_LAYERS_MAX + 1];

    fprintf(f, "round\n");
    for (size_t i = 0; i < n; i++) {
        if (lane[i].len == 0)
            continue;
        fprintf(f, "%zu", i);
        for (size_t k = 0; k < lane[i].len; k++) {
            routing_print(lane[i].asked[k], layers, text);
            fprintf(f, " %s", text);
        }
        fprintf(f, "\n");
    }
}

/* One round of all; false when all searches are over. */
static bool run_round(struct lane *lane, size_t n, struct evaluator *e, FILE *f, size_t layers)
{
    size_t len = 0, at = 0;
    struct err err = { 0 };

    for (size_t i = 0; i < n; i++) {
        lane[i].len = search_ask(lane[i].machine, &lane[i].asked);
        len += lane[i].len;
    }
    if (len == 0)
        return false;
    if (f)
        write_round(f, lane, n, layers);
    struct evaluation *v = mem_calloc(len, sizeof(*v));
    struct outcome *o = mem_calloc(len, sizeof(*o));
    double *reward = mem_calloc(len, sizeof(*reward));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < lane[i].len; k++)
            v[at++] = (struct evaluation){ .example = i, .routing = lane[i].asked[k] };
    bench_must(evaluator_run(e, v, len, true, o, NULL, &err), &err, "evaluation");
    for (size_t i = 0; i < len; i++)
        reward[i] = o[i].correct ? 1 : 0;
    at = 0;
    for (size_t i = 0; i < n; at += lane[i++].len)
        if (lane[i].len > 0)
            search_tell(lane[i].machine, reward + at, 0);
    free(v);
    free(o);
    free(reward);
    return true;
}

static size_t search_all(FILE *f, const struct search_params *p, struct evaluator *e,
                         const struct example *const *x, size_t n, size_t layers)
{
    struct lane *lane = mem_calloc(n, sizeof(*lane));
    struct err err = { 0 };

    bench_must(evaluator_begin(e, x, n, &err), &err, "examples");
    for (size_t i = 0; i < n; i++)
        bench_must(search_new(&lane[i].machine, p, layers, 1, x[i]->id, &err), &err, "search");
    while (run_round(lane, n, e, f, layers))
        ;
    for (size_t i = 0; i < n; i++)
        search_free(lane[i].machine);
    free(lane);
    return n * p->simulations;
}

size_t trace_search(const struct search_params *p, struct evaluator *e,
                    const struct example *const *x, size_t n, size_t layers)
{
    return search_all(NULL, p, e, x, n, layers);
}

size_t trace_record(const char *file, const char *comment, const struct search_params *p,
                    struct evaluator *e, const struct example *const *x, size_t n, size_t layers)
{
    FILE *f = fopen(file, "we");
    size_t simulations;

    if (!f)
        bad(file, 0, "cannot be written");
    fprintf(f, "%slayers %zu\nexamples %zu\n", comment, layers, n);
    simulations = search_all(f, p, e, x, n, layers);
    if (fclose(f) != 0)
        bad(file, 0, "cannot be written");
    return simulations;
}
