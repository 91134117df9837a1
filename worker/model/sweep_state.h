/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_state.h - inside of struct sweep. Private to sweep*.c. */
#ifndef WORKER_MODEL_SWEEP_STATE_H
#define WORKER_MODEL_SWEEP_STATE_H

#include "worker/model/kv.h"
#include "worker/model/sweep.h"

/* Where a sequence lives in this pass. */
struct place {
    float *x;          /* (rows, dim): its residual stream, in the pass or where it is saved */
    size_t first;      /* seq.start is the stream still up to the first pass, through this layer */
    size_t base;       /* position of its first row */
    size_t slot;       /* next cache slot */
    size_t last_layer; /* behind its last pass only the rows with logits matter; SIZE_MAX: all do */
    float *keys;       /* uncached and longer than a block: its keys, then its values, in a layer */
};

/* Neighbouring rows of one sequence in a block; of those, the first DEAD end in this pass with
 * their keys and values, the others are live. */
struct piece {
    uint32_t seq;
    size_t from, rows;    /* of the sequence */
    size_t row, live_row; /* its first row, and first live row, in the block */
    size_t dead;
};

/* Pieces [first, last), which pass a layer together: few enough rows that they stay in the cache
 * (or at least in memory). */
struct block {
    size_t first, last, rows, live_rows;
};

/* Work memory of one thread; widths as in struct widths. Rows of a block lie next to each other. */
struct scratch {
    float *mem;
    size_t rows_room, score_room;
    float *norm, *qkv, *att, *up, *act, *score;
    uint32_t *position;
    const float **page; /* of the keys, then of the values, of one sequence */
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
    struct rope_view rope;
    struct sweep_seq *seq; /* of the running pass */
    size_t n;
    struct progress *progress;
    struct place *place; /* [seq_room] */
    uint32_t *active;    /* [seq_room], indices into seq */
    struct piece *piece; /* [piece_room] */
    struct block *block; /* [block_room] */
    size_t active_len, pieces_len, blocks_len, seq_room, piece_room, block_room;
    unsigned times;    /* how often the active sequences are in this layer by now */
    size_t whole_rows; /* sequences with more rows are cut in pieces of as many */
    bool own_blocks;   /* each thread takes whole blocks; else all share each step of a block */
    float *x;          /* residual streams, of the sequences that have none of their own */
    float *keys;       /* behind place.keys */
    float *qkv;        /* the second one of a block that is cut by rows */
    size_t rows;       /* of all sequences */
    size_t x_room, keys_room, qkv_room;
    struct scratch *scratch; /* [threads] */
    float *logits;           /* (head rows, vocab) */
    size_t logits_room;
    float *entered; /* the next layer's projections, when its first half is done (sweep_rows.c) */
    /* Of the sequences that decide (sweep_decide.c). */
    const struct sweep_decider *decider; /* NULL: none does */
    struct sweep_decision *decision;     /* [decision_room] */
    size_t decision_room;
    size_t known; /* layers whose routing is known for all sequences */
    uint64_t layer_rows;
    bool measure;
    struct sweep_stats stats;
};

/* Who decides in this pass, if anyone: all routings are known, or those of layers 0..-1. */
void sweep_decide_begin(struct sweep *s);
/* In front of LAYER: have it decided where it is not yet. ERR_NOMEM, or what the decider returns.
 */
int sweep_decide(struct sweep *s, size_t layer, struct err *err) MUST_CHECK;
/* The pass is over: DONE, caches have the routings decided; else they are as they were. */
void sweep_decide_end(struct sweep *s, bool done);
/* The layer of Q's last pass; SIZE_MAX when a state behind it is asked for or it is not known. */
size_t sweep_last_layer(const struct sweep *s, const struct sweep_seq *q);
/* The stream of sequence I in front of pass TIMES of LAYER: its start, or its place's x. */
static inline const float *sweep_stream(const struct sweep *s, size_t i, size_t layer,
                                        unsigned times)
{
    size_t first = s->place[i].first;
    bool same = layer < first || (layer == first && times == 1);

    return s->seq[i].start && same ? s->seq[i].start : s->place[i].x;
}

/* Check the sequences, give them places in x, make room in caches. ERR_LIMIT, ERR_NOMEM. */
int sweep_prepare(struct sweep *s, struct err *err) MUST_CHECK;
/* Cut the active sequences into blocks, for pass TIMES of LAYER; make room in scratch. ERR_NOMEM.
 */
int sweep_cut(struct sweep *s, size_t layer, unsigned times, struct err *err) MUST_CHECK;
/* Room for ROWS rows and scores against KEYS keys. ERR_NOMEM. */
int scratch_fit(struct scratch *c, const struct widths *w, size_t rows, size_t keys,
                struct err *err) MUST_CHECK;
/* All blocks through layer LAYER once. */
void sweep_layer(struct sweep *s, size_t layer);
/* Final norm and head for the rows that ask for logits. ERR_NOMEM. */
int sweep_head(struct sweep *s, struct err *err) MUST_CHECK;
/* Y (rows, w->n) = X (rows, w->k) W^T; columns are split over POOL (may be NULL) when that pays.
 * Counts into C. */
void sweep_gemm(const struct sweep *s, struct scratch *c, struct pool *pool, float *y,
                const float *x, const struct packed *w, size_t rows);

/* A block's way through a layer (sweep_layer.c, sweep_attend.c, sweep_rows.c). */
struct run {
    struct sweep *s;
    const struct block *b;
    size_t layer;
    struct scratch *c;
    struct pool *inner; /* threads that share this block's steps; NULL: none */
    float *qkv;         /* queries, keys and values: C's, or the second ones of S */
    size_t slots_ahead; /* the cache's slot: so many behind the next */
};
/* Norm of the block's rows [begin, end), and their positions. */
void sweep_enter_rows(struct run *r, size_t begin, size_t end);
/* All behind the attention, for all live rows. */
void sweep_finish(struct run *r);
/* The same for live rows [begin, end) by one thread, which counts into OWN. */
void sweep_finish_rows(struct run *r, size_t begin, size_t end, struct scratch *own);
/* All of the layer, cut by rows between the threads of INNER. */
void sweep_by_rows(struct run *r);
/* Biases and rotary positions of the block's queries and keys in r->qkv, keys and values into the
 * caches, attention of the live rows into c->att. */
void sweep_attend(struct run *r);
/* The same by rows, in two halves with a barrier between them: biases, rotation and caches for rows
 * [begin, end) of the block; attention of its live rows [begin, end), with OWN's room for scores.
 */
void sweep_rotate_rows(struct run *r, size_t begin, size_t end);
void sweep_attend_rows(struct run *r, size_t begin, size_t end, struct scratch *own);
/* May a block of ROWS rows be cut by rows between the threads? Small weights only: each thread
 * reads all of them. */
bool sweep_cuts_rows(const struct sweep *s, size_t rows);

#endif
