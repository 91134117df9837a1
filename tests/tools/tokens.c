/* SPDX-License-Identifier: Apache-2.0 */
/* drover-tokens PATH [special] - texts on standard input, each ended by a NUL byte; one line of ids
 * for each on standard output: for comparing drover with other tokenizers. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer.h"

static int one_text(const struct tokenizer *t, const char *text, size_t len, unsigned flags,
                    struct err *err)
{
    CLEANUP(mem_cleanup) uint32_t *ids = NULL;
    size_t n = 0;
    int rc = tokenizer_encode(t, text, len, flags, &ids, &n, err);

    for (size_t i = 0; i < n && !rc; i++)
        printf("%s%u", i ? " " : "", ids[i]);
    puts("");
    return rc;
}

int main(int argc, char **argv)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct tokenizer *t = NULL;
    struct err err = { 0 };
    unsigned flags = argc > 2 && strcmp(argv[2], "special") == 0 ? TOKENIZER_SPECIAL : 0;
    int rc = argc > 1 ? tokenizer_open(&t, argv[1], 0, NULL, &err) : 2;

    if (argc < 2)
        fprintf(stderr, "usage: drover-tokens PATH [special] < TEXTS\n");
    for (int c; !rc && (c = getchar()) != EOF;) {
        if (c) {
            buf_addc(&text, (char)c);
            continue;
        }
        rc = one_text(t, text.data ? text.data : "", text.len, flags, &err);
        buf_clear(&text);
    }
    if (rc && argc > 1)
        fprintf(stderr, "drover-tokens: %s\n", err.text);
    tokenizer_free(t);
    return rc != 0;
}
