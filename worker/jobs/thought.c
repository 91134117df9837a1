/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/thought.h"

#include "common/base/mem.h"

/* A token's text begins where the text of those in front of it ends; what they hold back of an
 * unfinished character counts as theirs. */
static size_t *decode(const struct tokenizer *t, const uint32_t *ids, size_t len, struct buf *text)
{
    size_t *begin = mem_calloc(len + 1, sizeof(*begin));
    struct token_stream s = { 0 };

    for (size_t i = 0; i < len; i++) {
        begin[i] = text->len + s.held_len;
        token_stream_push(&s, t, ids[i], false, text);
    }
    token_stream_end(&s, text);
    return begin;
}

void thought_read(struct thought *ret, const struct tokenizer *t, const uint32_t *ids, size_t len,
                  bool eos, struct buf *text)
{
    struct buf own CLEANUP(buf_release) = { 0 };
    size_t response = len - (eos && len > 0), from = text ? text->len : 0;
    struct buf *to = text ? text : &own;
    size_t *begin CLEANUP(mem_cleanup) = decode(t, ids, response, to);

    *ret = (struct thought){ .response_tokens = response };
    think_parse(buf_str(to) + from, to->len - from, &ret->parts);
    for (size_t i = 0; i < response; i++) {
        size_t at = begin[i] - from;

        ret->think_tokens += at >= ret->parts.think.begin && at < ret->parts.think.end;
    }
}
