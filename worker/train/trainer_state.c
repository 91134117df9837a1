/* SPDX-License-Identifier: Apache-2.0 */
/* A trainer's state in one file: a header of fixed size, floats as they are in memory (weights when
 * they are in it, first moments, second moments), and the digest of all that. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/mem.h"
#include "worker/checkpoint/outfile.h"
#include "worker/train/trainer_private.h"

#define STATE_MAGIC "drover-training\n"
enum {
    STATE_VERSION = 1,
    BLOCK_BYTES = 8 << 20, /* hashed, written and read at a time */
    WITH_WEIGHTS = 1,      /* flag */
};

struct state_header {
    char magic[16];
    uint32_t version, flags;
    struct digest model;   /* what the moments belong to: sizes, options, betas */
    struct digest weights; /* of the floats */
    uint64_t steps, floats;
    double beta1_power, beta2_power;
};
_Static_assert(sizeof(struct state_header) == 120, "no padding: the header is written as it is");

static struct digest model_digest(const struct train_conf *c)
{
    const struct model_conf *m = &c->model;
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "drover training state");
    for (size_t i = 0; i < 8; i++)
        digest_add_u64(&d, (const size_t[]){ m->layers, m->dim, m->heads, m->kv_heads, m->head_dim,
                                             m->hidden, m->vocab, m->rope_scaling.original }[i]);
    for (size_t i = 0; i < 6; i++)
        digest_add_u64(&d, (const uint64_t[]){ m->tied, m->rope_interleaved, m->qkv_bias, m->o_bias,
                                               m->mlp_bias, m->rope_scaling.kind }[i]);
    for (size_t i = 0; i < 5; i++)
        digest_add_double(&d, (const float[]){ m->rms_eps, m->rope_theta, m->rope_scaling.factor,
                                               m->rope_scaling.low_freq,
                                               m->rope_scaling.high_freq }[i]);
    digest_add_double(&d, c->beta1);
    digest_add_double(&d, c->beta2);
    digest_add_double(&d, c->eps);
    return digest_end(&d);
}

static void hash_floats(struct digester *d, const struct trainer *t, const struct model_weights *w)
{
    const char *at = (const char *)w->all;

    for (size_t left = w->floats_len * sizeof(float), n; left; left -= n, at += n) {
        n = MIN(left, (size_t)BLOCK_BYTES);
        digest_raw(d, at, n);
        progress_tick(t->model.progress);
    }
}

static struct digest weights_digest(const struct trainer *t)
{
    struct digester d;

    digest_begin(&d);
    hash_floats(&d, t, &t->model.w);
    return digest_end(&d);
}

static int write_floats(struct outfile *f, struct digester *d, const struct trainer *t,
                        const struct model_weights *w, struct err *err)
{
    const char *at = (const char *)w->all;
    int rc = 0;

    for (size_t left = w->floats_len * sizeof(float), n; left && !rc; left -= n, at += n) {
        n = MIN(left, (size_t)BLOCK_BYTES);
        digest_raw(d, at, n);
        rc = outfile_write(f, at, n, err);
        progress_tick(t->model.progress);
    }
    return rc;
}

int trainer_save_state(const struct trainer *t, const char *path, enum train_state what,
                       struct err *err)
{
    struct state_header h = { .magic = STATE_MAGIC,
                              .version = STATE_VERSION,
                              .flags = what == TRAIN_STATE_ALL ? WITH_WEIGHTS : 0,
                              .model = model_digest(&t->conf),
                              .steps = t->steps,
                              .floats = t->model.w.floats_len,
                              .beta1_power = t->beta1_power,
                              .beta2_power = t->beta2_power };
    struct digester d;
    struct digest all;
    struct outfile f;
    int rc;

    assert(!t->conf.frozen);
    rc = outfile_open(&f, path, err);
    if (rc < 0)
        return rc;
    h.weights = weights_digest(t);
    digest_begin(&d);
    digest_raw(&d, &h, sizeof(h));
    rc = outfile_write(&f, &h, sizeof(h), err);
    if (rc == 0 && what == TRAIN_STATE_ALL)
        rc = write_floats(&f, &d, t, &t->model.w, err);
    rc = rc == 0 ? write_floats(&f, &d, t, &t->moment1, err) : rc;
    rc = rc == 0 ? write_floats(&f, &d, t, &t->moment2, err) : rc;
    all = digest_end(&d);
    rc = rc == 0 ? outfile_write(&f, &all, sizeof(all), err) : rc;
    return outfile_close(&f, rc, err);
}

/* Exactly LEN bytes at OFFSET. */
static int read_at(int fd, const char *path, void *to, size_t len, uint64_t offset, struct err *err)
{
    for (char *p = to; len;) {
        ssize_t got = pread(fd, p, len, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, errno, "read %s", path);
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "%s ends early, at byte %llu", path,
                           (unsigned long long)offset);
        p += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

static int read_floats(const struct trainer *t, int fd, const char *path, struct model_weights *w,
                       uint64_t *at, struct err *err)
{
    char *to = (char *)w->all;
    int rc = 0;

    for (size_t left = w->floats_len * sizeof(float), n; left && !rc;
         left -= n, to += n, *at += n) {
        n = MIN(left, (size_t)BLOCK_BYTES);
        rc = read_at(fd, path, to, n, *at, err);
        progress_tick(t->model.progress);
    }
    return rc;
}

static int check_header(const struct trainer *t, const char *path, const struct state_header *h,
                        uint64_t size, struct err *err)
{
    struct digest model = model_digest(&t->conf), weights;
    uint64_t floats = t->model.w.floats_len, parts = h->flags & WITH_WEIGHTS ? 3 : 2;

    if (memcmp(h->magic, STATE_MAGIC, sizeof(h->magic)) != 0)
        return err_set(err, ERR_VERSION, "%s is no state of a training", path);
    if (h->version != STATE_VERSION || h->flags > WITH_WEIGHTS)
        return err_set(err, ERR_VERSION, "%s: version %u of a training's state; this reads %d",
                       path, h->version, STATE_VERSION);
    if (!digest_equal(&h->model, &model) || h->floats != floats)
        return err_set(err, ERR_INVALID,
                       "%s belongs to another model or other betas (%llu numbers, not %llu)", path,
                       (unsigned long long)h->floats, (unsigned long long)floats);
    if (size != sizeof(*h) + parts * floats * sizeof(float) + sizeof(struct digest))
        return err_set(err, ERR_CORRUPT, "%s has %llu bytes: it was cut or grew", path,
                       (unsigned long long)size);
    if (!(h->beta1_power >= 0 && h->beta1_power <= 1 && h->beta2_power >= 0 && h->beta2_power <= 1))
        return err_set(err, ERR_CORRUPT, "%s: powers of beta outside 0 to 1", path);
    weights = h->flags & WITH_WEIGHTS ? h->weights : weights_digest(t);
    if (!digest_equal(&h->weights, &weights))
        return err_set(err, ERR_INVALID, "%s belongs to other weights than the model's", path);
    return 0;
}

/* The digest at the end is that of all in front of it. */
static int check_digest(const struct trainer *t, int fd, const char *path, uint64_t size,
                        struct err *err)
{
    CLEANUP(mem_cleanup) char *block = mem_calloc(1, BLOCK_BYTES);
    struct digest found, computed;
    struct digester d;
    uint64_t at = 0, end = size - sizeof(found);
    int rc = 0;

    digest_begin(&d);
    for (size_t n; at < end && rc == 0; at += n) {
        n = (size_t)MIN(end - at, (uint64_t)BLOCK_BYTES);
        rc = read_at(fd, path, block, n, at, err);
        digest_raw(&d, block, n);
        progress_tick(t->model.progress);
    }
    computed = digest_end(&d);
    rc = rc == 0 ? read_at(fd, path, &found, sizeof(found), end, err) : rc;
    if (rc == 0 && !digest_equal(&found, &computed))
        return err_set(err, ERR_CORRUPT, "%s is damaged: its digest is another", path);
    return rc;
}

static int load(struct trainer *t, int fd, const char *path, struct err *err)
{
    struct state_header h;
    struct stat st;
    uint64_t at = sizeof(h);
    int rc = 0;

    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "look at %s", path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < sizeof(h))
        return err_set(err, ERR_CORRUPT, "%s is too short for the state of a training", path);
    rc = read_at(fd, path, &h, sizeof(h), 0, err);
    rc = rc == 0 ? check_header(t, path, &h, (uint64_t)st.st_size, err) : rc;
    rc = rc == 0 ? check_digest(t, fd, path, (uint64_t)st.st_size, err) : rc;
    if (rc < 0)
        return rc;
    if (h.flags & WITH_WEIGHTS)
        rc = read_floats(t, fd, path, &t->model.w, &at, err);
    rc = rc == 0 ? read_floats(t, fd, path, &t->moment1, &at, err) : rc;
    rc = rc == 0 ? read_floats(t, fd, path, &t->moment2, &at, err) : rc;
    if (rc < 0)
        return rc;
    t->steps = h.steps;
    t->beta1_power = h.beta1_power;
    t->beta2_power = h.beta2_power;
    trainer_pack(t);
    return 0;
}

int trainer_load_state(struct trainer *t, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    assert(!t->conf.frozen);
    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    rc = load(t, fd, path, err);
    (void)close(fd);
    return rc;
}
