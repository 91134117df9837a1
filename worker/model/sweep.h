/* SPDX-License-Identifier: Apache-2.0 */
/* sweep.h - one pass over the layers serves many evaluations, whatever each skips or repeats
 * (design: section 7).
 *
 * For each layer the rows of all sequences that execute it are gathered, pass through the block
 * once, and those that repeat it pass a second time. A row's result does not depend on who shares
 * the pass, nor on threads or CPU level. A repeated layer is the block applied twice to the same
 * positions; a cache holds one slot per path position. */
#ifndef WORKER_MODEL_SWEEP_H
#define WORKER_MODEL_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/progress.h"
#include "worker/kernels/pool.h"
#include "worker/model/model.h"

enum routing { ROUTING_SKIP, ROUTING_EXECUTE, ROUTING_REPEAT };

/* Keys and values of one sequence under one routing: (sum of the routing) slots of up to CAPACITY
 * positions, in pages that are allocated as positions come. */
struct kv;
/* ROUTING (layers bytes) is copied; NULL: it is decided in the pass that gives the first positions
 * (sweep_seq.decider), which allocates the slots as decisions come. Memory grows with use.
 * ERR_LIMIT: CAPACITY is above the model's positions. */
int kv_new(struct kv **ret, const struct model_conf *c, const uint8_t *routing, size_t capacity,
           struct err *err) MUST_CHECK;
/* A copy with the same positions held, to continue one context in several ways. Pages are shared
 * until one of the two writes into them, so a copy costs one page per slot at most. ERR_NOMEM. */
int kv_copy(struct kv **ret, const struct kv *from, struct err *err) MUST_CHECK;
void kv_free(struct kv *kv);
size_t kv_len(const struct kv *kv); /* positions held */
/* Forget the positions from LEN (<= kv_len, asserted) on; their pages are freed. */
void kv_truncate(struct kv *kv, size_t len);
size_t kv_bytes(const struct kv *kv); /* of its pages, shared ones counted in full */

/* A sequence in front of a layer, to be decided. */
struct sweep_decision {
    const float *x; /* (rows, dim): the rows that the decision looks at, as they enter the layer */
    size_t rows;    /* sweep_seq.decide_rows */
    uint8_t *routing; /* [layers]: decided in front of the layer; to be filled from the layer on */
};

/* Who decides routings in the pass itself (design: section 7). */
struct sweep_decider {
    /* Called in front of LAYER, on the caller's thread, with the N sequences that decide. Fills
     * their routings [LAYER, *RET_LAYERS), LAYER < *RET_LAYERS <= layers, the same for all, and is
     * called again in front of *RET_LAYERS. The rows are a function of the tokens and of what was
     * decided so far: where a decision looks at its own sequence alone, no bit depends on company.
     */
    int (*decide)(void *arg, size_t layer, const struct sweep_decision *d, size_t n,
                  size_t *ret_layers, struct err *err);
    void *arg;
};

struct sweep_seq {
    const uint32_t *tokens; /* [rows], ids < vocab (asserted); not read when START is given */
    size_t rows;            /* >= 1 (asserted) */
    const uint8_t *
        routing; /* [layers], 0 skip, 1 execute, 2 repeat; entries below start_layer are not read */
    size_t start_layer; /* 0, or the layer whose input START is (layers: only the head is left) */
    const float
        *start; /* (rows, dim), the state in front of start_layer; NULL with start_layer 0 */
    struct kv *
        kv; /* appended to: rows are at positions kv_len..; NULL: positions 0..rows-1, no cache.
               Needs the cache's own routing and start_layer 0 (asserted); one sequence per cache */
    float **save; /* NULL, or [layers + 1]: where save[l] is not NULL the state (rows, dim) in front
                     of layer l (l = layers: in front of the final norm) is copied to it, for l >=
                     start_layer */
    size_t logits_from; /* rows logits_from..rows-1 get logits; = rows: none */
    float *logits;      /* (rows - logits_from, vocab) */
    /* NULL, or who decides the routing in this pass, on the first DECIDE_ROWS (1..rows) of the
     * rows; the same for all that have one, start_layer 0 (asserted). DECIDED ([layers]) is filled
     * and becomes the routing; the cache is one without routing and gets it. A sequence with
     * decide_rows 0 goes by what the one in front of it with the same DECIDED decides. */
    const struct sweep_decider *decider;
    uint8_t *decided;
    size_t decide_rows;
};

struct sweep;
/* Scratch for one slot over model M (borrowed); POOL may be NULL. Not thread-safe; one per slot. */
struct sweep *sweep_new(const struct model *m, struct pool *pool);
void sweep_free(struct sweep *s);
/* Run all sequences. Scratch grows with the largest pass (ERR_NOMEM). Ticks PROGRESS (may be NULL)
 * once per block of rows in a layer and returns ERR_CANCELLED when it is stopped; then outputs are
 * undefined and caches as they were. ERR_LIMIT: positions beyond the model's or the cache's; or
 * what a decider returns. Cheap by design: logits only where needed (in the last layer of a path
 * the other rows end at their keys and values, unless a state behind it is saved), logits buffers
 * that follow each other in memory in the order of SEQ (saves a copy), many sequences per call. */
int sweep_run(struct sweep *s, struct sweep_seq *seq, size_t n, struct progress *progress,
              struct err *err) MUST_CHECK;

/* Layer applications weighted by token rows since sweep_new: the cost unit of searches and tables.
 * Rows that end early in the last layer of a path (they get no logits) count in full. */
uint64_t sweep_layer_rows(const struct sweep *s);
/* Measuring, for the bench: time inside gemm calls (summed over threads) and in all of sweep_run,
 * nanoseconds, and floating point operations of the former, since the last sweep_measure(s, true).
 */
struct sweep_stats {
    uint64_t gemm_ns, total_ns, gemm_flop;
};
void sweep_measure(struct sweep *s, bool on);
struct sweep_stats sweep_stats(const struct sweep *s);

#endif
