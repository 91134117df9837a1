/* SPDX-License-Identifier: Apache-2.0 */
/* fake_job.h - a job and the worker's services for tests of job kinds: inputs from a list of paths,
 * results kept in memory. Header only, because it needs the library under test. */
#ifndef TESTS_SUPPORT_FAKE_JOB_H
#define TESTS_SUPPORT_FAKE_JOB_H

#include "tests/support/fake_services.h"

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
                                         .checkpoint_save = fake_checkpoint_save,
                                         .checkpoint_load = fake_checkpoint_load,
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
    assert_true((size_t)snprintf(f->path[i], sizeof(f->path[i]), "%s", path) < sizeof(f->path[i]));
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

static inline void fake_job_list(struct fake_job *f, const char *name, struct param_value v)
{
    struct err err = { 0 };

    if (params_set(&f->job.params, name, &v, &err))
        fail_msg("%s: %s", name, err.text);
}

static inline void fake_job_texts(struct fake_job *f, const char *name, const char *const *v,
                                  size_t len)
{
    fake_job_list(f, name,
                  (struct param_value){ .type = PARAM_TEXTS, .texts = (char **)v, .len = len });
}

static inline void fake_job_ints(struct fake_job *f, const char *name, const int64_t *v, size_t len)
{
    fake_job_list(f, name,
                  (struct param_value){ .type = PARAM_INTS, .ints = (int64_t *)v, .len = len });
}

static inline void fake_job_reals(struct fake_job *f, const char *name, const double *v, size_t len)
{
    fake_job_list(f, name,
                  (struct param_value){ .type = PARAM_REALS, .reals = (double *)v, .len = len });
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

/* The bytes of DIR's files NAME..., one after the other, appended to OUT. */
static inline void fake_files_read(const char *dir, const char *const *name, size_t n,
                                   struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        struct err err = { 0 };
        char path[640];

        snprintf(path, sizeof(path), "%s/%s", dir, name[i]);
        if (buf_read_file(out, path, 1 << 24, &err))
            fail_msg("%s", err.text);
    }
}

/* The same of a model's folder. */
static inline void fake_model_read(const char *dir, struct buf *out)
{
    static const char *const name[] = { "model.safetensors", "config.json", "tokenizer.json" };

    fake_files_read(dir, name, ARRAY_LEN(name), out);
}

static inline void fake_job_release(struct fake_job *f)
{
    for (size_t i = 0; i < f->results_len; i++)
        drover__example_result__free_unpacked(f->result[i], NULL);
    params_release(&f->job.params);
    buf_release(&f->bytes);
    free(f->metric);
    assert_int_equal(folder_remove(f->scratch), 0);
}

#endif
