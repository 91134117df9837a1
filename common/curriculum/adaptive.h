/* SPDX-License-Identifier: Apache-2.0 */
/* adaptive.h - a token budget that tightens while accuracy holds: a controller told the accuracy of
 * every update.
 *
 *     m <- memory * m + (1 - memory) * accuracy                           at every update
 *     log B <- clip(log B - rate * tanh(sharpness * (m - reference + slack)), log last, log first)
 *                                                                         every INTERVAL updates
 *
 * so the budget shrinks by a factor while the moving accuracy m is above reference - slack, stands
 * still there and grows back below. Without a given reference the first interval measures it (its
 * mean accuracy) and changes nothing. One change never halves the budget (whole tokens: new > old /
 * 2), because a completion of the old length would then earn no length reward. All arithmetic is
 * our own: the same bits everywhere. */
#ifndef COMMON_CURRICULUM_ADAPTIVE_H
#define COMMON_CURRICULUM_ADAPTIVE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct adaptive_conf {
    int64_t first, last; /* tokens, first >= last >= 1 */
    uint64_t interval;   /* updates between two changes, >= 1 */
    double reference;    /* accuracy to hold; 0: measured in the first interval */
    double slack;        /* 0..1 */
    double rate;         /* kappa, >= 0 */
    double sharpness;    /* alpha, > 0 */
    double memory;       /* 0 <= memory < 1 */
};

struct adaptive_state {
    uint64_t told;     /* updates so far */
    double log_budget; /* natural logarithm of the budget, not rounded */
    double moving;     /* the moving accuracy m; 0 before the first update */
    double sum;        /* of the accuracies of the first interval, while it measures */
    double reference;  /* the accuracy to hold; 0 while it is being measured */
};

enum adaptive_move { ADAPTIVE_WAIT, ADAPTIVE_TIGHTEN, ADAPTIVE_HOLD, ADAPTIVE_BACK_OFF };

/* ERR_INVALID with a sentence and the parameter at fault ("adapt_rate", "budget_first"...) in
 * RET_FIELD (may be NULL). */
int adaptive_check(const struct adaptive_conf *c, const char **ret_field,
                   struct err *err) MUST_CHECK;
/* C must have passed adaptive_check, here and below. */
void adaptive_start(const struct adaptive_conf *c, struct adaptive_state *ret);
/* The budget of the next update in whole tokens, last..first. */
int64_t adaptive_budget(const struct adaptive_conf *c, const struct adaptive_state *s);
/* The update is over: the share of its sampled completions that were correct, 0..1 (asserted), not
 * the reward. Says what happened to the budget: WAIT between changes and while measuring; HOLD when
 * the whole-token budget stays. */
enum adaptive_move adaptive_tell(const struct adaptive_conf *c, struct adaptive_state *s,
                                 double accuracy);

/* The state as one line of text without newline, the same text for the same state, exact (doubles
 * as the 16 hex digits of their bits); appended to OUT. Load: ERR_INVALID when TEXT is not such a
 * line or says what cannot be under C. */
void adaptive_save(const struct adaptive_state *s, struct buf *out);
int adaptive_load(const struct adaptive_conf *c, const char *text, struct adaptive_state *ret,
                  struct err *err) MUST_CHECK;

#endif
