/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no text makes the conditions' parser crash, and what it accepts can be evaluated and
 * written as SQL. Method: libFuzzer over the text; names whose length decides what they are. */
#include <stdint.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/conf/cond.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look_up(void *arg, const char *name, struct cond_value *ret, struct err *err)
{
    (void)arg;
    (void)err;
    switch (strlen(name) % 4) {
    case 0:
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = 2 };
        break;
    case 1:
        *ret = (struct cond_value){ .type = COND_TEXT, .text = name };
        break;
    case 2:
        *ret = (struct cond_value){ .type = COND_BOOL, .truth = true };
        break;
    default:
        break;
    }
    return 0;
}

static int column(void *arg, const char *name, struct buf *out, struct err *err)
{
    (void)arg;
    (void)err;
    buf_printf(out, "c%zu", strlen(name));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CLEANUP(mem_cleanup) = mem_calloc(size + 1, 1);
    struct buf sql CLEANUP(buf_release) = { 0 };
    struct cond *c CLEANUP(cond_cleanup) = NULL;
    struct err err = { 0 };
    bool truth;

    memcpy(text, data, size);
    if (cond_parse(text, &c, &err) != 0)
        return 0;
    (void)!cond_eval(c, look_up, NULL, &truth, &err);
    (void)!cond_sql(c, column, NULL, &sql, &err);
    return 0;
}
