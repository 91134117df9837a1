/* SPDX-License-Identifier: Apache-2.0 */
/* generate.h - continuing prompts, many at once: sequences join the sweep when there is room and
 * leave it as they end. What a sequence becomes does not depend on its company: not on the batch,
 * the order or the threads. */
#ifndef WORKER_MODEL_GENERATE_H
#define WORKER_MODEL_GENERATE_H

#include "common/base/buf.h"
#include "worker/model/sweep.h"

/* How the next token is drawn. Temperature 0: the largest logit (first of equals). Else logits /
 * temperature, the TOP_K largest (0: all), of those the fewest whose probabilities reach TOP_P
 * (1: all; at least one), and one of them by Philox keyed by ("sample", seed, stream, position of
 * the token). Ids beyond the tokenizer's vocabulary are never drawn. */
struct sampling {
    double temperature;
    size_t top_k;
    double top_p;
    uint64_t seed, stream; /* stream: the example's id, and which sample of it */
};
/* Temperature 0 to 1000, top_p above 0 to 1 (not looked at for temperature 0, so { 0 } is greedy).
 * ERR_INVALID names the field and its range. */
int sampling_check(const struct sampling *s, struct err *err) MUST_CHECK;

/* Why a text ended: max_new tokens, a token that ends texts (the configuration's eos, or bos), a
 * stop string, on_text said so, the model's last position. */
enum finish { FINISH_LENGTH, FINISH_EOS, FINISH_STOP, FINISH_CALLER, FINISH_CONTEXT };
const char *finish_name(enum finish f); /* "length", "eos", "stop", "caller", "context" */

/* One text to be continued. The caller fills the first part; ids and text belong to the struct:
 * generation_release(). */
struct generation {
    const uint32_t *prompt; /* [prompt_len >= 1] */
    size_t prompt_len;
    const uint8_t *routing; /* [layers]: fixed for the prompt and every generated token */
    /* NULL, or who decides on the prompt, in its own pass, what DECIDED ([layers]) becomes: the
     * routing from there on. The same for all of a run. */
    const struct sweep_decider *decider;
    uint8_t *decided;
    size_t max_new;
    const char *const *stop; /* strings that end the text; it is cut in front of the first */
    size_t stops_len;
    struct sampling sampling;
    /* Called with the new text (whole characters, nothing that may still be part of a stop); true
     * ends this generation. May be NULL. */
    bool (*on_text)(void *arg, const char *text, size_t len);
    void *arg;

    /* Of use also after an error, as far as it came: */
    uint32_t *ids; /* every token generated, the one that ended it included */
    size_t ids_len;
    struct buf text; /* decoded, without special tokens and stop; empty without a tokenizer */
    enum finish finish;
};
void generation_release(struct generation *g);

/* Run N generations with at most BATCH in the sweep at once (the others wait their turn in order;
 * prompts that join together share a pass; one that several in a row have - the same memory, path
 * and max_new - is read once for those that join together). The model must have a tokenizer when
 * stops or on_text are used (asserted). A text may grow to the model's last position and one token
 * beyond. ERR_INVALID: sampling; ERR_LIMIT: a prompt longer than the model's positions (checked for
 * all before any work); ERR_CANCELLED, ERR_NOMEM, ERR_DIVERGED (logits that are not finite). */
int generate_run(struct sweep *s, struct generation *g, size_t n, size_t batch,
                 struct progress *progress, struct err *err) MUST_CHECK;

#endif
