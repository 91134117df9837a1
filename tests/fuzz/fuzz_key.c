/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes make the readers of keys, key files and lists crash, leak or take what they would
 * not write themselves. Method: libFuzzer; what is read is printed and read again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/net/keylist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_line(const char *text, size_t size)
{
    char line[KEY_LINE_MAX];
    struct key k, again;

    if (key_parse(text, size, &k, NULL) != 0)
        return;
    int rc = key_parse(key_line(&k, line), strlen(line), &again, NULL);
    assert(rc == 0 && memcmp(&k, &again, sizeof(k)) == 0);
}

static void try_list(const char *text, size_t size)
{
    struct keylist l, again;
    struct buf out = { 0 };
    struct err err = { 0 };

    if (keylist_parse(text, size, "list", &l, &err) != 0) {
        assert(l.len == 0 && err.text[0]);
        return;
    }
    keylist_print(&l, &out);
    int rc = keylist_parse(buf_str(&out), out.len, "again", &again, &err);
    assert(rc == 0 && again.len == l.len);
    assert(l.len == 0 || memcmp(l.v, again.v, l.len * sizeof(*l.v)) == 0);
    keylist_release(&l);
    keylist_release(&again);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_secret s;
    const char *text = (const char *)data;

    try_line(text, size);
    if (key_parse_secret(text, size, &s, NULL) == 0)
        key_wipe(&s);
    try_list(text, size);
    return 0;
}
