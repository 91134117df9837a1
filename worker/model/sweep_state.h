/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_state.h - inside of struct sweep. Private to sweep*.c and generate.c. */
#ifndef WORKER_MODEL_SWEEP_STATE_H
#define WORKER_MODEL_SWEEP_STATE_H

#include "worker/model/kv.h"
#include "worker/model/sweep.h"

/* Where a sequence lives in this pass. */
struct place {
    size_t row;        /* its first row of x */
    size_t base;       /* position of its first row */
    size_t slot;       /* next cache slot */
    size_t last_layer; /* behind its last pass only the rows with logits matter; SIZE_MAX: all do */
    /* During a layer: */
    size_t first; /* its first row in the block */
    size_t live;  /* its rows before this one end here: they only give keys and values */
};

/* Sequences active[first..last) that pass a layer together, small enough that their rows stay in
 * the cache; live_rows of their rows go on behind the attention. */
struct block {
    size_t first, last, rows, live_rows;
};

/* Work memory of one thread; widths as in struct widths. Rows of a block lie next to each other. */
struct scratch {
    float *mem;
    float *norm, *qkv, *att, *up, *act, *score;
    uint32_t *position;
    uint64_t gemm_ns, gemm_flop;
};

struct widths {
    size_t dim, q, kv, qkv, hidden; /* floats per row */
};

struct sweep {
    const struct model *m;
    struct pool *pool;
    size_t threads;
    struct widths wide;
    struct sweep_seq *seq; /* of the running pass */
    size_t n;
    struct progress *progress;
    struct place *place; /* [seq_room] */
    uint32_t *active;    /* [seq_room], indices into seq */
    struct block *block; /* [seq_room] */
    size_t active_len, blocks_len, seq_room;
    float *x; /* (rows of all sequences, dim): the residual stream */
    size_t x_room;
    struct scratch *scratch; /* [threads] */
    size_t rows_room, score_room;
    float *logits; /* (head rows, vocab) */
    size_t logits_room;
    uint64_t layer_rows;
    bool measure;
    struct sweep_stats stats;
};

/* Check the sequences, give them places in x, make room in caches and scratch. ERR_LIMIT,
 * ERR_NOMEM. */
int sweep_prepare(struct sweep *s, struct err *err) MUST_CHECK;
/* Cut the active sequences into blocks, for pass TIMES of LAYER. */
void sweep_cut(struct sweep *s, size_t layer, unsigned times);
/* All blocks through layer LAYER once. */
void sweep_layer(struct sweep *s, size_t layer);
/* Final norm and head for the rows that ask for logits. ERR_NOMEM. */
int sweep_head(struct sweep *s, struct err *err) MUST_CHECK;
/* Y (rows, w->n) = X (rows, w->k) W^T; columns are split over POOL (may be NULL) when that pays.
 * Counts into C. */
void sweep_gemm(const struct sweep *s, struct scratch *c, struct pool *pool, float *y,
                const float *x, const struct packed *w, size_t rows);

#endif
