/* SPDX-License-Identifier: Apache-2.0 */
/* group_search_torch.c - a recorded search against PyTorch, which runs the same paths one after the
 * other, each whole: the same weights, prompts and number of threads, logits of the last position
 * only, its best thread setting. Both logits are compared first. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/bench/embedded.h"
#include "tests/bench/peer.h"
#include "tests/bench/traces.h"
#include "worker/tokenizer/tokenizer.h"

enum {
    PAIRS = 5,
    TRIAL = 60,
    TRIAL_QUICK = 15, /* paths that choose among the peer's settings */
    QUICK = 100,      /* paths of a short measurement, scaled to all */
    CHECKED = 8,      /* paths whose logits are compared */
    SETTLE_US = 100000,
};

/* How PyTorch's two pools share the cores (both spinning is slower than one thread). */
static const char *const SETTINGS[][3] = {
    { "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=2", "2" },
    { "OPENBLAS_NUM_THREADS=2", "OMP_WAIT_POLICY=passive", "2" },
    { "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "1" },
};

struct match {
    struct bench *b;
    struct bed *d;
    struct trace t;
    struct outcome *o;
    struct peer *peer;
};

static void write_prompts(const struct match *m)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/prompts.txt", m->d->folder);
    f = fopen(path, "we");
    for (size_t i = 0; f && i < m->t.examples; i++) {
        uint32_t *ids CLEANUP(mem_cleanup) = NULL;
        const char *prompt = m->d->example[i].prompt;
        size_t len = 0;
        struct err err = { 0 };

        bench_must(tokenizer_encode(m->d->model->tok, prompt, strlen(prompt), TOKENIZER_BOS, &ids,
                                    &len, &err),
                   &err, "prompt");
        for (size_t k = 0; k < len; k++)
            fprintf(f, "%u ", ids[k]);
        fprintf(f, "\n");
    }
    if (!f || fclose(f) != 0) {
        fprintf(stderr, "drover-bench: %s cannot be written\n", path);
        exit(1);
    }
}

static struct peer *start(const struct match *m, size_t setting)
{
    const char *const *s = SETTINGS[setting];
    const char *env[] = { s[0], s[1], NULL };
    const char *argv[] = { "/usr/bin/python3",
                           DROVER_BENCH_FOLDER "/search_peer.py",
                           m->d->folder,
                           s[2],
                           DROVER_BENCH_FOLDER "/traces/trace50.txt",
                           NULL };
    struct peer *p = peer_start(argv, env);

    if (p && peer_ask(p, "ready"))
        return p;
    peer_stop(p);
    return NULL;
}

/* Seconds for paths [begin, end), NAN when the peer is gone. */
static double peer_seconds(struct peer *p, size_t begin, size_t end)
{
    char question[64];
    const char *answer;

    snprintf(question, sizeof(question), "run %zu %zu", begin, end);
    answer = peer_ask(p, question);
    return answer ? strtod(answer, NULL) : NAN;
}

static struct peer *best_peer(const struct match *m)
{
    double best = INFINITY;
    size_t choice = ARRAY_LEN(SETTINGS);

    for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++) {
        struct peer *p = start(m, i);
        double least = INFINITY;

        if (!p)
            return NULL;
        for (size_t k = 0; k < 4; k++) {
            const double seconds = peer_seconds(p, 0, m->b->quick ? TRIAL_QUICK : TRIAL);
            if (k > 0) /* the first warms up */
                least = fmin(least, seconds);
        }
        if (least < best) {
            best = least;
            choice = i;
        }
        peer_stop(p);
    }
    return choice < ARRAY_LEN(SETTINGS) ? start(m, choice) : NULL;
}

/* The peer answers as we do: the same largest logit, and that of the path alone nearly equal. */
static bool same_logits(struct match *m)
{
    const struct model *model = m->d->model;
    float *logits CLEANUP(mem_cleanup) = mem_aligned(model->conf.vocab, sizeof(float));
    double top = 0, worst = 0;

    for (size_t i = 0; i < CHECKED; i++) {
        const struct evaluation *v = &m->t.path[m->t.len * i / CHECKED];
        const char *prompt = m->d->example[v->example].prompt;
        uint32_t *ids CLEANUP(mem_cleanup) = NULL;
        char question[64], *at;
        size_t len = 0;
        struct err err = { 0 };

        bench_must(
            tokenizer_encode(model->tok, prompt, strlen(prompt), TOKENIZER_BOS, &ids, &len, &err),
            &err, "prompt");
        struct sweep_seq seq = { .tokens = ids,
                                 .rows = len,
                                 .routing = v->routing,
                                 .logits_from = len - 1,
                                 .logits = logits };
        bench_must(sweep_run(evaluator_sweep(m->d->evaluator), &seq, 1, NULL, &err), &err, "path");
        snprintf(question, sizeof(question), "logits %zu", (size_t)(v - m->t.path));
        at = (char *)peer_ask(m->peer, question);
        for (size_t k = 0; at && k < model->conf.vocab; k++) {
            const double theirs = strtod(at, &at);
            top = fmax(top, fabs(theirs));
            worst = fmax(worst, fabs(theirs - (double)logits[k]));
        }
        if (!at)
            return false;
    }
    return top > 0 && worst <= 1e-4 * top;
}

static double our_seconds(struct match *m)
{
    const uint64_t begin = clock_ns();

    bed_run(m->d, &m->t, m->o);
    return (double)(clock_ns() - begin) * 1e-9;
}

static void measure(struct match *m)
{
    const size_t asked = m->b->quick ? QUICK : m->t.len;
    const double paths = (double)m->t.len;
    double ratio[PAIRS], ours[PAIRS], theirs[PAIRS];

    (void)our_seconds(m);
    for (size_t i = 0; i < PAIRS; i++) {
        (void)usleep(SETTLE_US); /* the peer's idle threads spin that long at most */
        ours[i] = paths / our_seconds(m);
        theirs[i] = (double)asked / peer_seconds(m->peer, 0, asked);
        ratio[i] = ours[i] / theirs[i];
    }
    bench_report(m->b, "search.vs_torch", "ratio", bench_figure(ratio, PAIRS), BETTER_HIGHER, 15);
    bench_report(m->b, "search.trace50.paths_per_s", "1/s", bench_figure(ours, PAIRS),
                 BETTER_HIGHER, NAN);
    bench_report(m->b, "search.trace50.paths_per_s.torch", "1/s", bench_figure(theirs, PAIRS),
                 BETTER_HIGHER, NAN);
}

void bench_search_torch(struct bench *b, struct bed *d)
{
    struct match m = { .b = b, .d = d };

    if (!peer_run((const char *const[]){ "/usr/bin/python3", "-c", "import torch, numpy", NULL })) {
        bench_note(b, "search.vs_torch: no PyTorch here; ./dev setup bench installs it");
        return;
    }
    trace_read(&m.t, DROVER_BENCH_FOLDER "/traces/trace50.txt");
    m.o = mem_calloc(m.t.len, sizeof(*m.o));
    write_prompts(&m);
    m.peer = best_peer(&m);
    if (!m.peer)
        bench_note(b, "search.vs_torch: the PyTorch peer does not start");
    else if (!same_logits(&m))
        bench_note(b, "search.vs_torch: PyTorch's logits differ by more than 1e-4 of the largest");
    else
        measure(&m);
    peer_stop(m.peer);
    free(m.o);
    trace_release(&m.t);
}
