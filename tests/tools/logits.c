/* SPDX-License-Identifier: Apache-2.0 */
/* drover-logits PATH TOKENS [ROUTING [THREADS]] - the logits behind the last of the comma-separated
 * token ids, one line of hexadecimal floats: for comparing drover with other engines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/sweep.h"

enum { TOKENS_MAX = 1 << 16 };

static size_t read_tokens(const char *text, uint32_t *ids)
{
    size_t n = 0;

    for (char *end; *text && n < TOKENS_MAX; text = *end ? end + 1 : end)
        ids[n++] = (uint32_t)strtoul(text, &end, 10);
    return n;
}

static int print_logits(const struct model *m, struct pool *pool, const uint32_t *ids, size_t n,
                        const uint8_t *routing, struct err *err)
{
    CLEANUP(mem_cleanup) float *logits = mem_aligned(m->conf.vocab, sizeof(float));
    struct sweep *s = sweep_new(m, pool);
    struct sweep_seq seq = {
        .tokens = ids, .rows = n, .routing = routing, .logits_from = n - 1, .logits = logits
    };
    int rc = sweep_run(s, &seq, 1, NULL, err);

    for (size_t i = 0; i < m->conf.vocab && !rc; i++)
        printf("%s%a", i ? " " : "", (double)logits[i]);
    puts("");
    sweep_free(s);
    return rc;
}

int main(int argc, char **argv)
{
    CLEANUP(mem_cleanup) uint32_t *ids = mem_calloc(TOKENS_MAX, sizeof(*ids));
    uint8_t routing[MODEL_LAYERS_MAX];
    struct model_options o = { .no_tokenizer = true };
    struct model *m = NULL;
    struct pool *pool;
    struct err err = { 0 };
    size_t n = argc > 2 ? read_tokens(argv[2], ids) : 0;
    int rc;

    if (n == 0) {
        fprintf(stderr, "usage: drover-logits PATH TOKEN,TOKEN,... [ROUTING [THREADS]]\n");
        return 2;
    }
    memset(routing, ROUTING_EXECUTE, sizeof(routing));
    for (size_t l = 0; argc > 3 && argv[3][l] && l < MODEL_LAYERS_MAX; l++)
        routing[l] = (uint8_t)(argv[3][l] - '0');
    pool = pool_new(argc > 4 ? (size_t)strtoul(argv[4], NULL, 10) : 1);
    o.pool = pool;
    rc = model_open_with(&m, argv[1], &o, &err);
    for (size_t i = 0; i < n && !rc; i++)
        if (ids[i] >= m->conf.vocab)
            rc = err_set(&err, ERR_INVALID, "token %u of %zu", ids[i], m->conf.vocab);
    if (!rc)
        rc = print_logits(m, pool, ids, n, routing, &err);
    if (rc)
        fprintf(stderr, "drover-logits: %s\n", err.text);
    model_free(m);
    pool_free(pool);
    return rc != 0;
}
