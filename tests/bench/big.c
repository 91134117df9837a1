/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/big.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/bench/embedded.h"
#include "tests/bench/peer.h"
#include "worker/pin.h"

enum { THREADS = 2, POSITIONS = 512, BATCH_MAX = 64 };

static void make(const struct big_shape *s, const char *folder)
{
    char program[4096], number[8][24];
    const size_t value[] = { s->layers, s->dim,   s->heads, s->kv_heads,
                             s->hidden, s->vocab, POSITIONS };
    const char *option[] = { "--layers", "--dim",   "--heads",    "--kv-heads",
                             "--hidden", "--vocab", "--positions" };
    const char *argv[32] = { program, "--format", "hf", "--arch", "llama", "--dtype", s->dtype };
    size_t n = 7;

    peer_beside(program, sizeof(program), "drover-make-checkpoint");
    for (size_t i = 0; i < ARRAY_LEN(value); i++) {
        snprintf(number[i], sizeof(number[i]), "%zu", value[i]);
        argv[n++] = option[i];
        argv[n++] = number[i];
    }
    argv[n++] = "--tied";
    argv[n++] = "--seed";
    argv[n++] = "1";
    argv[n++] = "--out";
    argv[n++] = folder;
    if (!peer_run(argv)) {
        fprintf(stderr, "drover-bench: %s failed\n", program);
        exit(1);
    }
}

void big_bind(struct big *g)
{
    pin_slot(g->pin, 0, g->pool);
}

void big_loosen(struct big *g)
{
    pin_loosen(g->pin);
}

struct big *big_open(const struct big_shape *shape)
{
    CLEANUP(buf_release) struct buf why = { 0 };
    struct big *g = mem_calloc(1, sizeof(*g));
    struct err err = { 0 };

    snprintf(g->folder, sizeof(g->folder), "/tmp/drover-bench-XXXXXX");
    if (!mkdtemp(g->folder)) {
        perror("drover-bench: mkdtemp");
        exit(1);
    }
    make(shape, g->folder);
    g->threads = sysconf(_SC_NPROCESSORS_ONLN) >= THREADS ? THREADS : 1;
    g->pool = pool_new(g->threads);
    peer_keep_cores();
    g->pin = pin_new(PIN_AUTO, 1, g->threads, NULL, &why);
    big_bind(g);
    bench_must(model_open(&g->model, g->folder, NULL, NULL, &err), &err, "model");
    g->sweep = sweep_new(g->model, g->pool);
    g->tokens = mem_calloc(BATCH_MAX * POSITIONS, sizeof(*g->tokens));
    g->logits = mem_aligned(BATCH_MAX * shape->vocab, sizeof(float));
    for (size_t l = 0; l < shape->layers; l++)
        g->routing[l] = ROUTING_EXECUTE;
    return g;
}

void big_close(struct big *g)
{
    static const char *const files[] = { "model.safetensors", "config.json", "tokenizer.json",
                                         "tokenizer_config.json" };
    char path[128];

    sweep_free(g->sweep);
    model_free(g->model);
    pool_free(g->pool);
    big_loosen(g);
    pin_free(g->pin);
    free(g->tokens);
    free(g->logits);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", g->folder, files[i]);
        (void)unlink(path); /* not every format has each */
    }
    (void)rmdir(g->folder);
    free(g);
}

const float *big_prefill(struct big *g, size_t batch, size_t rows)
{
    const size_t vocab = g->model->conf.vocab;
    struct sweep_seq seq[BATCH_MAX];
    struct err err = { 0 };

    for (size_t b = 0; b < batch; b++) {
        uint32_t *tokens = g->tokens + b * rows;

        for (size_t i = 0; i < rows; i++)
            tokens[i] = (uint32_t)((7 * i + 3 + 5 * b) % vocab);
        seq[b] = (struct sweep_seq){ .tokens = tokens,
                                     .rows = rows,
                                     .routing = g->routing,
                                     .logits_from = rows - 1,
                                     .logits = g->logits + b * vocab };
    }
    bench_must(sweep_run(g->sweep, seq, batch, NULL, &err), &err, "prefill");
    return g->logits + (batch - 1) * vocab;
}
