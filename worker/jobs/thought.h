/* SPDX-License-Identifier: Apache-2.0 */
/* thought.h - how many tokens of a response are reasoning. Private to worker/jobs. */
#ifndef WORKER_JOBS_THOUGHT_H
#define WORKER_JOBS_THOUGHT_H

#include "common/base/buf.h"
#include "common/tasks/think.h"
#include "worker/tokenizer/tokenizer.h"

struct thought {
    struct think_parts parts; /* of the text; parts.well_formed, think_ok, answer_ok */
    size_t response_tokens;   /* all, without one that ends texts */
    size_t think_tokens;      /* those whose first byte is between the think tags (to the end when
                                 the span is not closed) */
};
/* The LEN tokens IDS that a model generated, decoded as generate.h decodes them (special tokens
 * give no text); EOS: ids[len - 1] is the token that ended the text, which does not count.
 * TEXT, which may be NULL, gets the text. */
void thought_read(struct thought *ret, const struct tokenizer *t, const uint32_t *ids, size_t len,
                  bool eos, struct buf *text);

#endif
