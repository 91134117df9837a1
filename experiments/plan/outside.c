/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/outside.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "common/base/mem.h"

/* 65,536 lines of about 110 bytes: 7 MiB. A fuller cache starts anew. */
enum { CACHE_LINES_MAX = 65536, CACHE_BYTES_MAX = 16 * 1024 * 1024 };

struct file_stamp {
    uint64_t device, inode, size_bytes, mtime_ns;
};

struct cached {
    struct file_stamp stamp;
    struct digest digest;
    UT_hash_handle hh;
};

struct outside {
    char *cache_path;
    struct cached *entry;
    bool grew;
};

static void cache_put(struct outside *o, const struct file_stamp *stamp, const struct digest *d)
{
    struct cached *c = NULL;

    HASH_FIND(hh, o->entry, stamp, sizeof(*stamp), c);
    if (c) {
        c->digest = *d;
        return;
    }
    c = mem_calloc(1, sizeof(*c));
    c->stamp = *stamp;
    c->digest = *d;
    HASH_ADD(hh, o->entry, stamp, sizeof(c->stamp), c);
}

static void cache_line(struct outside *o, const char *line)
{
    struct file_stamp s;
    struct digest d;
    char hex[DIGEST_HEX];

    memset(&s, 0, sizeof(s));
    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %64[0-9a-f]", &s.device,
               &s.inode, &s.size_bytes, &s.mtime_ns, hex) == 5 &&
        digest_parse(hex, &d, NULL) == 0)
        cache_put(o, &s, &d);
}

struct outside *outside_new(const char *cache_path)
{
    struct outside *o = mem_calloc(1, sizeof(*o));
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!cache_path)
        return o;
    o->cache_path = mem_strdup(cache_path);
    if (buf_read_file(&text, cache_path, CACHE_BYTES_MAX, NULL) != 0)
        return o;
    for (char *rest = text.data, *line; rest && *rest;) {
        line = strsep(&rest, "\n");
        cache_line(o, line);
    }
    return o;
}

void outside_free(struct outside *o)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct cached *c, *next;
    char hex[DIGEST_HEX];

    if (!o)
        return;
    if (HASH_COUNT(o->entry) > CACHE_LINES_MAX)
        o->grew = false;
    HASH_ITER(hh, o->entry, c, next)
    {
        if (o->grew)
            buf_printf(&text, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
                       c->stamp.device, c->stamp.inode, c->stamp.size_bytes, c->stamp.mtime_ns,
                       digest_hex(&c->digest, hex));
        HASH_DEL(o->entry, c);
        free(c);
    }
    if (o->grew && o->cache_path)
        (void)!buf_write_file(o->cache_path, text.data, text.len, NULL); /* only a cache */
    free(o->cache_path);
    free(o);
}

static int stamp_of(const char *path, struct file_stamp *ret, bool *ret_folder, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_errno(err, errno, "%s", path);
    memset(ret, 0, sizeof(*ret));
    ret->device = (uint64_t)st.st_dev;
    ret->inode = (uint64_t)st.st_ino;
    ret->size_bytes = (uint64_t)st.st_size;
    ret->mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    *ret_folder = S_ISDIR(st.st_mode);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s: neither a file nor a folder", path);
    return 0;
}

int outside_file(struct outside *o, const char *path, struct digest *ret, uint64_t *ret_size_bytes,
                 struct err *err)
{
    struct file_stamp stamp;
    struct cached *c = NULL;
    bool folder;
    int rc = stamp_of(path, &stamp, &folder, err);

    if (rc)
        return rc;
    if (folder)
        return err_set(err, ERR_INVALID, "%s: is a folder, a file is needed", path);
    HASH_FIND(hh, o->entry, &stamp, sizeof(stamp), c);
    if (c) {
        *ret = c->digest;
        *ret_size_bytes = stamp.size_bytes;
        return 0;
    }
    rc = digest_file(path, ret, ret_size_bytes, err);
    if (rc)
        return rc;
    cache_put(o, &stamp, ret);
    o->grew = true;
    return 0;
}

static int add_member(struct outside *o, struct outside_model *m, const char *name,
                      const char *path, struct err *err)
{
    if (m->len == OUTSIDE_MEMBERS_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d files in a folder", path,
                       OUTSIDE_MEMBERS_MAX);
    if (name[strcspn(name, " \t\r\n")] != '\0')
        return err_set(err, ERR_INVALID, "%s: a file name with a blank; rename it", path);
    m->member = mem_realloc(m->member, m->len + 1, sizeof(*m->member));
    struct outside_member *f = &m->member[m->len++];
    *f = (struct outside_member){ .name = mem_strdup(name), .path = mem_strdup(path) };
    return outside_file(o, path, &f->digest, &f->size_bytes, err);
}

static void close_folder(DIR **d)
{
    if (*d)
        closedir(*d);
}

static int add_folder(struct outside *o, struct outside_model *m, const char *path, struct err *err)
{
    DIR *d CLEANUP(close_folder) = opendir(path);
    struct file_stamp stamp;
    bool folder;

    if (!d)
        return err_errno(err, errno, "%s", path);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        struct buf file CLEANUP(buf_release) = { 0 };
        if (e->d_name[0] == '.')
            continue;
        buf_printf(&file, "%s/%s", path, e->d_name);
        int rc = stamp_of(buf_str(&file), &stamp, &folder, err);
        if (rc)
            return rc;
        if (folder)
            continue;
        rc = add_member(o, m, e->d_name, buf_str(&file), err);
        if (rc)
            return rc;
    }
    if (m->len == 0)
        return err_set(err, ERR_NOT_FOUND, "%s: no files in this model folder", path);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct outside_member *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);

    return n >= m && strcmp(s + n - m, tail) == 0;
}

/* The name under which the worker finds it and knows its form. */
static const char *tokenizer_name(const char *path)
{
    if (ends_with(path, ".json"))
        return "tokenizer.json";
    return ends_with(path, ".bin") ? "tokenizer.bin" : "tokenizer.model";
}

static bool is_gguf(const char *path)
{
    char magic[4] = "";
    FILE *f = fopen(path, "rb");

    if (!f)
        return false;
    size_t n = fread(magic, 1, sizeof(magic), f);
    (void)fclose(f);
    return n == sizeof(magic) && memcmp(magic, "GGUF", sizeof(magic)) == 0;
}

/* The tokenizer beside the model file PATH: the only tok*.bin, tokenizer.json or tokenizer.model,
 * into OUT; nothing when there is none, or not one alone. */
static void tokenizer_beside(const char *path, struct buf *out)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model" };
    struct buf folder CLEANUP(buf_release) = { 0 };
    const char *slash = strrchr(path, '/'), *own = slash ? slash + 1 : path;
    size_t found = 0;

    buf_add(&folder, slash ? path : "./", slash ? (size_t)(slash + 1 - path) : 2);
    DIR *d CLEANUP(close_folder) = opendir(buf_str(&folder));
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, "tok", 3) == 0 && ends_with(e->d_name, ".bin") &&
            strcmp(e->d_name, own) != 0 && ++found == 1)
            buf_printf(out, "%s%s", buf_str(&folder), e->d_name);
    if (found > 1)
        buf_clear(out);
    for (size_t i = 0; found == 0 && i < ARRAY_LEN(names); i++) {
        buf_clear(out);
        buf_printf(out, "%s%s", buf_str(&folder), names[i]);
        found = access(buf_str(out), R_OK) == 0;
    }
    if (found == 0)
        buf_clear(out);
}

static int add_members(struct outside *o, const char *path, const char *tokenizer,
                       struct outside_model *m, struct err *err)
{
    struct file_stamp stamp;
    bool folder;
    int rc = stamp_of(path, &stamp, &folder, err);

    if (rc == 0)
        rc = folder ? add_folder(o, m, path, err) : add_member(o, m, "model.bin", path, err);
    struct buf beside CLEANUP(buf_release) = { 0 };
    if (rc == 0 && !folder && !(tokenizer && *tokenizer) && !is_gguf(path)) {
        tokenizer_beside(path, &beside);
        tokenizer = buf_str(&beside);
    }
    if (rc || !tokenizer || !*tokenizer)
        return rc;
    const char *name = tokenizer_name(tokenizer);
    for (size_t i = 0; i < m->len; i++)
        if (strcmp(m->member[i].name, name) == 0)
            return err_set(err, ERR_INVALID,
                           "%s: the model folder has its own %s; leave the "
                           "tokenizer out of the recipe",
                           path, name);
    return add_member(o, m, name, tokenizer, err);
}

/* After RC of adding the members: the manifest, or nothing. */
static int finish(struct outside_model *ret, int rc)
{
    char hex[DIGEST_HEX];

    if (rc) {
        outside_model_release(ret);
        return rc;
    }
    qsort(ret->member, ret->len, sizeof(*ret->member), by_name);
    for (size_t i = 0; i < ret->len; i++)
        buf_printf(&ret->manifest, "%s %" PRIu64 " %s\n", ret->member[i].name,
                   ret->member[i].size_bytes, digest_hex(&ret->member[i].digest, hex));
    ret->digest = digest_of(ret->manifest.data, ret->manifest.len);
    return 0;
}

int outside_model(struct outside *o, const char *path, const char *tokenizer,
                  struct outside_model *ret, struct err *err)
{
    *ret = (struct outside_model){ 0 };
    return finish(ret, add_members(o, path, tokenizer, ret, err));
}

int outside_files(struct outside *o, const char *const *name, const char *const *path, size_t len,
                  struct outside_model *ret, struct err *err)
{
    int rc = 0;

    *ret = (struct outside_model){ 0 };
    for (size_t i = 0; !rc && i < len; i++)
        rc = add_member(o, ret, name[i], path[i], err);
    return finish(ret, rc);
}

void outside_model_release(struct outside_model *m)
{
    for (size_t i = 0; i < m->len; i++) {
        free(m->member[i].name);
        free(m->member[i].path);
    }
    free(m->member);
    buf_release(&m->manifest);
    *m = (struct outside_model){ 0 };
}
