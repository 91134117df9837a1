/* SPDX-License-Identifier: Apache-2.0 */
/* train.h - training of a Llama or Qwen2 (model.h) on ragged batches of token sequences: supervised
 * here, by policy gradient in policy.h.
 *
 * A batch's sequences are concatenated, without padding; attention runs inside each. A step: the
 * sequences are split into a FIXED number of micro-batches (never the number of threads), each is
 * run forward and backward by one thread into a gradient buffer of its own, the buffers are summed
 * in order, the sum is clipped by its global norm, and AdamW (Loshchilov & Hutter 2019; decay for
 * matrices only) moves the weights at a rate of linear warm-up, then cosine. So the weights' bits
 * depend on (conf, batches) alone: not on threads, pools or - with TRAIN_GEMM_PACKED - the kernel
 * level. Forward products always use the packed kernel, packed once per step. Only rows with a
 * target need the head, and in the last layer only they pass what follows its attention. No libm.
 *
 * Large models: see enum train_memory. The head takes at most 2^24 logits at a time; a micro-batch
 * with more sums the pieces' gradients in order (other bits than one piece would have). */
#ifndef WORKER_TRAIN_TRAIN_H
#define WORKER_TRAIN_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/progress.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/kernels/kernels.h"
#include "worker/kernels/pool.h"
#include "worker/model/model.h"

/* Backward products: OpenBLAS (numeric class "packed-1+" and blas_class()) or the packed kernel
 * ("packed-1"). */
enum train_gemm { TRAIN_GEMM_OPENBLAS, TRAIN_GEMM_PACKED };

/* Memory against time; never a bit of the result. FAST: activations are kept, each micro-batch has
 * a gradient of its own. SMALL: a layer keeps its input and is computed again on the way back;
 * micro-batches add to ONE gradient in turn; transposed weights are packed when they are needed.
 * AUTO: SMALL when FAST would take more than TRAIN_FAST_BYTES of gradients (or one thread's
 * activations as much). With SMALL a model of W bytes (as floats) takes 5 W (weights, two moments,
 * gradient, packed weights), and each thread the embedding and one layer besides activations. */
enum train_memory { TRAIN_MEMORY_AUTO, TRAIN_MEMORY_FAST, TRAIN_MEMORY_SMALL };
#define TRAIN_FAST_BYTES ((size_t)1 << 30)

enum {
    TRAIN_MICRO_MAX = 256,    /* one gradient buffer each */
    TRAIN_ROWS_MAX = 1 << 20, /* token rows of one batch */
};
#define TRAIN_NO_TARGET UINT32_MAX

struct train_conf {
    struct model_conf model;
    uint64_t seed;        /* initial weights: rng_stream("weights", seed, tensor index) */
    uint64_t steps;       /* length of the schedule, >= 1 */
    uint64_t warmup;      /* steps of linear warm-up, <= steps */
    double learning_rate; /* peak, > 0 */
    double final_rate;    /* fraction of the peak at the end of the cosine, 0..1 */
    double weight_decay;  /* of matrices; 0.1 */
    double clip;          /* largest global norm of a gradient; 0: no clipping */
    double beta1, beta2, eps;
    size_t micro_batches; /* 1..TRAIN_MICRO_MAX; part of the result's identity */
    enum train_gemm gemm;
    enum train_memory memory; /* AUTO */
    bool frozen; /* neither moments nor gradients: for trainer_logprobs() and trainer_model() only
                  * (steps and states are asserted against); false */
};

/* Everything but .model: seed 1, 1000 steps, warm-up 50, rate 1e-3 to 1/10 of it, decay 0.1, clip
 * 1, betas 0.9 and 0.98, eps 1e-8, 8 micro-batches, OpenBLAS. */
struct train_conf train_conf_default(void);
/* ERR_INVALID names the field and its range. */
int train_conf_check(const struct train_conf *c, struct err *err) MUST_CHECK;
/* Learning rate of STEP (0-based; steps and later: the final one). */
double train_rate(const struct train_conf *c, uint64_t step);

/* Sequence s is rows start[s]..start[s+1]-1 of tokens and target; positions count from 0 in each.
 */
struct train_batch {
    const uint32_t *tokens; /* [start[sequences]], ids < vocab */
    const uint32_t *target; /* same length: the token that should follow, or TRAIN_NO_TARGET */
    const size_t *start;    /* [sequences + 1], start[0] = 0, no empty sequence */
    size_t sequences;
    /* [sequences][layers]: how often the sequence goes through the layer, 0, 1 or 2 (twice in a
     * row, the same weights); NULL: once each. depth.h draws them. All ones is the loss of NULL,
     * up to rounding. */
    const uint8_t *times;
};

struct train_report {
    double loss;      /* mean cross entropy over the targets, before the update */
    double grad_norm; /* before clipping */
    double rate;      /* learning rate used */
    size_t targets;
    size_t correct; /* targets that were the (first) largest logit */
    size_t rows;    /* token rows */
};

struct trainer;
/* Weights drawn, moments zero. POOL may be NULL (one thread), is borrowed and may be swapped
 * between steps. KERN NULL: kernels_best(). ERR_INVALID, ERR_NOMEM. */
int trainer_new(struct trainer **ret, const struct train_conf *c, struct pool *pool,
                const struct kernels *kern, struct err *err) MUST_CHECK;
/* Master weights from a checkpoint of any type that opens, widened exactly; C->model is ignored. An
 * interleaved model (GGUF, llama2.c) is turned to the rotate-half order that model_save() writes,
 * so that a state belongs to the saved folder. Moments zero. Errors also of checkpoint_open. */
int trainer_new_from(struct trainer **ret, const struct train_conf *c,
                     const struct checkpoint *files, struct pool *pool, const struct kernels *kern,
                     struct err *err) MUST_CHECK;
/* The same for a PATH that checkpoint_open() takes; the file's pages do not stay in memory. */
int trainer_open(struct trainer **ret, const struct train_conf *c, const char *path,
                 struct pool *pool, const struct kernels *kern, struct err *err) MUST_CHECK;
void trainer_free(struct trainer *t);
void trainer_set_pool(struct trainer *t, struct pool *pool);
/* PROGRESS (borrowed, NULL: none) is ticked at every layer of every micro-batch; when it is stopped
 * a step or trainer_logprobs() soon returns ERR_CANCELLED, the weights as they were. */
void trainer_set_progress(struct trainer *t, struct progress *progress);
/* With .model as it is trained: what model_save() takes besides trainer_weights(). */
const struct train_conf *trainer_conf(const struct trainer *t);

/* One step. ERR_DIVERGED: the loss or the gradient is not finite, weights unchanged. ERR_LIMIT: too
 * many rows, or a sequence longer than the model's positions; ERR_INVALID: no target, an empty
 * sequence, a token id outside the vocabulary; ERR_NOMEM. */
int trainer_step(struct trainer *t, const struct train_batch *b, struct train_report *ret,
                 struct err *err) MUST_CHECK;
/* Loss and gradient of the mean loss, unclipped, at the present weights, without moving them: for
 * tests. GRAD (weights' floats_len) may be NULL. Errors as above, except that nothing is checked
 * for being finite. */
int trainer_gradient(struct trainer *t, const struct train_batch *b, struct train_report *ret,
                     float *grad, struct err *err) MUST_CHECK;

uint64_t trainer_steps(const struct trainer *t); /* steps done */
/* The present weights; valid until trainer_free, changed by steps. */
const struct model_weights *trainer_weights(const struct trainer *t);
/* Replace the weights (tests): copies floats_len floats. */
void trainer_set_weights(struct trainer *t, const float *all);
/* Change schedule, rate, decay and clip between steps, from C; the rest of C is ignored. Checked.
 */
int trainer_set_schedule(struct trainer *t, const struct train_conf *c, struct err *err) MUST_CHECK;

/* The present weights as a model for sweeps and generation: a view on the trainer's own packed
 * weights, so it costs nothing and every step changes it (no sweep may run during a step). Valid
 * until trainer_free. Its logits have the bits of the trainer's own forward pass and of the saved
 * model. TOK (borrowed; NULL: none) becomes its tokenizer. */
const struct model *trainer_model(struct trainer *t);
void trainer_set_tokenizer(struct trainer *t, struct tokenizer *tok);

/* One file with the exact bits of the moments, step counter and powers of beta, with
 * TRAIN_STATE_ALL also of the weights; PATH.tmp, then rename. MOMENTS is for a file that goes with
 * the model's saved folder. ERR_IO, ERR_FULL, ERR_READONLY. */
enum train_state { TRAIN_STATE_ALL, TRAIN_STATE_MOMENTS };
int trainer_save_state(const struct trainer *t, const char *path, enum train_state what,
                       struct err *err) MUST_CHECK;
/* Either kind of file into T; the next step is the one that would have followed. Nothing changes on
 * an error: ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT (torn, other length, digest), ERR_VERSION (no such
 * file, or of a later version), ERR_INVALID (of another model or other betas; MOMENTS: of other
 * weights than T has). */
int trainer_load_state(struct trainer *t, const char *path, struct err *err) MUST_CHECK;

#endif
