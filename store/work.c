/* SPDX-License-Identifier: Apache-2.0 */
/* work.c - ready jobs and what a lease says (work.h). */
#include "store/work.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/store_private.h"

static int load_head(struct store *s, struct store_job *j, struct err *err)
{
    struct stmt *st = USE(s, JOB_GET);
    const void *params;
    int rc;

    stmt_u64(st, ":id", j->id);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)j->id);
    j->key = stmt_col_digest(st, 0);
    stmt_copy_text(st, 1, j->kind, sizeof j->kind);
    j->kind_version = (uint32_t)stmt_col(st, 2);
    stmt_copy_text(st, 3, j->numeric_class, sizeof j->numeric_class);
    stmt_copy_text(st, 4, j->step, sizeof j->step);
    stmt_copy_text(st, 5, j->state, sizeof j->state);
    j->tries = (uint32_t)stmt_col(st, 6);
    j->losses = (uint32_t)stmt_col(st, 7);
    j->retries = (uint32_t)stmt_col(st, 8);
    j->epoch = (uint32_t)stmt_col(st, 9);
    j->begin = stmt_col_u64(st, 10);
    j->end = stmt_col_u64(st, 11);
    j->seed = stmt_col_u64(st, 12);
    params = stmt_col_bytes(st, 13, &j->params_len);
    j->params = j->params_len ? mem_dup(params, j->params_len) : NULL;
    stmt_reset(st);
    return 0;
}

static int load_inputs(struct store *s, struct store_job *j, struct err *err)
{
    struct stmt *st = USE(s, JOB_INPUTS);
    int rc;

    stmt_u64(st, ":job", j->id);
    while ((rc = stmt_step(st, err)) > 0) {
        const char *source = stmt_col_text(st, 1);
        struct store_input *in;

        j->inputs = mem_realloc(j->inputs, j->inputs_len + 1, sizeof *j->inputs);
        in = &j->inputs[j->inputs_len++];
        *in = (struct store_input){
            .source = strcmp(source, "BLOB") == 0     ? STORE_BLOB
                      : strcmp(source, "OUTPUT") == 0 ? STORE_OUTPUT
                                                      : STORE_RESULTS,
            .digest = stmt_col_digest(st, 2),
            .size_bytes = stmt_col_u64(st, 3),
            .folder = stmt_col(st, 4) != 0,
            .producer = stmt_col_u64(st, 6),
        };
        stmt_copy_text(st, 0, in->name, sizeof in->name);
        stmt_copy_text(st, 5, in->path, sizeof in->path);
        stmt_copy_text(st, 7, in->output, sizeof in->output);
    }
    return rc;
}

/* Fill in what IN's producer made. */
static int resolve(struct store *s, struct store_input *in, struct err *err)
{
    struct stmt *st = USE(s, JOB_OUTPUT_GET);
    int rc;

    stmt_u64(st, ":job", in->producer);
    stmt_text(st, ":name", in->output);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "input %s: job %llu has not made \"%s\" yet", in->name,
                       (unsigned long long)in->producer, in->output);
    in->digest = stmt_col_digest(st, 0);
    in->size_bytes = stmt_col_u64(st, 1);
    in->folder = stmt_col(st, 2) != 0;
    stmt_copy_text(st, 3, in->path, sizeof in->path);
    stmt_reset(st);
    if (!blob_present(s, &in->digest, in->path)) {
        char hex[DIGEST_HEX];

        return err_set(
            err, ERR_NOT_FOUND,
            "input %s: output \"%s\" of job %llu, blob %s, is gone; submit the recipe again",
            in->name, in->output, (unsigned long long)in->producer, digest_hex(&in->digest, hex));
    }
    return 0;
}

static int load_families(struct store *s, struct store_job *j, struct err *err)
{
    struct stmt *st = USE(s, JOB_FAMILIES);
    int rc;

    stmt_u64(st, ":job", j->id);
    while ((rc = stmt_step(st, err)) > 0) {
        struct store_family *f;

        j->families = mem_realloc(j->families, j->families_len + 1, sizeof *j->families);
        f = &j->families[j->families_len++];
        *f = (struct store_family){
            .id = stmt_col_u64(st, 0),
            .key = stmt_col_digest(st, 1),
            .level = (int)stmt_col(st, 4),
            .examples = stmt_col_u64(st, 6),
        };
        stmt_copy_text(st, 2, f->kind, sizeof f->kind);
        stmt_copy_text(st, 3, f->task, sizeof f->task);
        stmt_copy_text(st, 5, f->split, sizeof f->split);
    }
    return rc;
}

static int load_finished(struct store *s, struct store_job *j, struct err *err)
{
    struct stmt *st;
    struct store_ids ids = { 0 };
    int rc;

    if (j->end <= j->begin || j->families_len == 0)
        return 0;
    st = kind_is_search(j->kind) ? USE(s, FINISHED_LABELS) : USE(s, FINISHED_SCORES);
    stmt_u64(st, ":family", j->families[0].id);
    stmt_u64(st, ":range_begin", j->begin);
    stmt_u64(st, ":range_end", j->end);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&ids, stmt_col_u64(st, 0));
    j->finished = ids.v;
    j->finished_len = ids.len;
    return rc;
}

int store_job_load(struct store *s, uint64_t job, struct store_job *ret, struct err *err)
{
    int rc;

    *ret = (struct store_job){ .id = job };
    rc = load_head(s, ret, err);
    if (rc == 0)
        rc = load_inputs(s, ret, err);
    for (size_t i = 0; rc == 0 && i < ret->inputs_len; i++) {
        if (ret->inputs[i].source == STORE_OUTPUT)
            rc = resolve(s, &ret->inputs[i], err);
    }
    if (rc == 0)
        rc = load_families(s, ret, err);
    if (rc == 0)
        rc = load_finished(s, ret, err);
    if (rc < 0)
        store_job_release(ret);
    return rc;
}

void store_job_release(struct store_job *j)
{
    free(j->params);
    free(j->inputs);
    free(j->families);
    free(j->finished);
    *j = (struct store_job){ 0 };
}

int store_blob_find(struct store *s, const struct digest *digest, struct store_blob *ret,
                    struct err *err)
{
    char hex[DIGEST_HEX];
    struct stmt *st = USE(s, BLOB_GET);
    int rc;

    *ret = (struct store_blob){ .digest = *digest };
    stmt_digest(st, ":digest", digest);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        ret->size_bytes = stmt_col_u64(st, 0);
        ret->folder = stmt_col(st, 1) != 0;
        stmt_copy_text(st, 2, ret->path, sizeof ret->path);
        ret->evicted = stmt_col(st, 3) != 0;
        stmt_reset(st);
    }
    if (blobs_have(s->blobs, digest, &ret->size_bytes)) {
        char path[BLOBS_PATH_MAX];

        if (strlen(blobs_path(s->blobs, digest, path)) >= sizeof ret->path)
            return err_set(err, ERR_LIMIT, "the store's path is too long");
        memcpy(ret->path, path, strlen(path) + 1);
        return 0;
    }
    if (ret->path[0] && blob_present(s, digest, ret->path))
        return 0;
    if (ret->path[0])
        return err_set(err, ERR_NOT_FOUND, "blob %s: the user's file %s is gone",
                       digest_hex(digest, hex), ret->path);
    return err_set(err, ERR_NOT_FOUND, "no blob %s", digest_hex(digest, hex));
}
