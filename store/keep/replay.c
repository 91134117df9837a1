/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - which jobs are made again, and how each gets into a scratch store (keep.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "store/keep/replay_private.h"
#include "store/store_private.h"

enum { CHUNK = 1 << 20 };

/* ---- choosing ---- */

struct choice {
    uint64_t job;
    struct digest order; /* of the seed and the key: the same sample in every copy of a store */
};

static int by_order(const void *a, const void *b)
{
    return memcmp(((const struct choice *)a)->order.b, ((const struct choice *)b)->order.b,
                  DIGEST_BYTES);
}

static int by_job(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;

    return x->job < y->job ? -1 : x->job > y->job;
}

static struct digest order_of(uint64_t seed, const struct digest *key)
{
    struct digester d;

    digest_begin(&d);
    digest_add_u64(&d, seed);
    digest_add_bytes(&d, key->b, DIGEST_BYTES);
    return digest_end(&d);
}

int replay_choose(struct store *s, uint64_t experiment, uint64_t run, uint64_t sample,
                  uint64_t seed, struct store_ids *ret, struct err *err)
{
    struct stmt *st = run ? USE(s, REPLAY_JOBS_OF_RUN) : USE(s, REPLAY_JOBS_OF_EXPERIMENT);
    CLEANUP(mem_cleanup) struct choice *list = NULL;
    size_t n = 0, cap = 0;
    int rc;

    stmt_u64(st, run ? ":run" : ":experiment", run ? run : experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        struct digest key = stmt_col_digest(st, 1);

        if (n == cap) {
            cap = MAX(256, 2 * cap);
            list = mem_realloc(list, cap, sizeof *list);
        }
        list[n++] = (struct choice){ stmt_col_u64(st, 0), order_of(seed, &key) };
    }
    if (rc < 0)
        return rc;
    if (!run && sample > 0 && sample < n) {
        qsort(list, n, sizeof *list, by_order);
        n = (size_t)sample;
        qsort(list, n, sizeof *list, by_job);
    }
    for (size_t i = 0; i < n; i++)
        store_ids_add(ret, list[i].job);
    return 0;
}

/* ---- putting a job into the scratch store ---- */

int replay_head(struct store *s, uint64_t job, struct replay_job *j, struct replay_head *ret,
                struct err *err)
{
    struct stmt *st = USE(s, JOB_HEAD);
    int rc;

    stmt_u64(st, ":id", job);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)job);
    *ret = (struct replay_head){ .diverged = stmt_col(st, 5) != 0,
                                 .attempt = stmt_col_u64(st, 6),
                                 .begin = stmt_col_u64(st, 7),
                                 .end = stmt_col_u64(st, 8),
                                 .family = stmt_col_u64(st, 9) };
    stmt_copy_text(st, 4, ret->state, sizeof ret->state);
    if (j) {
        j->key = stmt_col_digest(st, 0);
        stmt_copy_text(st, 1, j->kind, sizeof j->kind);
        stmt_copy_text(st, 2, j->step, sizeof j->step);
        stmt_copy_text(st, 3, j->class, sizeof j->class);
    }
    stmt_reset(st);
    return 0;
}

/* The bytes of blob D of FROM become a blob of TO: the same file, or else a copy. */
static int hand_over(struct blobs *from, struct blobs *to, const struct digest *d, uint64_t size,
                     struct err *err)
{
    CLEANUP(mem_cleanup) char *bytes = mem_calloc(1, CHUNK);
    uint64_t have = 0;
    bool complete = false;
    size_t len = 0;
    int rc = blobs_write_chunk(to, d, size, 0, NULL, 0, &have, &complete, err);

    while (rc == 0 && !complete) {
        rc = blobs_read(from, d, have, CHUNK, bytes, &len, NULL, err);
        if (rc == 0 && len == 0)
            return err_set(err, ERR_CORRUPT, "a blob is shorter than its row says");
        if (rc == 0)
            rc = blobs_write_chunk(to, d, size, have, bytes, len, &have, &complete, err);
    }
    return rc;
}

/* The files that manifest D names: ours are handed over, the user's are used where they are. */
static int hand_over_members(struct store *s, struct store *scratch, const struct digest *d,
                             struct err *err)
{
    CLEANUP(mem_cleanup) struct store_member *members = NULL;
    size_t len = 0;
    int rc = store_members(s->blobs, d, &members, &len, err);

    for (size_t i = 0; rc == 0 && i < len; i++) {
        const struct store_member *m = &members[i];
        struct store_blob user;

        if (blobs_have(s->blobs, &m->digest, NULL)) {
            rc = hand_over(s->blobs, scratch->blobs, &m->digest, m->size, err);
            continue;
        }
        rc = store_blob_find(s, &m->digest, &user, err);
        if (rc == 0)
            rc = store_submit_file(scratch, &m->digest, m->size, user.path, false, err);
    }
    return rc;
}

/* Input IN of job J as a blob of SCRATCH. */
static int put_input(struct store *s, struct store *scratch, uint64_t job, struct store_input *in,
                     struct err *err)
{
    CLEANUP(buf_release) struct buf rows = { 0 };
    uint64_t size = in->size_bytes;
    int rc;

    if (in->source == STORE_RESULTS) {
        rc = store_collect(s, job, &rows, err);
        if (rc == 0)
            rc = blobs_put(scratch->blobs, buf_str(&rows), rows.len, &in->digest, err);
        in->size_bytes = rows.len;
        in->source = STORE_BLOB;
        in->folder = false;
        return rc;
    }
    in->source = STORE_BLOB;
    if (!blobs_have(s->blobs, &in->digest, &size)) {
        if (in->path[0] && access(in->path, R_OK) == 0)
            return 0; /* the user's file, used in place */
        return err_set(err, ERR_NOT_FOUND,
                       "its input \"%s\" is gone; submit the recipe again to make it", in->name);
    }
    in->size_bytes = size;
    rc = hand_over(s->blobs, scratch->blobs, &in->digest, size, err);
    return rc == 0 && in->folder ? hand_over_members(s, scratch, &in->digest, err) : rc;
}

static int put_families(struct store *scratch, const struct store_job *j,
                        struct store_job_family *ret, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < j->families_len; i++) {
        struct store_family f = j->families[i];

        ret[i].examples = f.examples;
        rc = store_submit_family(scratch, &f, &ret[i].family, err);
    }
    return rc;
}

/* What a select job chooses among: a run of SCRATCH for each. */
static int put_candidates(struct store *s, struct store *scratch,
                          const struct store_submission *sub, const struct store_job *j,
                          struct store_candidate **ret, size_t *ret_len, struct err *err)
{
    struct stmt *st = USE(s, REPLAY_CANDIDATES);
    int rc;

    stmt_u64(st, ":job", j->id);
    while ((rc = stmt_step(st, err)) > 0) {
        *ret = mem_realloc(*ret, *ret_len + 1, sizeof **ret);
        (*ret)[(*ret_len)++] = (struct store_candidate){ .candidate = stmt_col_digest(st, 0) };
    }
    for (size_t i = 0; rc == 0 && i < *ret_len; i++) {
        struct digester d;
        struct digest point;

        digest_begin(&d);
        digest_add_bytes(&d, j->key.b, DIGEST_BYTES);
        digest_add_bytes(&d, (*ret)[i].candidate.b, DIGEST_BYTES);
        point = digest_end(&d);
        rc = store_submit_run(scratch, sub, &point, 0, NULL, 0, &(*ret)[i].run, err);
    }
    return rc;
}

static int submit(struct store *s, struct store *scratch, struct store_submission *sub,
                  uint64_t run, struct store_job *j, struct err *err)
{
    CLEANUP(mem_cleanup)
    struct store_job_family *families = mem_calloc(MAX(j->families_len, 1), sizeof *families);
    struct store_job_spec spec = { .key = j->key,
                                   .kind = j->kind,
                                   .numeric_class = j->numeric_class,
                                   .step = j->step,
                                   .kind_version = j->kind_version,
                                   .params = j->params,
                                   .params_len = j->params_len,
                                   .begin = j->begin,
                                   .end = j->end,
                                   .seed = j->seed,
                                   .inputs = j->inputs,
                                   .inputs_len = j->inputs_len,
                                   .runs = &run,
                                   .runs_len = 1,
                                   .families = families,
                                   .families_len = j->families_len };
    CLEANUP(mem_cleanup) struct store_candidate *candidates = NULL;
    uint64_t id;
    int rc = put_families(scratch, j, families, err);

    if (rc == 0)
        rc = put_candidates(s, scratch, sub, j, &candidates, &spec.candidates_len, err);
    spec.candidates = candidates;
    for (size_t i = 0; rc == 0 && i < j->inputs_len; i++)
        rc = put_input(s, scratch, j->id, &j->inputs[i], err);
    return rc == 0 ? store_submit_job(scratch, sub, &spec, &id, err) : rc;
}

static void release_job(struct store_job *j)
{
    store_job_release(j);
}

static bool offered(const char *classes, const char *class)
{
    size_t n = strlen(class);

    for (const char *line = classes; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, class, n) == 0 && (line[n] == '\n' || line[n] == '\0'))
            return true;
    }
    return false;
}

/* Can it be replayed at all? Else *WHY. */
static bool can_replay(const struct replay_job *job, const struct replay_head *head,
                       const char *classes, struct err *why)
{
    if (strcmp(head->state, "DONE") != 0)
        err_set(why, ERR_NOT_FOUND, "it has no result, it is %s", head->state);
    else if (head->attempt == 0)
        err_set(why, ERR_NOT_FOUND, "other jobs gave all of its examples");
    else if (!offered(classes, job->class))
        err_set(why, ERR_NOT_FOUND,
                "its bits can only be made where `drover worker --classes` lists %.100s",
                job->class);
    else
        return true;
    return false;
}

int replay_put(struct store *s, struct store *scratch, struct store_submission *sub, uint64_t run,
               const char *classes, struct replay_job *job, struct err *err)
{
    CLEANUP(release_job) struct store_job j = { 0 };
    struct replay_head head;
    struct err why = { 0 };
    int rc = replay_head(s, job->job, job, &head, err);

    if (rc < 0)
        return rc;
    job->ready = false;
    if (can_replay(job, &head, classes, &why)) {
        rc = store_job_load(s, job->job, &j, &why);
        if (rc == 0)
            rc = submit(s, scratch, sub, run, &j, &why);
        job->ready = rc == 0;
    }
    snprintf(job->why, sizeof job->why, "%.290s", why.text);
    return rc == ERR_FULL || rc == ERR_IO ? err_set(err, (enum err_code)rc, "%s", why.text) : 0;
}

void replay_job_release(struct replay_job *job)
{
    buf_release(&job->differences);
    buf_release(&job->committed);
    buf_release(&job->here);
}
