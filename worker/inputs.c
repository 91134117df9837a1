/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/attempt.h"
#include "worker/blob_client.h"
#include "worker/file.h"
#include "worker/manifest.h"
#include "worker/stamps.h"

struct ready {
    const Drover__Input *input;
    char *path;
};

struct inputs {
    const struct slot_env *env;
    const Drover__Lease *lease;
    struct blob_client *blobs;
    struct progress *progress;
    const char *dir;
    struct ready ready[WIRE_INPUTS_MAX];
    size_t ready_len;
    struct cache_pin *pin; /* in use until the attempt ends */
    size_t pins_len;
};

struct inputs *inputs_new(const struct slot_env *env, const Drover__Lease *lease,
                          struct blob_client *blobs, struct progress *progress, const char *dir)
{
    struct inputs *in = mem_calloc(1, sizeof(*in));
    in->env = env;
    in->lease = lease;
    in->blobs = blobs;
    in->progress = progress;
    in->dir = dir;
    return in;
}

void inputs_free(struct inputs *in)
{
    if (in == NULL)
        return;
    for (size_t i = 0; i < in->ready_len; i++)
        free(in->ready[i].path);
    for (size_t i = 0; i < in->pins_len; i++)
        cache_unpin(&in->pin[i]);
    free(in->pin);
    free(in);
}

/* Blob D in the cache, pinned until the attempt ends. *RET is valid until the next call. */
static int fetch(struct inputs *in, const struct digest *d, uint64_t size_bytes, const char **ret,
                 struct err *err)
{
    in->pin = mem_realloc(in->pin, in->pins_len + 1, sizeof(*in->pin));
    struct cache_pin *pin = &in->pin[in->pins_len];
    *pin = (struct cache_pin){ .fd = -1 };
    int rc = blob_client_fetch(in->blobs, in->env->cache, d, size_bytes, pin, err);
    if (rc)
        return rc;
    in->pins_len++;
    *ret = pin->path;
    return 0;
}

/* Put into OUT the first of the places where a user's file NAME of the input at HINT may lie whose
 * bytes are D. */
static bool find_outside(const struct inputs *in, const char *hint, const char *name,
                         const struct digest *d, uint64_t size_bytes, struct buf *out)
{
    const char *slash = strrchr(hint, '/');
    const char *last = slash != NULL ? slash + 1 : hint;

    /* In this order: the path itself; in it; beside it; in --models, under its last part or
     * without. */
    for (int place = 0; place < 5; place++) {
        buf_clear(out);
        if (place < 3 && hint[0] != '/')
            continue; /* a relative path means nothing here */
        if (place >= 3 && in->env->models == NULL)
            break;
        if (place == 0)
            buf_adds(out, hint);
        else if (place == 1)
            buf_printf(out, "%s/%s", hint, name);
        else if (place == 2)
            buf_printf(out, "%.*s/%s", (int)(slash - hint), hint, name);
        else if (place == 3)
            buf_printf(out, "%s/%s/%s", in->env->models, last, name);
        else
            buf_printf(out, "%s/%s", in->env->models, name);
        if (stamps_match(in->env->stamps, buf_str(out), d, size_bytes, in->progress))
            return true;
    }
    return false;
}

/* DIR/NAME becomes file F of a folder: the user's own file by a symbolic link, else the cache's by
 * a hard link. */
static int place_file(struct inputs *in, const char *dir, const struct manifest_file *f,
                      const char *hint, struct err *err)
{
    struct buf to CLEANUP(buf_release) = { 0 };
    struct buf outside CLEANUP(buf_release) = { 0 };
    const char *cached = NULL;

    buf_printf(&to, "%s/%s", dir, f->name);
    if (find_outside(in, hint, f->name, &f->digest, f->size_bytes, &outside)) {
        if (symlink(buf_str(&outside), buf_str(&to)) != 0)
            return err_errno(err, errno, "link %s", buf_str(&to));
        return 0;
    }
    int rc = fetch(in, &f->digest, f->size_bytes, &cached, err);
    if (rc)
        return err_wrap(err, rc, "file %s", f->name);
    /* Some file systems have no hard links. */
    if (link(cached, buf_str(&to)) != 0 && symlink(cached, buf_str(&to)) != 0)
        return err_errno(err, errno, "link %s", buf_str(&to));
    return 0;
}

static int prepare_folder(struct inputs *in, const Drover__Input *x, struct buf *path,
                          struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct manifest m CLEANUP(manifest_release) = { 0 };
    const struct digest d = wire_digest(x->digest);
    const char *cached = NULL;

    int rc = fetch(in, &d, x->size, &cached, err);
    if (rc == 0)
        rc = buf_read_file(&text, cached, MANIFEST_BYTES_MAX, err);
    if (rc == 0)
        rc = manifest_parse(&m, buf_str(&text), text.len, err);
    if (rc)
        return rc;
    buf_printf(path, "%s/in-%zu", in->dir, in->ready_len);
    rc = file_make_dirs(buf_str(path), err);
    for (size_t i = 0; rc == 0 && i < m.len; i++)
        rc = place_file(in, buf_str(path), &m.file[i], x->path, err);
    if (rc)
        cache_remove_tree(buf_str(path));
    return rc;
}

static int prepare_file(struct inputs *in, const Drover__Input *x, struct buf *path,
                        struct err *err)
{
    const struct digest d = wire_digest(x->digest);
    const char *slash = strrchr(x->path, '/');
    const char *cached = NULL;

    if (x->path[0] != '\0' &&
        find_outside(in, x->path, slash ? slash + 1 : x->path, &d, x->size, path))
        return 0;
    buf_clear(path);
    int rc = fetch(in, &d, x->size, &cached, err);
    if (rc == 0)
        buf_adds(path, cached);
    return rc;
}

static const char *find_ready(const struct inputs *in, const char *name)
{
    for (size_t i = 0; i < in->ready_len; i++)
        if (strcmp(in->ready[i].input->name, name) == 0)
            return in->ready[i].path;
    return NULL;
}

static int prepare(struct inputs *in, const char *name, const char **ret, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    const Drover__Input *x = NULL;

    for (size_t i = 0; i < in->lease->n_inputs; i++)
        if (strcmp(in->lease->inputs[i]->name, name) == 0)
            x = in->lease->inputs[i];
    if (x == NULL || in->ready_len == WIRE_INPUTS_MAX)
        return err_set(err, ERR_NOT_FOUND, "the job has no input \"%s\"", name);
    if (x->digest.len != DIGEST_BYTES)
        return err_set(err, ERR_INVALID, "input %s: its bytes are not known yet", name);
    int rc = x->folder ? prepare_folder(in, x, &path, err) : prepare_file(in, x, &path, err);
    if (rc)
        return err_wrap(err, rc, "input %s", name);
    struct ready *r = &in->ready[in->ready_len++];
    *r = (struct ready){ .input = x, .path = buf_detach(&path) };
    *ret = r->path;
    return 0;
}

int inputs_get(struct inputs *in, const char *name, char *path, size_t path_size, struct err *err)
{
    const char *ready = find_ready(in, name);
    if (ready == NULL) {
        int rc = prepare(in, name, &ready, err);
        if (rc)
            return rc;
    }
    if ((size_t)snprintf(path, path_size, "%s", ready) >= path_size)
        return err_set(err, ERR_LIMIT, "input %s: path longer than %zu bytes", name, path_size - 1);
    return 0;
}
