/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no text makes the recipe loader crash or leak; every value of what parses can be walked.
 * Method: libFuzzer over the text; a walk over all values with every getter. */
#include <stdint.h>

#include "common/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct conf_value *v)
{
    static const char *const known[] = { "name", "steps", NULL };
    struct err err = { 0 };
    const char *text;
    int64_t i;
    double r;
    bool b;

    (void)conf_error(&err, v, "at %s", conf_name(v));
    (void)!conf_int(v, 0, 10, &i, &err);
    (void)!conf_real(v, 0, 1, &r, &err);
    (void)!conf_bool(v, &b, &err);
    (void)!conf_text(v, &text, &err);
    if (conf_type(v) == CONF_GROUP)
        (void)!conf_check_keys(v, known, &err);
    for (size_t k = 0; k < conf_len(v); k++)
        walk(conf_at(v, k));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *c = NULL;
    struct err err = { 0 };

    if (conf_open_text(&c, "fuzz", (const char *)data, size, &err) == 0)
        walk(conf_root(c));
    conf_close(c);
    return 0;
}
