/* SPDX-License-Identifier: Apache-2.0 */
/* fake_job.h - a job and the worker's services for tests of job kinds: inputs from a list of paths,
 * results kept in memory. Header only, because it needs the library under test. */
#ifndef TESTS_SUPPORT_FAKE_JOB_H
#define TESTS_SUPPORT_FAKE_JOB_H

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
    char name[32];
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
    struct fake_metric metric[FAKE_RESULTS];
    size_t metrics_len;
    char folder[512];  /* of the last put_folder */
    char made[160];    /* of the last folder asked for by key */
    size_t made_whole; /* how often it was there already */
    struct buf bytes;  /* of the last put_bytes */
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
    struct fake_metric *m = &f->metric[f->metrics_len++];

    assert_true(f->metrics_len <= FAKE_RESULTS);
    snprintf(m->name, sizeof(m->name), "%s", name);
    m->step = step;
    m->value = value;
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
    *ret = (struct job_output){ 0 };
    snprintf(ret->name, sizeof(ret->name), "%s", name);
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

static inline void fake_job_init(struct fake_job *f, enum kind_id kind)
{
    memset(f, 0, sizeof(*f));
    drover__lease__init(&f->lease);
    f->lease.seed = 1;
    f->lease.attempt = 7;
    f->lease.epoch = 3;
    f->lease.inputs = f->input_at;
    f->lease.finished = f->finished;
    f->services = (struct job_services){ .arg = f,
                                         .input = fake_input,
                                         .example_result = fake_example_result,
                                         .metric = fake_metric,
                                         .put_bytes = fake_put_bytes,
                                         .put_folder = fake_put_folder,
                                         .scratch = fake_scratch,
                                         .made = fake_made,
                                         .made_whole = fake_made_whole };
    f->job = (struct job){ .lease = &f->lease,
                           .kind = kind_at(kind),
                           .progress = &f->progress,
                           .services = &f->services };
    snprintf(f->scratch, sizeof(f->scratch), "/tmp/drover-test-XXXXXX");
    assert_non_null(mkdtemp(f->scratch));
}

static inline void fake_job_input(struct fake_job *f, const char *name, const char *path)
{
    size_t i = f->lease.n_inputs++;

    assert_true(i < FAKE_INPUTS);
    snprintf(f->path[i], sizeof(f->path[i]), "%s", path);
    f->digest[i] = digest_of(path, strlen(path));
    drover__input__init(&f->input[i]);
    f->input[i].name = (char *)name;
    f->input[i].digest.data = f->digest[i].b;
    f->input[i].digest.len = DIGEST_BYTES;
    f->input_at[i] = &f->input[i];
}

static inline void fake_job_text(struct fake_job *f, const char *name, const char *value)
{
    struct err err = { 0 };

    assert_int_equal(params_set_text(&f->job.params, name, value, &err), 0);
}

static inline void fake_job_int(struct fake_job *f, const char *name, int64_t value)
{
    struct err err = { 0 };

    assert_int_equal(params_set_int(&f->job.params, name, value, &err), 0);
}

static inline void fake_job_real(struct fake_job *f, const char *name, double value)
{
    struct err err = { 0 };

    assert_int_equal(params_set_real(&f->job.params, name, value, &err), 0);
}

static inline int fake_job_run(struct fake_job *f, struct err *err)
{
    int rc = kind_check(f->job.kind, &f->job.params, err);

    return rc == 0 ? job_implementation(f->job.kind->id)(&f->job, err) : rc;
}

static inline void fake_job_run_or_fail(struct fake_job *f)
{
    struct err err = { 0 };

    if (fake_job_run(f, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void fake_job_release(struct fake_job *f)
{
    for (size_t i = 0; i < f->results_len; i++)
        drover__example_result__free_unpacked(f->result[i], NULL);
    params_release(&f->job.params);
    buf_release(&f->bytes);
    assert_int_equal(folder_remove(f->scratch), 0);
}

#endif
