/* SPDX-License-Identifier: Apache-2.0 */
/* fake_services.h - the worker's services for tests of job kinds, kept in memory and in a scratch
 * folder; part of fake_job.h. */
#ifndef TESTS_SUPPORT_FAKE_SERVICES_H
#define TESTS_SUPPORT_FAKE_SERVICES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/support/folder.h"
#include "worker/jobs/job.h"

enum { FAKE_INPUTS = 4, FAKE_RESULTS = 256, FAKE_FINISHED = 256 };

struct fake_metric {
    char name[96];
    uint64_t step;
    double value;
};

struct fake_job {
    struct job job;
    struct job_services services;
    struct progress progress;
    Drover__Lease lease;
    Drover__Input input[FAKE_INPUTS], *input_at[FAKE_INPUTS];
    struct digest digest[FAKE_INPUTS];
    char path[FAKE_INPUTS][512];
    uint64_t finished[FAKE_FINISHED];
    char scratch[64];

    Drover__ExampleResult *result[FAKE_RESULTS]; /* in order of arrival */
    size_t results_len;
    size_t fail_at;    /* result number that is refused with ERR_STALE, counted from 1; 0: none */
    size_t stop_after; /* results after which the stop flag is raised; 0: never */
    struct fake_metric *metric;
    size_t metrics_len;
    char folder[512]; /* of the last put_folder */
    struct fake_folder {
        char name[32], path[512];
    } folders[JOB_OUTPUTS_MAX]; /* all of put_folder */
    size_t folders_len;
    /* The newest checkpoint, in the scratch folder or where a test says: none while its path is
     * empty. */
    char checkpoint[512];
    uint64_t checkpoint_step;
    size_t checkpoints;         /* saved so far */
    uint64_t stop_at_step;      /* a metric of this step raises the stop flag; 0: never */
    const char *stop_at_metric; /* only this one; NULL: any */
    bool drain;                 /* and this one */
    char made[160];             /* of the last folder asked for by key */
    size_t made_whole;          /* how often it was there already */
    struct buf bytes;           /* of the last put_bytes */
};

static inline int fake_input(void *arg, const char *name, char *path, size_t path_size,
                             struct err *err)
{
    struct fake_job *f = arg;

    for (size_t i = 0; i < f->lease.n_inputs; i++)
        if (strcmp(f->input[i].name, name) == 0) {
            snprintf(path, path_size, "%s", f->path[i]);
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND, "no input %s", name);
}

static inline int fake_example_result(void *arg, Drover__ExampleResult *result, struct err *err)
{
    struct fake_job *f = arg;
    size_t size = drover__example_result__get_packed_size(result);
    uint8_t *packed = mem_calloc(1, size);

    assert_true(f->results_len < FAKE_RESULTS);
    assert_true((result->label != NULL) != (result->score != NULL));
    if (f->fail_at == f->results_len + 1) {
        free(packed);
        return err_set(err, ERR_STALE, "the attempt is over");
    }
    drover__example_result__pack(result, packed);
    f->result[f->results_len] = drover__example_result__unpack(NULL, size, packed);
    assert_non_null(f->result[f->results_len]);
    f->results_len++;
    free(packed);
    if (f->results_len == f->stop_after)
        atomic_store(&f->progress.stop, true);
    return 0;
}

static inline void fake_metric(void *arg, const char *name, uint64_t step, double value)
{
    struct fake_job *f = arg;
    struct fake_metric *m;

    f->metric = mem_realloc(f->metric, f->metrics_len + 1, sizeof(*f->metric));
    m = &f->metric[f->metrics_len++];
    snprintf(m->name, sizeof(m->name), "%s", name);
    m->step = step;
    m->value = value;
    if (f->stop_at_step && step >= f->stop_at_step &&
        (!f->stop_at_metric || strcmp(name, f->stop_at_metric) == 0)) {
        atomic_store(&f->progress.drain, f->drain);
        atomic_store(&f->progress.stop, true);
    }
}

static inline int fake_put_bytes(void *arg, const char *name, const void *bytes, size_t size,
                                 struct job_output *ret, struct err *err)
{
    struct fake_job *f = arg;

    (void)err;
    buf_clear(&f->bytes);
    buf_add(&f->bytes, bytes, size);
    *ret = (struct job_output){ .digest = digest_of(bytes, size), .size_bytes = size };
    snprintf(ret->name, sizeof(ret->name), "%s", name);
    return 0;
}

static inline int fake_put_folder(void *arg, const char *name, const char *dir,
                                  struct job_output *ret, struct err *err)
{
    struct fake_job *f = arg;

    (void)err;
    snprintf(f->folder, sizeof(f->folder), "%s", dir);
    assert_true(f->folders_len < JOB_OUTPUTS_MAX);
    snprintf(f->folders[f->folders_len].name, sizeof(f->folders[0].name), "%s", name);
    snprintf(f->folders[f->folders_len++].path, sizeof(f->folders[0].path), "%s", dir);
    *ret = (struct job_output){ 0 };
    snprintf(ret->name, sizeof(ret->name), "%s", name);
    return 0;
}

/* The file is kept as it was when it was saved. */
static inline int fake_checkpoint_save(void *arg, const char *path, uint64_t step, struct err *err)
{
    struct fake_job *f = arg;
    struct buf bytes CLEANUP(buf_release) = { 0 };
    int rc = buf_read_file(&bytes, path, 1 << 30, err);

    assert_int_equal(rc, 0);
    assert_true(f->checkpoints == 0 || step > f->checkpoint_step);
    if (!f->checkpoint[0])
        snprintf(f->checkpoint, sizeof(f->checkpoint), "%s/kept-checkpoint", f->scratch);
    f->checkpoint_step = step;
    f->checkpoints++;
    return buf_write_file(f->checkpoint, bytes.data, bytes.len, err);
}

static inline int fake_checkpoint_load(void *arg, char *path, size_t path_size, uint64_t *ret_step,
                                       struct err *err)
{
    struct fake_job *f = arg;

    if (!f->checkpoint[0] || access(f->checkpoint, R_OK) != 0)
        return err_set(err, ERR_NOT_FOUND, "no checkpoint");
    snprintf(path, path_size, "%s", f->checkpoint);
    *ret_step = f->checkpoint_step;
    return 0;
}

static inline const char *fake_scratch(void *arg)
{
    return ((struct fake_job *)arg)->scratch;
}

/* A folder named by the key in the scratch folder: whole once made_whole was called for it. */
static inline int fake_made(void *arg, const struct digest *key, uint64_t bytes,
                            const char **ret_path, bool *ret_whole, struct err *err)
{
    struct fake_job *f = arg;
    char hex[DIGEST_HEX], whole[sizeof(f->made) + 8];

    (void)bytes;
    (void)err;
    snprintf(f->made, sizeof(f->made), "%s/%s", f->scratch, digest_hex(key, hex));
    snprintf(whole, sizeof(whole), "%s/whole", f->made);
    *ret_path = f->made;
    *ret_whole = access(whole, F_OK) == 0;
    f->made_whole += *ret_whole;
    assert_true(*ret_whole || mkdir(f->made, 0700) == 0);
    return 0;
}

static inline int fake_made_whole(void *arg, struct err *err)
{
    char whole[sizeof(((struct fake_job *)arg)->made) + 8];

    snprintf(whole, sizeof(whole), "%s/whole", ((struct fake_job *)arg)->made);
    return buf_write_file(whole, "", 0, err);
}

#endif
