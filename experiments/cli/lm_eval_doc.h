/* SPDX-License-Identifier: Apache-2.0 */
/* lm_eval_doc.h - one line of a samples file. */
#ifndef EXPERIMENTS_CLI_LM_EVAL_DOC_H
#define EXPERIMENTS_CLI_LM_EVAL_DOC_H

#include "common/base/json.h"
#include "experiments/cli/lm_eval.h"

/* Python writes Infinity, which is no JSON: outside strings it becomes null, padded with blanks.
 * NaN becomes 0.0 with NAN_TOO (where nobody reads it); else it stays, and the parser names its
 * place.
 */
void lm_blank_specials(char *text, size_t len, bool nan_too);

/* Enter V, a line, into S. */
int lm_doc_take(struct lm_samples *s, const struct json *v, struct err *err) MUST_CHECK;

#endif
