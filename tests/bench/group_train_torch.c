/* SPDX-License-Identifier: Apache-2.0 */
/* group_train_torch.c - a whole training step (forward, backward, clipping, AdamW) and the sampling
 * of GRPO's groups against PyTorch: the same weights, tokens and number of threads, its best thread
 * setting. Losses and greedy texts are compared first: a peer that computes something else is no
 * peer. */
#include <assert.h>
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
#include "worker/model/generate.h"

enum {
    PAIRS = 9,
    PAIRS_QUICK = 3,
    TRIES = 4, /* runs that choose among the peer's settings, the first of several warms up */
    TRIES_QUICK = 1,
    ROWS = 48, /* of a training sequence */
    BATCH = 32,
    CHECKED = 4, /* steps whose last loss is compared */
    CHECKED_QUICK = 2,
    GROUPS = 32, /* prompts of a rollout */
    GROUP = 8,   /* completions of each */
    PROMPT = 16, /* tokens */
    NEW = 48,    /* tokens sampled per completion */
    GREEDY = 16, /* tokens compared */
    BARE_TIMES = 10,
    SETTLE_US = 100000,
};

static const struct step_case {
    const char *name;
    struct big_shape shape;
    double limit;
} STEPS[] = {
    { "train.step.d128.vs_torch", { 12, 128, 4, 4, 512, 256, "f32" }, 2.0 },
    { "train.step.d288.vs_torch", { 16, 288, 6, 6, 768, 4096, "f32" }, 1.5 },
};
static const struct big_shape ROLLOUT = { 12, 128, 4, 4, 512, 256, "f32" };

/* How PyTorch's two pools share the cores (both spinning is slower than one thread). */
static const char *const SETTINGS[][3] = {
    { "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=2", "2" },
    { "OPENBLAS_NUM_THREADS=2", "OMP_WAIT_POLICY=passive", "2" },
    { "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "1" },
};

struct side {
    struct bench *b;
    struct big *big;
    struct peer *peer;
    struct trainer *trainer;
    uint32_t tokens[BATCH * ROWS], target[BATCH * ROWS];
    size_t start[BATCH + 1];
    double loss; /* of the last step */
};

static uint32_t token_of(const struct side *s, size_t sequence, size_t i)
{
    return (uint32_t)((7 * i + 3 + 5 * sequence) % s->big->model->conf.vocab);
}

static struct peer *start(const struct big *big, size_t setting)
{
    const char *const *s = SETTINGS[setting];
    const char *env[] = { s[0], s[1], NULL };
    const char *argv[] = { "/usr/bin/python3", DROVER_BENCH_FOLDER "/train_peer.py", big->folder,
                           big->threads == 1 ? "1" : s[2], NULL };
    struct peer *p = peer_start(argv, env);

    if (p && peer_ask(p, "ready"))
        return p;
    peer_stop(p);
    return NULL;
}

/* First number of the peer's answer: seconds; NAN when it is gone. The second, when there is one,
 * in *RET. */
static double ask(struct peer *p, const char *question, double *ret)
{
    char *answer = (char *)peer_ask(p, question);
    double seconds = answer ? strtod(answer, &answer) : NAN;

    if (ret)
        *ret = answer ? strtod(answer, NULL) : NAN;
    return seconds;
}

/* Seconds that P takes for QUESTION at best. */
static double trial(const struct side *s, struct peer *p, const char *question)
{
    const size_t tries = s->b->quick ? TRIES_QUICK : TRIES;
    double least = INFINITY;

    for (size_t k = 0; k < tries; k++) {
        const double seconds = ask(p, question, NULL);

        if (isnan(seconds))
            return NAN;
        if (k > 0 || tries == 1)
            least = fmin(least, seconds);
    }
    return least;
}

/* The peer with its best setting for QUESTION, in s->peer; false, with a note, when there is none
 * or the first one does not compute the SAME. */
static bool best_peer(struct side *s, const char *question, bool (*same)(struct side *s))
{
    double best = INFINITY;

    for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++) {
        struct peer *p = start(s->big, i), *worse = p;

        if (p && !s->peer) { /* the first: nobody has asked it anything yet */
            s->peer = p;
            worse = NULL;
            if (!same(s))
                return false;
        }
        const double least = p ? trial(s, p, question) : NAN;

        if (least < best && worse) {
            worse = s->peer;
            s->peer = p;
        }
        best = fmin(best, least);
        peer_stop(worse);
    }
    if (!isfinite(best))
        bench_note(s->b, "the PyTorch peer does not start, or fails");
    return isfinite(best);
}

/* A name of figures beside NAME, which ends in ".vs_torch". */
static const char *beside(char out[96], const char *name, const char *end)
{
    snprintf(out, 96, "%.*s%s", (int)(strlen(name) - strlen(".vs_torch")), name, end);
    return out;
}

static void report(struct side *s, const char *name, double limit, size_t n, double *ratio,
                   double *ours, double *theirs)
{
    char other[96];

    bench_report(s->b, name, "ratio", bench_figure(ratio, n), BETTER_HIGHER, limit);
    bench_report(s->b, beside(other, name, ".tokens_per_s"), "tokens/s", bench_figure(ours, n),
                 BETTER_HIGHER, NAN);
    bench_report(s->b, beside(other, name, ".tokens_per_s.torch"), "tokens/s",
                 bench_figure(theirs, n), BETTER_HIGHER, NAN);
}

/* ------------------------------------------------------------------------------------- steps */

static void trainer_begin(struct side *s)
{
    struct train_conf c = train_conf_default();
    struct err err = { 0 };

    c.learning_rate = 1e-4; /* constant, as the peer's */
    c.final_rate = 1;
    c.warmup = 0;
    c.gemm = TRAIN_GEMM_PACKED;
    bench_must(trainer_open(&s->trainer, &c, s->big->folder, s->big->pool, NULL, &err), &err,
               "trainer");
    for (size_t b = 0; b < BATCH; b++) {
        s->start[b + 1] = (b + 1) * ROWS;
        for (size_t i = 0; i < ROWS; i++) {
            s->tokens[b * ROWS + i] = token_of(s, b, i);
            s->target[b * ROWS + i] = token_of(s, b, i + 1);
        }
    }
}

static double step_seconds(struct side *s, size_t times)
{
    const struct train_batch batch = {
        .tokens = s->tokens, .target = s->target, .start = s->start, .sequences = BATCH
    };
    uint64_t begin = clock_ns();

    for (size_t i = 0; i < times; i++) {
        struct train_report r;
        struct err err = { 0 };

        bench_must(trainer_step(s->trainer, &batch, &r, &err), &err, "step");
        s->loss = r.loss;
    }
    return (double)(clock_ns() - begin) * 1e-9 / (double)times;
}

static bool same_loss(struct side *s)
{
    char question[64];
    double theirs;
    const size_t times = s->b->quick ? CHECKED_QUICK : CHECKED;

    snprintf(question, sizeof(question), "step %d %d %zu", BATCH, ROWS, times);
    (void)ask(s->peer, question, &theirs);
    (void)step_seconds(s, times);
    if (fabs(theirs - s->loss) <= 1e-3 * s->loss)
        return true;
    snprintf(question, sizeof(question), "no figure: loss %.6f, PyTorch's %.6f", s->loss, theirs);
    bench_note(s->b, question);
    return false;
}

static void measure_steps(struct side *s, const struct step_case *c)
{
    const size_t n = s->b->quick ? PAIRS_QUICK : PAIRS;
    double ratio[PAIRS], ours[PAIRS], theirs[PAIRS];
    char question[64];

    snprintf(question, sizeof(question), "step %d %d 1", BATCH, ROWS);
    for (size_t i = 0; i < n; i++) {
        (void)usleep(SETTLE_US); /* the peer's idle threads spin that long at most */
        ours[i] = BATCH * ROWS / step_seconds(s, 1);
        theirs[i] = BATCH * ROWS / ask(s->peer, question, NULL);
        ratio[i] = ours[i] / theirs[i];
    }
    report(s, c->name, c->limit, n, ratio, ours, theirs);
}

static void bench_steps(struct bench *b, const struct step_case *c)
{
    struct side s = { .b = b, .big = big_open(&c->shape) };
    char question[64];

    snprintf(question, sizeof(question), "step %d %d 1", BATCH, ROWS);
    trainer_begin(&s);
    if (best_peer(&s, question, same_loss))
        measure_steps(&s, c);
    peer_stop(s.peer);
    trainer_free(s.trainer);
    big_close(s.big);
}

/* ------------------------------------------------------------------------------------ rollout */

/* Continue N prompts, SIZE completions of each; seconds. IDS: the last one's tokens, or NULL. */
static double generate(struct side *s, size_t n, size_t size, size_t tokens, double temperature,
                       uint32_t *ids)
{
    CLEANUP(mem_cleanup) struct generation *g = mem_calloc(n * size, sizeof(*g));
    CLEANUP(mem_cleanup) uint32_t *prompt = mem_calloc(n * PROMPT, sizeof(*prompt));
    struct err err = { 0 };
    uint64_t begin;
    double seconds;

    for (size_t i = 0; i < n * PROMPT; i++)
        prompt[i] = token_of(s, i / PROMPT, i % PROMPT);
    for (size_t i = 0; i < n * size; i++)
        g[i] = (struct generation){
            .prompt = prompt + i / size * PROMPT,
            .prompt_len = PROMPT,
            .routing = s->big->routing,
            .max_new = tokens,
            .sampling = { .temperature = temperature, .top_p = 1, .seed = 1, .stream = i }
        };
    begin = clock_ns();
    bench_must(generate_run(s->big->sweep, g, n * size, GROUPS * GROUP, NULL, &err), &err,
               "rollout");
    seconds = (double)(clock_ns() - begin) * 1e-9;
    for (size_t i = 0; i < n * size; i++) {
        assert(g[i].ids_len == tokens);
        if (ids && i == 0)
            memcpy(ids, g[i].ids, tokens * sizeof(*ids));
        generation_release(&g[i]);
    }
    return seconds;
}

static bool same_text(struct side *s)
{
    uint32_t ours[GREEDY];
    char question[64], *at;

    (void)generate(s, 1, 1, GREEDY, 0, ours);
    snprintf(question, sizeof(question), "greedy %d %d", PROMPT, GREEDY);
    at = (char *)peer_ask(s->peer, question);
    for (size_t i = 0; i < GREEDY; i++) {
        if (at && strtoul(at, &at, 10) == ours[i])
            continue;
        bench_note(s->b, "no figure: PyTorch's greedy text is another");
        return false;
    }
    return true;
}

static uint64_t thread_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Rows of the products' inputs and outputs, for bare_rate(). */
struct bare {
    const struct model *m;
    size_t rows;
    float *x, *y;
};

/* Flops per second of the products of one decode step of all completions, with nothing between
 * them, on this thread. */
static double bare_once(const struct bare *b)
{
    const struct model *m = b->m;
    double flop = 0;
    uint64_t begin = thread_ns();

    for (size_t i = 0; i <= 4 * m->conf.layers; i++) {
        const struct model_layer *l = &m->layer[MIN(i / 4, m->conf.layers - 1)];
        const struct packed *w[] = { &l->wqkv, &l->wo, &l->w13, &l->w2 };
        const struct packed *p = i == 4 * m->conf.layers ? &m->head : w[i % 4];

        m->kern->gemm(b->y, p->n, b->x, p->k, p, b->rows, 0, p->n);
        flop += 2.0 * (double)(b->rows * p->k * p->n);
    }
    return flop * 1e9 / (double)(thread_ns() - begin);
}

/* The best of several: the one that nobody disturbed. */
static double bare_rate(const struct bare *b)
{
    double most = 0;

    for (size_t k = 0; k < BARE_TIMES; k++)
        most = fmax(most, bare_once(b));
    return most;
}

/* The rate of the products inside a rollout over their bare rate, as search.gemm_share has it: what
 * their neighbours (attention, norms, sampling) cost them in the caches. Their part of the time is
 * another figure. One thread, on the CPU. */
static void measure_share(struct side *s)
{
    const size_t n = s->b->quick ? PAIRS_QUICK : PAIRS, rows = GROUPS * GROUP;
    const struct model_conf *c = &s->big->model->conf;
    const size_t widest = MAX(2 * c->hidden, MAX(c->vocab, 3 * c->dim));
    CLEANUP(mem_cleanup) float *x = mem_aligned(rows * c->hidden, sizeof(float));
    CLEANUP(mem_cleanup) float *y = mem_aligned(rows * widest, sizeof(float));
    const struct bare bare_of = { s->big->model, rows, x, y };
    struct sweep *both = s->big->sweep;
    double share[PAIRS], inside[PAIRS], bare[PAIRS], part[PAIRS], tokens[PAIRS];

    for (size_t i = 0; i < rows * c->hidden; i++)
        x[i] = (float)(i % 17) * 0.1f - 0.8f;
    s->big->sweep = sweep_new(s->big->model, NULL);
    for (size_t i = 0; i < n; i++) {
        const double before = bare_rate(&bare_of);
        const uint64_t begin = thread_ns();

        sweep_measure(s->big->sweep, true);
        (void)generate(s, GROUPS, GROUP, NEW, 1, NULL);
        const double ns = (double)(thread_ns() - begin);
        const struct sweep_stats stats = sweep_stats(s->big->sweep);

        bare[i] = fmax(before, bare_rate(&bare_of)) * 1e-9;
        inside[i] = (double)stats.gemm_flop / (double)stats.gemm_ns;
        share[i] = inside[i] / bare[i];
        part[i] = (double)stats.gemm_ns / ns;
        tokens[i] = (double)(rows * NEW) * 1e9 / ns;
    }
    sweep_free(s->big->sweep);
    s->big->sweep = both;
    bench_report(s->b, "train.rollout.gemm_share", "ratio", bench_figure(share, n), BETTER_HIGHER,
                 0.6);
    bench_report(s->b, "train.rollout.gemm_time", "ratio", bench_figure(part, n), BETTER_HIGHER,
                 NAN);
    bench_report(s->b, "train.rollout.gemm.inside", "GFLOP/s", bench_figure(inside, n),
                 BETTER_HIGHER, NAN);
    bench_report(s->b, "train.rollout.gemm.bare", "GFLOP/s", bench_figure(bare, n), BETTER_HIGHER,
                 NAN);
    bench_report(s->b, "train.rollout.tokens_per_cpu_s", "tokens/s", bench_figure(tokens, n),
                 BETTER_HIGHER, NAN);
}

static void measure_rollout(struct side *s, const char *question)
{
    const size_t n = s->b->quick ? PAIRS_QUICK : PAIRS;
    const double tokens = GROUPS * GROUP * NEW;
    double ratio[PAIRS], ours[PAIRS], theirs[PAIRS], sampled = 0;

    (void)generate(s, GROUPS, GROUP, NEW, 1, NULL);
    for (size_t i = 0; i < n; i++) {
        (void)usleep(SETTLE_US);
        ours[i] = tokens / generate(s, GROUPS, GROUP, NEW, 1, NULL);
        theirs[i] = tokens / ask(s->peer, question, &sampled);
        ratio[i] = ours[i] / theirs[i];
    }
    if (sampled != tokens) {
        bench_note(s->b, "no figure: PyTorch sampled another number of tokens");
        return;
    }
    report(s, "train.rollout.b256.vs_torch", 3.0, n, ratio, ours, theirs);
}

static void bench_rollout(struct bench *b, bool torch)
{
    struct side s = { .b = b, .big = big_open(&ROLLOUT) };
    char question[64];

    s.big->model->conf.eos_len = 0; /* all completions have the same length */
    s.big->model->conf.bos = UINT32_MAX;
    if (bench_wants(b, "train.rollout.gemm_share"))
        measure_share(&s);
    snprintf(question, sizeof(question), "sample %d %d %d %d", GROUPS, GROUP, PROMPT, NEW);
    if (torch && bench_wants(b, "train.rollout.b256.vs_torch")) {
        if (best_peer(&s, question, same_text))
            measure_rollout(&s, question);
        peer_stop(s.peer);
    }
    big_close(s.big);
}

void bench_train_torch(struct bench *b)
{
    const bool wanted = bench_wants(b, STEPS[0].name) || bench_wants(b, STEPS[1].name) ||
                        bench_wants(b, "train.rollout.b256.vs_torch");
    const bool torch = wanted && peer_run((const char *const[]){ "/usr/bin/python3", "-c",
                                                                 "import torch, numpy", NULL });

    if (wanted && !torch)
        bench_note(b, "train.*.vs_torch: no PyTorch here; ./dev setup bench installs it");
    for (size_t i = 0; i < ARRAY_LEN(STEPS) && torch; i++)
        if (bench_wants(b, STEPS[i].name))
            bench_steps(b, &STEPS[i]);
    if (bench_wants(b, "train.rollout.b256.vs_torch") || bench_wants(b, "train.rollout.gemm_share"))
        bench_rollout(b, torch);
}
