/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/means.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"

enum {
    ROWS_MAX = 8192,             /* token rows of one pass ... */
    STATE_FLOATS_MAX = 32 << 20, /* ... whose states in front of all layers take at most 128 MiB */
    PATH_BYTES = 1200,
};

/* The making of files that are not there. */
struct maker {
    struct means *means;
    struct job *job;
    const struct model *m;
    const struct router_conf *c;
    const struct means_example *e;
    size_t n, first, layers; /* states of LAYERS layers from FIRST on are wanted */
    struct sweep *sweep;
    /* Of one pass over examples [begin, end): */
    size_t begin, end;
    float *state; /* the states of example i in front of layer first + l ... */
    size_t *at;   /* ... begin at state[at[i - begin] * layers + l * rows * dim] */
    struct sweep_seq *seq;
    float **save;
    uint8_t *routing;
};

void means_close(struct means *m)
{
    for (size_t i = 0; i < m->maps; i++)
        if (m->map[i])
            (void)munmap(m->map[i], m->map_bytes);
    free(m->map);
    free(m->rows);
    free(m->features);
    *m = (struct means){ 0 };
}

/* The first layer whose entering states are looked at. */
static size_t first_layer(const struct router_conf *c)
{
    return c->kind == ROUTER_SUCCESS && c->input == ROUTER_LAYER ? c->decide_layer : 0;
}

static size_t files_of(const struct router_conf *c)
{
    return c->kind == ROUTER_LABELS && c->input == ROUTER_LAYER ? c->layers : 1;
}

/* All that the files' bytes depend on. */
static struct digest key_of(const struct maker *k)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "router-features-1");
    digest_add_bytes(&d, k->c->model.b, DIGEST_BYTES);
    digest_add_u64(&d, k->c->features);
    digest_add_u64(&d, k->c->windows);
    digest_add_u64(&d, k->first);
    digest_add_u64(&d, k->layers);
    digest_add_u64(&d, k->n);
    for (size_t i = 0; i < k->n; i++) {
        digest_add_bytes(&d, k->e[i].tokens, k->e[i].rows * sizeof(*k->e[i].tokens));
        digest_add_bytes(&d, k->e[i].routing, k->first + k->layers - 1);
    }
    return digest_end(&d);
}

/* ---- files ---------------------------------------------------------------------------------- */

static int map_file(struct means *m, size_t i, const char *folder, bool make, struct err *err)
{
    char path[PATH_BYTES];
    int fd, rc = 0;

    if ((size_t)snprintf(path, sizeof(path), "%s/layer-%03zu.f32", folder, i) >= sizeof(path))
        return err_set(err, ERR_LIMIT, "the cache's path is too long: %s", folder);
    fd = open(path, (make ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY) | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    /* Room for all of it now: a full disk would else end the process at a write to the map. */
    int full = make ? posix_fallocate(fd, 0, (off_t)m->map_bytes) : 0;
    if (full)
        rc = err_errno(err, full, "%s of %zu bytes", path, m->map_bytes);
    if (rc == 0 && !make && lseek(fd, 0, SEEK_END) != (off_t)m->map_bytes)
        rc = err_set(err, ERR_CORRUPT, "%s does not have %zu bytes; remove it", path, m->map_bytes);
    if (rc == 0) {
        void *p =
            mmap(NULL, m->map_bytes, make ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            rc = err_errno(err, errno, "map %s", path);
        else
            m->map[i] = p;
    }
    (void)close(fd);
    return rc;
}

/* ---- computing ------------------------------------------------------------------------------ */

static void compute_one(void *arg, size_t i, size_t thread)
{
    struct maker *k = arg;
    size_t example = k->begin + i, rows = k->e[example].rows, dim = k->m->conf.dim;

    (void)thread;
    for (size_t l = 0; l < k->layers; l++) {
        const float *state = k->state + (k->at[i] * k->layers + l * rows) * dim;
        float *out = (float *)k->means->map[l] + example * k->means->stride * router_inputs(k->c);

        router_features(k->c, k->m->kern, state, rows, dim, out);
    }
}

/* Examples from k->begin that pass together. */
static void choose_end(struct maker *k, size_t *ret_rows)
{
    size_t most = STATE_FLOATS_MAX / (k->layers * k->m->conf.dim), rows = 0;

    most = MIN(most, (size_t)ROWS_MAX);
    k->end = k->begin;
    do {
        rows += k->e[k->end++].rows;
    } while (k->end < k->n && rows + k->e[k->end].rows <= most);
    *ret_rows = rows;
}

static void add_sequence(struct maker *k, size_t i, size_t at)
{
    const struct means_example *e = &k->e[k->begin + i];
    size_t layers = k->m->conf.layers, dim = k->m->conf.dim, last = k->first + k->layers - 1;
    uint8_t *routing = k->routing + i * layers;
    float **save = k->save + i * (layers + 1);

    memcpy(routing, e->routing, last); /* what is behind the last state is not run */
    k->at[i] = at;
    for (size_t l = 0; l < k->layers; l++)
        save[k->first + l] = k->state + (at * k->layers + l * e->rows) * dim;
    k->seq[i] = (struct sweep_seq){ .tokens = e->tokens,
                                    .rows = e->rows,
                                    .routing = routing,
                                    .save = save,
                                    .logits_from = e->rows };
}

static void pass_release(struct maker *k)
{
    free(k->state);
    free(k->at);
    free(k->seq);
    free(k->save);
    free(k->routing);
    k->state = NULL;
    k->at = NULL;
    k->seq = NULL;
    k->save = NULL;
    k->routing = NULL;
}

static int run_pass(struct maker *k, struct err *err)
{
    size_t layers = k->m->conf.layers, rows, n, at = 0;
    int rc;

    choose_end(k, &rows);
    n = k->end - k->begin;
    k->at = mem_calloc(n, sizeof(*k->at));
    k->seq = mem_calloc(n, sizeof(*k->seq));
    k->save = mem_calloc(n * (layers + 1), sizeof(*k->save));
    k->routing = mem_calloc(n, layers);
    k->state = mem_try_aligned(rows * k->layers * k->m->conf.dim, sizeof(float));
    if (!k->state)
        return err_set(err, ERR_NOMEM, "no memory for the states of %zu token rows in %zu layers",
                       rows, k->layers);
    for (size_t i = 0; i < n; at += k->e[k->begin + i].rows, i++)
        add_sequence(k, i, at);
    rc = sweep_run(k->sweep, k->seq, n, k->job->progress, err);
    if (rc == 0)
        pool_run(k->job->pool, compute_one, k, n);
    return rc;
}

static int compute(struct maker *k, struct err *err)
{
    int rc = 0;

    atomic_store(&k->job->progress->total, k->n);
    k->sweep = sweep_new(k->m, k->job->pool);
    for (k->begin = 0; rc == 0 && k->begin < k->n; k->begin = k->end) {
        if (progress_stopped(k->job->progress))
            rc = err_set(err, ERR_CANCELLED, "stopped at prompt %zu of %zu", k->begin, k->n);
        rc = rc ? rc : run_pass(k, err);
        pass_release(k);
        atomic_store(&k->job->progress->done, k->end);
    }
    sweep_free(k->sweep);
    return rc;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int fill(struct maker *k, struct err *err)
{
    const struct job_services *s = k->job->services;
    struct means *m = k->means;
    const struct digest key = key_of(k);
    const char *folder = NULL;
    bool whole = false;
    int rc = s->made(s->arg, &key, (uint64_t)m->maps * m->map_bytes, &folder, &whole, err);

    for (size_t i = 0; rc == 0 && i < m->maps; i++)
        rc = map_file(m, i, folder, !whole, err);
    if (rc || whole)
        return rc;
    rc = compute(k, err);
    return rc ? rc : s->made_whole(s->arg, err);
}

int means_open(struct means *ret, struct job *j, const struct model *m, const struct router_conf *c,
               const struct means_example *e, size_t n, struct err *err)
{
    struct maker k = { .means = ret, .job = j, .m = m, .c = c, .e = e, .n = n };
    int rc;

    assert(n > 0);
    *ret = (struct means){ .networks = router_heads(c), .maps = files_of(c) };
    k.first = first_layer(c);
    k.layers = ret->maps;
    ret->stride = c->features == ROUTER_WINDOWS ? c->windows : 1;
    ret->map_bytes = n * ret->stride * router_inputs(c) * sizeof(float);
    ret->map = mem_calloc(ret->maps, sizeof(*ret->map));
    ret->rows = mem_calloc(n, 1);
    ret->features = mem_calloc(ret->networks, sizeof(*ret->features));
    for (size_t i = 0; i < n; i++)
        ret->rows[i] = (uint8_t)router_feature_rows(c, e[i].rows);
    rc = fill(&k, err);
    if (rc) {
        means_close(ret);
        return rc;
    }
    for (size_t i = 0; i < ret->networks; i++)
        ret->features[i] = ret->map[ret->maps == 1 ? 0 : i];
    return 0;
}
