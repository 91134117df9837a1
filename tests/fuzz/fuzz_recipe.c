/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no recipe makes the reader crash: forms of the sweep, conditions, variables, halving; and
 * no --set does. Method: libFuzzer over the text; what follows the first NUL is a --set. */
#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/plan/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CLEANUP(mem_cleanup) = mem_calloc(size + 2, 1);
    struct recipe *r CLEANUP(recipe_cleanup) = NULL;
    struct err err = { 0 };

    memcpy(text, data, size);
    const char *set = text + strlen(text) + 1;
    (void)!recipe_parse(text, "fuzz", &set, *set ? 1 : 0, &r, &err);
    return 0;
}
