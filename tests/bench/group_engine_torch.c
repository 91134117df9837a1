/* SPDX-License-Identifier: Apache-2.0 */
/* group_engine_torch.c - prefill against PyTorch: the same random weights, the same prompts, the
 * same number of threads, logits of the last position only. PyTorch computes in float32 whatever
 * the checkpoint holds, its fastest way here; of its thread settings the best is taken (the usual
 * one, two spinning pools on shared cores, is slower than one thread). Both logits are compared
 * first: a peer that computes something else is no peer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/big.h"
#include "tests/bench/embedded.h"
#include "tests/bench/peer.h"

enum {
    PAIRS = 9,
    PAIRS_QUICK = 5,
    TRIES = 3,          /* runs that choose among the peer's settings */
    MEASURE_MS = 60,    /* a measurement repeats the pass to fill this */
    SETTLE_US = 100000, /* the peer's idle threads spin that long at most */
    ENVIRONMENT_MAX = 4,
};

static const struct peer_case {
    const char *name;
    struct big_shape shape;
    size_t batch, rows;
    double limit;
} CASES[] = {
    { "engine.prefill.d128.b32.vs_torch", { 12, 128, 4, 4, 512, 256, "f32" }, 32, 48, 2.5 },
    { "engine.prefill.d128.b1.vs_torch", { 12, 128, 4, 4, 512, 256, "f32" }, 1, 48, 4.0 },
    { "engine.prefill.d288.b32.vs_torch", { 16, 288, 6, 6, 768, 4096, "f32" }, 32, 48, 1.6 },
    { "engine.prefill.1b.vs_torch", BIG_1B, 1, 128, 1.3 },
};

/* How PyTorch's two pools share the cores: OpenMP's threads, OpenBLAS's, what idle ones do. */
static const char *const SETTINGS[][ENVIRONMENT_MAX] = {
    { "OPENBLAS_NUM_THREADS=1", NULL },
    { "OMP_WAIT_POLICY=passive", NULL },
    { "OMP_NUM_THREADS=1", NULL },
};

struct side {
    struct bench *b;
    struct big *big;
    struct peer *peer;
    const struct peer_case *c;
    size_t times_ours, times_peer;
};

static void settle(void)
{
    (void)usleep(SETTLE_US);
}

static struct peer *start(const struct big *big, size_t setting)
{
    char threads[32], omp[48], blas[48];
    const char *env[ENVIRONMENT_MAX + 3] = { omp, blas };
    const char *argv[] = { "/usr/bin/python3", DROVER_BENCH_FOLDER "/torch_peer.py", big->folder,
                           threads, NULL };
    bool one = strcmp(SETTINGS[setting][0], "OMP_NUM_THREADS=1") == 0;
    struct peer *p;

    snprintf(threads, sizeof(threads), "%zu", one ? (size_t)1 : big->threads);
    snprintf(omp, sizeof(omp), "OMP_NUM_THREADS=%zu", big->threads);
    snprintf(blas, sizeof(blas), "OPENBLAS_NUM_THREADS=%zu", big->threads);
    for (size_t i = 0; SETTINGS[setting][i]; i++)
        env[2 + i] = SETTINGS[setting][i];
    p = peer_start(argv, env);
    if (p && peer_ask(p, "ready"))
        return p;
    peer_stop(p);
    return NULL;
}

/* Mean seconds of a pass, NAN when the peer is gone. */
static double ask_seconds(struct peer *p, const struct peer_case *c, size_t times)
{
    char question[96];
    const char *answer;

    snprintf(question, sizeof(question), "run %zu %zu %zu", c->batch, c->rows, times);
    answer = peer_ask(p, question);
    return answer ? strtod(answer, NULL) : NAN;
}

/* The peer with its best setting, warm; NULL when there is none. */
static struct peer *best_peer(const struct big *big, const struct peer_case *c)
{
    double best = INFINITY;
    size_t choice = ARRAY_LEN(SETTINGS);

    for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++) {
        struct peer *p = start(big, i);
        double least = INFINITY;

        if (!p)
            return NULL;
        for (size_t t = 0; t < TRIES + 1; t++) {
            double seconds = ask_seconds(p, c, 1);
            if (t > 0)
                least = fmin(least, seconds);
        }
        if (least < best) {
            best = least;
            choice = i;
        }
        peer_stop(p);
    }
    return choice < ARRAY_LEN(SETTINGS) ? start(big, choice) : NULL;
}

static double ours_seconds(struct side *s, size_t times)
{
    uint64_t begin = clock_ns();

    for (size_t i = 0; i < times; i++)
        big_prefill(s->big, s->c->batch, s->c->rows);
    return (double)(clock_ns() - begin) * 1e-9 / (double)times;
}

/* The last prompt's logits, ours against the peer's. */
static bool same_logits(struct side *s)
{
    char question[64];
    char *at;
    double top = 0, worst = 0;
    const float *ours = big_prefill(s->big, s->c->batch, s->c->rows);

    snprintf(question, sizeof(question), "logits %zu %zu", s->c->batch, s->c->rows);
    at = (char *)peer_ask(s->peer, question);
    for (size_t i = 0; at && i < s->c->shape.vocab; i++) {
        double theirs = strtod(at, &at);
        top = fmax(top, fabs(theirs));
        worst = fmax(worst, fabs(theirs - (double)ours[i]));
    }
    return at && top > 0 && worst <= 1e-4 * top;
}

static size_t repeats(double seconds)
{
    return MAX((size_t)(MEASURE_MS * 1e-3 / seconds), (size_t)1);
}

static void measure(struct side *s)
{
    const size_t n = s->b->quick ? PAIRS_QUICK : PAIRS;
    double ratio[PAIRS], ours[PAIRS], theirs[PAIRS], tokens = (double)(s->c->batch * s->c->rows);
    char name[96];

    s->times_ours = repeats(ours_seconds(s, 2));
    s->times_peer = repeats(ask_seconds(s->peer, s->c, 2));
    for (size_t i = 0; i < n; i++) {
        settle();
        ours[i] = tokens / ours_seconds(s, s->times_ours);
        theirs[i] = tokens / ask_seconds(s->peer, s->c, s->times_peer);
        ratio[i] = ours[i] / theirs[i];
    }
    bench_report(s->b, s->c->name, "ratio", bench_figure(ratio, n), BETTER_HIGHER, s->c->limit);
    snprintf(name, sizeof(name), "%.*s", (int)(strlen(s->c->name) - strlen(".vs_torch")),
             s->c->name);
    bench_report(s->b, name, "tokens/s", bench_figure(ours, n), BETTER_HIGHER, NAN);
    snprintf(name + strlen(name), sizeof(name) - strlen(name), ".torch");
    bench_report(s->b, name, "tokens/s", bench_figure(theirs, n), BETTER_HIGHER, NAN);
}

void bench_engine_torch(struct bench *b)
{
    if (!peer_run((const char *const[]){ "/usr/bin/python3", "-c", "import torch, numpy", NULL })) {
        for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
            char text[128];
            snprintf(text, sizeof(text), "%s: no PyTorch here; ./dev setup bench installs it",
                     CASES[i].name);
            bench_note(b, text);
        }
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct side s = { .b = b, .c = &CASES[i] };

        if (!bench_wants(b, CASES[i].name))
            continue;
        s.big = big_open(&s.c->shape);
        s.peer = best_peer(s.big, s.c);
        if (!s.peer)
            bench_note(b, "the PyTorch peer does not start");
        else if (!same_logits(&s))
            bench_note(b, "PyTorch's logits differ by more than 1e-4 of the largest: no figure");
        else
            measure(&s);
        peer_stop(s.peer);
        big_close(s.big);
    }
}
