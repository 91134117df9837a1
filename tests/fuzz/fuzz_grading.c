/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no text makes grading crash, and a verdict does not depend on which text is called gold
 * unless a side is empty. Method: libFuzzer over two texts, split at the first NUL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/grading/grading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *a, const char *b)
{
    CLEANUP(buf_release) struct buf out = { 0 };
    CLEANUP(buf_release) struct buf other = { 0 };
    enum math_rule rule = MATH_RULES;
    bool equal = math_equal(a, b, &rule);

    if (rule >= MATH_RULES || !math_equal(a, a, NULL))
        abort();
    normalise_prm800k(a, &out);
    normalise_prm800k(b, &other);
    if (out.len > 0 && other.len > 0 && math_equal(b, a, NULL) != equal)
        abort();
    (void)extract_boxed(a, &out);
    (void)extract_dollars(a, &out);
    (void)extract_gsm8k_strict(a, &out);
    (void)extract_gsm8k_flexible(a, &out);
    (void)extract_last_number(a, &out);
    (void)extract_letter_arc(a, &out);
    (void)extract_first_capital(a, 'E', &out);
    (void)extract_last_bracketed(a, &out);
    normalise_gsm8k(a, &out);
    normalise_hendrycks(a, &out);
    normalise_squad(a, &out);
    (void)number_equal(a, b, 1e-3);
    if (squad_f1(a, b) > 1 || squad_f1(a, b) < squad_exact(a, b))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_calloc(size + 2, 1);

    memcpy(text, data, size);
    check(text, text + strlen(text) + 1);
    free(text);
    return 0;
}
