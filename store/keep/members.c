/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - the files that a manifest blob names (keep_private.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/keep/keep_private.h"

/* As worker/manifest.h: 1,024 lines of at most 342 bytes. */
enum { MANIFEST_BYTES_MAX = 1024 * 342 };

/* "name size digest" */
static int take_line(const char *line, struct store_member *ret)
{
    const char *hex = strrchr(line, ' '), *size = hex;

    while (size && size > line && size[-1] != ' ')
        size--;
    if (!hex || size == line || digest_parse(hex + 1, &ret->digest, NULL) < 0)
        return ERR_CORRUPT;
    ret->size = strtoull(size, NULL, 10);
    return 0;
}

int store_members(const struct blobs *b, const struct digest *manifest, struct store_member **ret,
                  size_t *ret_len, struct err *err)
{
    CLEANUP(mem_cleanup) char *text = mem_calloc(1, MANIFEST_BYTES_MAX + 1);
    char hex[DIGEST_HEX], *save = NULL;
    size_t len = 0, cap = 0;
    uint64_t size = 0;
    int rc = blobs_read(b, manifest, 0, MANIFEST_BYTES_MAX, text, &len, &size, err);

    *ret = NULL;
    *ret_len = 0;
    if (rc == 0 && size != len)
        rc = err_set(err, ERR_CORRUPT, "manifest %s has %llu bytes", digest_hex(manifest, hex),
                     (unsigned long long)size);
    if (rc < 0)
        return rc;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (*ret_len == cap) {
            cap = MAX(16, 2 * cap);
            *ret = mem_realloc(*ret, cap, sizeof **ret);
        }
        if (take_line(line, &(*ret)[*ret_len]) < 0)
            return err_set(err, ERR_CORRUPT,
                           "manifest %s: line %zu is damaged; remove this file of the blob folder, "
                           "it is made again when it is needed",
                           digest_hex(manifest, hex), *ret_len + 1);
        (*ret_len)++;
    }
    return 0;
}
