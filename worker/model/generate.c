/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/model/sweep.h"
#include "worker/model/sweep_state.h"

static void free_kv(struct kv **kv)
{
    kv_free(*kv);
}

int generate_each(struct sweep *s, const uint32_t *prompt, size_t prompt_len,
                  const uint8_t *routing, size_t max_new, generate_fn fn, void *arg,
                  struct progress *progress, struct err *err)
{
    const struct model_conf *c = &s->m->conf;
    CLEANUP(mem_cleanup) float *logits = mem_try_aligned(c->vocab, sizeof(float));
    CLEANUP(free_kv) struct kv *kv = NULL;
    struct sweep_seq seq = { .tokens = prompt,
                             .rows = prompt_len,
                             .routing = routing,
                             .logits_from = prompt_len - 1,
                             .logits = logits };
    uint32_t next = 0;
    int rc = kv_new(&kv, c, routing, c->positions, err);

    assert(prompt_len > 0);
    if (!rc && !logits)
        rc = err_set(err, ERR_NOMEM, "%zu bytes for logits", c->vocab * sizeof(float));
    seq.kv = kv;
    for (size_t n = 0; n < max_new && !rc; n++) {
        uint32_t token;

        if (n && kv_len(kv) == c->positions)
            break;
        rc = sweep_run(s, &seq, 1, progress, err);
        if (rc)
            break;
        token = (uint32_t)s->m->kern->argmax(logits, c->vocab);
        if (token == c->bos || token == c->eos || (fn && fn(arg, token)))
            break;
        next = token;
        seq.tokens = &next;
        seq.rows = 1;
        seq.logits_from = 0;
    }
    return rc;
}

struct collect {
    uint32_t *ids;
    size_t len;
};

static int collect(void *arg, uint32_t token)
{
    struct collect *c = arg;

    c->ids[c->len++] = token;
    return 0;
}

int generate_greedy(struct sweep *s, const uint32_t *prompt, size_t prompt_len,
                    const uint8_t *routing, size_t max_new, uint32_t *ret, size_t *ret_len,
                    struct progress *progress, struct err *err)
{
    struct collect c = { ret, 0 };
    int rc = generate_each(s, prompt, prompt_len, routing, max_new, collect, &c, progress, err);

    *ret_len = c.len;
    return rc;
}
