/* SPDX-License-Identifier: Apache-2.0 */
/* sweep.h - one pass over the layers serves many evaluations, whatever each skips or repeats (design: section 7).
 *
 * For each layer the rows of all sequences that execute it are gathered, pass through the block once, and those that repeat
 * it pass a second time. A row's result does not depend on who shares the pass. A repeated layer is the block applied twice to the
 * same positions; a cache holds one slot per path position. */
#ifndef WORKER_MODEL_SWEEP_H
#define WORKER_MODEL_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/progress.h"
#include "worker/kernels/pool.h"
#include "worker/model/model.h"

enum routing { ROUTING_SKIP, ROUTING_EXECUTE, ROUTING_REPEAT };

/* Keys and values of one sequence under one routing: SLOTS x CAPACITY positions. */
struct kv;
/* SLOTS = sum of the routing; grows with use up to CAPACITY positions. ERR_NOMEM. */
int kv_new(struct kv **ret, const struct model_conf *c, const uint8_t *routing, size_t capacity, struct err *err) MUST_CHECK;
void kv_free(struct kv *kv);
size_t kv_len(const struct kv *kv); /* positions held */

struct sweep_seq {
    const uint32_t *tokens; /* [rows], ids < vocab (asserted); not read when START is given */
    size_t rows;
    const uint8_t *routing; /* [layers], 0 skip, 1 execute, 2 repeat */
    size_t start_layer;     /* 0, or the layer whose input START is */
    const float *start;     /* (rows, dim), the state in front of start_layer; NULL with start_layer 0 */
    struct kv *kv;          /* appended to: rows are at positions kv_len..; NULL: positions 0..rows-1, no cache */
    float **save;           /* NULL, or [layers + 1]: where save[l] is not NULL the state (rows, dim) in front of layer l (l = layers: in
                               front of the final norm) is copied to it, for l >= start_layer */
    size_t logits_from;     /* rows logits_from..rows-1 get logits; = rows: none */
    float *logits;          /* (rows - logits_from, vocab) */
};

struct sweep;
/* Scratch for one slot over model M; POOL may be NULL. Not thread-safe; one per slot. */
struct sweep *sweep_new(const struct model *m, struct pool *pool);
void sweep_free(struct sweep *s);
/* Run all sequences. Scratch grows with the largest pass (ERR_NOMEM). Ticks PROGRESS (may be NULL) once per layer and
 * returns ERR_CANCELLED when it is stopped; then outputs are undefined. ERR_LIMIT: positions beyond the model's. */
int sweep_run(struct sweep *s, struct sweep_seq *seq, size_t n, struct progress *progress, struct err *err) MUST_CHECK;

/* Layer applications weighted by token rows since sweep_new: the cost unit of searches and tables. */
uint64_t sweep_layer_rows(const struct sweep *s);
/* Time inside gemm calls and in all of sweep_run, nanoseconds, and floating point operations of the former, for the bench. */
struct sweep_stats {
    uint64_t gemm_ns, total_ns, gemm_flop;
};
void sweep_measure(struct sweep *s, bool on);
struct sweep_stats sweep_stats(const struct sweep *s);

/* Greedy text from PROMPT ids: up to MAX_NEW tokens, stopping at eos. Cached decoding; bit-equal to running without a cache. Appends to
 * *RET ids (capacity MAX_NEW). */
int generate_greedy(struct sweep *s, const uint32_t *prompt, size_t prompt_len, const uint8_t *routing, size_t max_new, uint32_t *ret,
                    size_t *ret_len, struct progress *progress, struct err *err) MUST_CHECK;

#endif
