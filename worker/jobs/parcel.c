/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/parcel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static const char magic[] = "drover checkpoint\n";

enum { BLOCK_BYTES = 1 << 20 };

static void close_file(FILE **f)
{
    if (*f != NULL)
        (void)fclose(*f);
}

static int open_file(FILE **ret, const char *path, const char *mode, struct err *err)
{
    *ret = fopen(path, mode);
    return *ret != NULL ? 0 : err_errno(err, errno, "open %s", path);
}

/* What is left of FROM goes to TO. */
static int copy(FILE *from, FILE *to, const char *path, struct progress *progress, struct err *err)
{
    char *block CLEANUP(mem_cleanup) = mem_calloc(1, BLOCK_BYTES);
    size_t n;

    while ((n = fread(block, 1, BLOCK_BYTES, from)) > 0) {
        if (fwrite(block, 1, n, to) != n)
            return err_errno(err, errno, "write %s", path);
        progress_tick(progress);
    }
    return ferror(from) ? err_errno(err, errno, "read for %s", path) : 0;
}

/* A write error may come as late as this. */
static int finish(FILE **f, const char *path, struct err *err)
{
    int failed = fclose(*f);
    *f = NULL;
    return failed ? err_errno(err, errno, "write %s", path) : 0;
}

int parcel_write(const char *path, const char *word, const struct buf *head, const char *body,
                 struct progress *progress, struct err *err)
{
    FILE *to CLEANUP(close_file) = NULL;
    FILE *from CLEANUP(close_file) = NULL;
    uint8_t len[8];

    assert(strlen(word) < PARCEL_WORD_MAX && strchr(word, '\n') == NULL);
    if (head->len > PARCEL_HEAD_MAX)
        return err_set(err, ERR_LIMIT, "a checkpoint's head of %zu bytes; at most %d", head->len,
                       PARCEL_HEAD_MAX);
    for (size_t i = 0; i < 8; i++)
        len[i] = (uint8_t)((uint64_t)head->len >> (8 * i));
    int rc = open_file(&to, path, "we", err);
    if (rc == 0 && body != NULL)
        rc = open_file(&from, body, "re", err);
    if (rc)
        return rc;
    if (fprintf(to, "%s%s\n", magic, word) < 0 || fwrite(len, 1, 8, to) != 8 ||
        fwrite(head->data, 1, head->len, to) != head->len)
        return err_errno(err, errno, "write %s", path);
    if (from != NULL)
        rc = copy(from, to, path, progress, err);
    return rc ? rc : finish(&to, path, err);
}

static int read_head(FILE *from, const char *path, const char *word, struct buf *ret,
                     struct err *err)
{
    char line[PARCEL_WORD_MAX + 1];
    uint8_t bytes[8];
    uint64_t len = 0;

    if (fgets(line, sizeof(line), from) == NULL || strcmp(line, magic) != 0 ||
        fgets(line, sizeof(line), from) == NULL)
        return err_set(err, ERR_CORRUPT, "%s is no checkpoint", path);
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, word) != 0)
        return err_set(err, ERR_VERSION, "%s is a checkpoint of \"%s\", not of \"%s\"", path, line,
                       word);
    if (fread(bytes, 1, 8, from) != 8)
        return err_set(err, ERR_CORRUPT, "%s is torn", path);
    for (size_t i = 0; i < 8; i++)
        len |= (uint64_t)bytes[i] << (8 * i);
    if (len > PARCEL_HEAD_MAX)
        return err_set(err, ERR_CORRUPT, "%s: a head of %llu bytes", path, (unsigned long long)len);
    if (fread(buf_reserve(ret, (size_t)len), 1, (size_t)len, from) != len)
        return err_set(err, ERR_CORRUPT, "%s is torn", path);
    ret->len += (size_t)len;
    return 0;
}

int parcel_read(const char *path, const char *word, struct buf *ret_head, const char *body,
                struct progress *progress, struct err *err)
{
    FILE *from CLEANUP(close_file) = NULL;
    FILE *to CLEANUP(close_file) = NULL;

    int rc = open_file(&from, path, "re", err);
    if (rc == 0)
        rc = read_head(from, path, word, ret_head, err);
    if (rc == 0 && body != NULL)
        rc = open_file(&to, body, "we", err);
    if (rc || body == NULL)
        return rc;
    rc = copy(from, to, body, progress, err);
    return rc ? rc : finish(&to, body, err);
}
