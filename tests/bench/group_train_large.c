/* SPDX-License-Identifier: Apache-2.0 */
/* group_train_large.c - two policy updates of a random model of Qwen2.5-0.5B's shape on completions
 * of GSM8K's lengths: what it takes in memory, that it is saved as a folder and opens again as the
 * same model. Minutes and 16 GiB: only with --only train.large. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/bench/bench.h"
#include "tests/bench/embedded.h"
#include "tests/bench/peer.h"
#include "worker/model/generate.h"
#include "worker/train/policy.h"

enum {
    PROBLEMS = 2,
    GROUP = 4,
    SEQUENCES = PROBLEMS * GROUP,
    PROMPT = 200,
    NEW_LEAST = 100,
    NEW_MOST = 300,
    SAMPLED = 8, /* of them really, by the trainer's view; the others are drawn */
    UPDATES = 2,
    ROWS_MAX = SEQUENCES * (PROMPT + NEW_MOST),
    THREADS = 2,
};

struct large {
    char folder[64], saved[80];
    struct pool *pool;
    struct trainer *trainer;
    uint32_t tokens[ROWS_MAX], target[ROWS_MAX];
    size_t start[SEQUENCES + 1];
    double weight[ROWS_MAX], advantage[ROWS_MAX], old[ROWS_MAX];
};

/* Most memory that this process had, GiB. */
static double resident_gib(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    double kib = NAN;

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (f)
        (void)fclose(f);
    return kib / (1 << 20);
}

static void open_model(struct large *g)
{
    char program[4096], folder[80];
    const char *argv[] = { program,   "--format", "hf",    "--preset", "qwen2.5-0.5b",
                           "--dtype", "bf16",     "--out", folder,     NULL };
    struct train_conf c = train_conf_default();
    struct err err = { 0 };

    snprintf(g->folder, sizeof(g->folder), "/tmp/drover-bench-XXXXXX");
    if (!mkdtemp(g->folder)) {
        perror("drover-bench: mkdtemp");
        exit(1);
    }
    snprintf(folder, sizeof(folder), "%s/model", g->folder);
    snprintf(g->saved, sizeof(g->saved), "%s/saved", g->folder);
    peer_beside(program, sizeof(program), "drover-make-checkpoint");
    if (!peer_run(argv)) {
        fprintf(stderr, "drover-bench: %s failed\n", program);
        exit(1);
    }
    g->pool = pool_new(THREADS);
    c.gemm = TRAIN_GEMM_PACKED;
    c.learning_rate = 1e-6;
    c.warmup = 0;
    bench_must(trainer_open(&g->trainer, &c, folder, g->pool, NULL, &err), &err, "trainer");
}

/* SAMPLED tokens behind each prompt, drawn by the present policy. */
static void sample(struct large *g, struct generation *out, const uint32_t *prompt)
{
    static uint8_t routing[MODEL_LAYERS_MAX];
    struct sweep *sweep = sweep_new(trainer_model(g->trainer), g->pool);
    struct err err = { 0 };

    memset(routing, ROUTING_EXECUTE, sizeof(routing));
    for (size_t i = 0; i < SEQUENCES; i++)
        out[i] = (struct generation){ .prompt = prompt + i / GROUP * PROMPT,
                                      .prompt_len = PROMPT,
                                      .routing = routing,
                                      .max_new = SAMPLED,
                                      .sampling = { .temperature = 1, .top_p = 1, .stream = i } };
    bench_must(generate_run(sweep, out, SEQUENCES, SEQUENCES, NULL, &err), &err, "rollout");
    sweep_free(sweep);
}

/* A batch: prompts, what was sampled, and then any tokens; completions are the targets. */
static void draw(struct large *g, uint64_t update)
{
    struct rng r = rng_stream("bench-large", 1, update);
    const uint32_t vocab = (uint32_t)trainer_conf(g->trainer)->model.vocab;
    static uint32_t prompt[PROBLEMS * PROMPT];
    struct generation sampled[SEQUENCES];
    size_t at = 0;

    for (size_t i = 0; i < PROBLEMS * PROMPT; i++)
        prompt[i] = rng_below(&r, vocab);
    sample(g, sampled, prompt);
    for (size_t s = 0; s < SEQUENCES; s++) {
        const size_t new = NEW_LEAST + rng_below(&r, NEW_MOST - NEW_LEAST + 1);

        g->start[s] = at;
        for (size_t i = 0; i < PROMPT + new; i++, at++) {
            g->tokens[at] = i < PROMPT                        ? prompt[s / GROUP * PROMPT + i]
                            : i - PROMPT < sampled[s].ids_len ? sampled[s].ids[i - PROMPT]
                                                              : rng_below(&r, vocab);
            if (i > 0)
                g->target[at - 1] = i >= PROMPT ? g->tokens[at] : TRAIN_NO_TARGET;
            g->target[at] = TRAIN_NO_TARGET;
            g->weight[at] = 1.0 / (double)(SEQUENCES * new);
            g->advantage[at] = s % 2 ? 1 : -1;
        }
        generation_release(&sampled[s]);
    }
    g->start[SEQUENCES] = at;
}

static double update(struct large *g)
{
    const struct train_batch b = {
        .tokens = g->tokens, .target = g->target, .start = g->start, .sequences = SEQUENCES
    };
    struct policy p = { .conf = policy_conf_default(),
                        .weight = g->weight,
                        .advantage = g->advantage,
                        .logprob = g->old };
    struct policy_report report;
    struct err err = { 0 };
    uint64_t begin = clock_ns();

    bench_must(trainer_policy_step(g->trainer, &b, &p, &report, &err), &err, "update");
    return (double)(clock_ns() - begin) * 1e-9;
}

/* Logits of M behind the batch's first prompt. */
static float *logits_of(struct large *g, const struct model *m)
{
    static uint8_t routing[MODEL_LAYERS_MAX];
    float *logits = mem_aligned(m->conf.vocab, sizeof(float));
    struct sweep *sweep = sweep_new(m, g->pool);
    struct sweep_seq seq = { .tokens = g->tokens,
                             .rows = PROMPT,
                             .routing = routing,
                             .logits_from = PROMPT - 1,
                             .logits = logits };
    struct err err = { 0 };

    memset(routing, ROUTING_EXECUTE, sizeof(routing));
    bench_must(sweep_run(sweep, &seq, 1, NULL, &err), &err, "prompt");
    sweep_free(sweep);
    return logits;
}

/* The trainer is freed, so that the model does not stand beside it. */
static bool saved_and_opened(struct large *g)
{
    CLEANUP(mem_cleanup) float *want = logits_of(g, trainer_model(g->trainer)), *found = NULL;
    struct model *m;
    struct err err = { 0 };
    bool same;

    bench_must(model_save(g->saved, &trainer_conf(g->trainer)->model, trainer_weights(g->trainer),
                          NULL, &err),
               &err, "save");
    trainer_free(g->trainer);
    g->trainer = NULL;
    bench_must(model_open(&m, g->saved, NULL, NULL, &err), &err, "open what was saved");
    found = logits_of(g, m);
    same = memcmp(want, found, m->conf.vocab * sizeof(float)) == 0;
    model_free(m);
    return same;
}

void bench_train_large(struct bench *b)
{
    struct large *g;
    double seconds[UPDATES], gib;

    if (!b->only || !strstr(b->only, "train.large"))
        return;
    g = mem_calloc(1, sizeof(*g));
    open_model(g);
    bench_note(b, "train.large: the model is open");
    for (size_t i = 0; i < UPDATES; i++) {
        draw(g, i);
        seconds[i] = update(g);
        bench_note(b, "train.large: an update is done");
    }
    gib = resident_gib();
    bench_report(b, "train.large.resident", "GiB", bench_figure(&gib, 1), BETTER_LOWER, 20);
    bench_report(b, "train.large.update", "s", bench_figure(seconds, UPDATES), BETTER_LOWER, NAN);
    if (!saved_and_opened(g)) {
        fprintf(stderr, "drover-bench: the saved model has other logits\n");
        exit(1);
    }
    bench_note(b, "train.large: saved, opened again, the same logits");
    pool_free(g->pool);
    (void)peer_run((const char *const[]){ "/bin/rm", "-rf", g->folder, NULL });
    free(g);
}
