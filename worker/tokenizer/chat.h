/* SPDX-License-Identifier: Apache-2.0 */
/* chat.h - conversations as the text that a model was tuned on. The two families' templates are
 * written out here instead of an interpreter for their files (data: Jinja templates that come with
 * Llama 3.1, 3.2 and Qwen2.5), and their dates are fixed, so that a prompt never changes by the
 * day. */
#ifndef WORKER_TOKENIZER_CHAT_H
#define WORKER_TOKENIZER_CHAT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "worker/tokenizer/tokenizer.h"

enum chat_family { CHAT_NONE, CHAT_LLAMA3, CHAT_QWEN2 };
struct chat_message {
    const char *role, *content; /* "system", "user", "assistant" */
};

/* By the special tokens of the vocabulary: <|start_header_id|> and <|eot_id|>; <|im_start|> and
 * <|im_end|>. CHAT_NONE when it has neither. */
enum chat_family chat_family_of(const struct tokenizer *t);
const char *chat_family_name(enum chat_family f);
/* The conversation's text with the marks that ask for the assistant's turn, appended to OUT; to be
 * encoded with TOKENIZER_SPECIAL and without TOKENIZER_BOS (Llama's text holds it). DATE: Llama's
 * "Today Date", NULL for 26 Jul 2024. Without a system message Qwen gets its usual one, Llama 3.1
 * and later the two date lines. ERR_INVALID: CHAT_NONE, an unknown role, no message. */
int chat_render(enum chat_family f, const struct chat_message *m, size_t len, const char *date,
                struct buf *out, struct err *err) MUST_CHECK;

#endif
