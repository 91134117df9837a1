/* SPDX-License-Identifier: Apache-2.0 */
/* group_train_torch.c - a whole training step (forward, backward, clipping, AdamW) and the sampling
 * of GRPO's groups against PyTorch: the same weights, tokens and number of threads, its best thread
 * setting. Losses and greedy texts are compared first: a peer that computes something else is no
 * peer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    PAIRS_QUICK = 5,
    TRIES = 3, /* runs that choose among the peer's settings */
    ROWS = 48, /* of a training sequence */
    BATCH = 32,
    CHECKED = 4, /* steps whose last loss is compared */
    GROUPS = 32, /* prompts of a rollout */
    GROUP = 8,   /* completions of each */
    PROMPT = 16, /* tokens */
    NEW = 48,    /* tokens sampled per completion */
    GREEDY = 16, /* tokens compared */
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

/* The peer with its best setting for QUESTION; NULL when there is none. */
static struct peer *best_peer(const struct big *big, const char *question)
{
    double best = INFINITY;
    size_t choice = ARRAY_LEN(SETTINGS);

    for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++) {
        struct peer *p = start(big, i);
        double least = INFINITY;

        if (!p)
            return NULL;
        for (size_t k = 0; k < TRIES + 1; k++) {
            double seconds = ask(p, question, NULL);

            if (k > 0) /* the first warms up */
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

    snprintf(question, sizeof(question), "step %d %d %d", BATCH, ROWS, CHECKED);
    (void)ask(s->peer, question, &theirs);
    (void)step_seconds(s, CHECKED);
    return fabs(theirs - s->loss) <= 1e-3 * s->loss;
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
    s.peer = best_peer(s.big, question);
    if (!s.peer)
        bench_note(b, "the PyTorch peer does not start");
    else if (!same_loss(&s))
        bench_note(b, "PyTorch's loss after some steps differs by more than 1e-3: no figure");
    else
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
    for (size_t i = 0; at && i < GREEDY; i++)
        if (strtoul(at, &at, 10) != ours[i])
            return false;
    return at;
}

/* Flops per second of the products of one decode step of all completions, with nothing between
 * them, on one thread. */
static double bare_rate(struct side *s, size_t rows, float *x, float *y)
{
    const struct model *m = s->big->model;
    double flop = 0;
    uint64_t begin = clock_ns();

    for (size_t i = 0; i <= 4 * m->conf.layers; i++) {
        const struct model_layer *l = &m->layer[MIN(i / 4, m->conf.layers - 1)];
        const struct packed *w[] = { &l->wqkv, &l->wo, &l->w13, &l->w2 };
        const struct packed *p = i == 4 * m->conf.layers ? &m->head : w[i % 4];

        m->kern->gemm(y, p->n, x, p->k, p, rows, 0, p->n);
        flop += 2.0 * (double)(rows * p->k * p->n);
    }
    return flop * 1e9 / (double)(clock_ns() - begin);
}

/* The share of a whole rollout that its products would take at the bare kernel's rate: one thread,
 * sampling and everything else counted. */
static void measure_share(struct side *s)
{
    const size_t n = s->b->quick ? PAIRS_QUICK : PAIRS, rows = GROUPS * GROUP;
    const struct model_conf *c = &s->big->model->conf;
    CLEANUP(mem_cleanup) float *x = mem_aligned(rows * c->hidden, sizeof(float));
    CLEANUP(mem_cleanup) float *y = mem_aligned(rows * 2 * MAX(c->hidden, c->vocab), sizeof(float));
    struct sweep *both = s->big->sweep;
    double share[PAIRS], inside[PAIRS], bare[PAIRS];

    s->big->sweep = sweep_new(s->big->model, NULL);
    for (size_t i = 0; i < n; i++) {
        sweep_measure(s->big->sweep, true);
        const double seconds = generate(s, GROUPS, GROUP, NEW, 1, NULL);

        inside[i] = (double)sweep_stats(s->big->sweep).gemm_flop / seconds * 1e-9;
        bare[i] = 0;
        for (size_t k = 0; k < 20; k++) /* the best is the one not interrupted */
            bare[i] = fmax(bare[i], bare_rate(s, rows, x, y) * 1e-9);
        share[i] = inside[i] / bare[i];
    }
    sweep_free(s->big->sweep);
    s->big->sweep = both;
    bench_report(s->b, "train.rollout.gemm_share", "ratio", bench_figure(share, n), BETTER_HIGHER,
                 0.6);
    bench_report(s->b, "train.rollout.gemm.inside", "GFLOP/s", bench_figure(inside, n),
                 BETTER_HIGHER, NAN);
    bench_report(s->b, "train.rollout.gemm.bare", "GFLOP/s", bench_figure(bare, n), BETTER_HIGHER,
                 NAN);
}

static void measure_rollout(struct side *s, const char *question)
{
    const size_t n = s->b->quick ? PAIRS_QUICK : PAIRS;
    const double tokens = GROUPS * GROUP * NEW;
    double ratio[PAIRS], ours[PAIRS], theirs[PAIRS];

    (void)generate(s, GROUPS, GROUP, NEW, 1, NULL);
    for (size_t i = 0; i < n; i++) {
        (void)usleep(SETTLE_US);
        ours[i] = tokens / generate(s, GROUPS, GROUP, NEW, 1, NULL);
        theirs[i] = tokens / ask(s->peer, question, NULL);
        ratio[i] = ours[i] / theirs[i];
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
        s.peer = best_peer(s.big, question);
        if (!s.peer)
            bench_note(b, "the PyTorch peer does not start");
        else if (!same_text(&s))
            bench_note(b, "PyTorch's greedy text is another: no figure");
        else
            measure_rollout(&s, question);
        peer_stop(s.peer);
    }
    big_close(s.big);
}

void bench_train_torch(struct bench *b)
{
    const bool torch =
        peer_run((const char *const[]){ "/usr/bin/python3", "-c", "import torch, numpy", NULL });

    if (!torch)
        bench_note(b, "train.*.vs_torch: no PyTorch here; ./dev setup bench installs it");
    for (size_t i = 0; i < ARRAY_LEN(STEPS) && torch; i++)
        if (bench_wants(b, STEPS[i].name))
            bench_steps(b, &STEPS[i]);
    if (bench_wants(b, "train.rollout.b256.vs_torch") || bench_wants(b, "train.rollout.gemm_share"))
        bench_rollout(b, torch);
}
