/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - what a job kind gets from the worker's shell, and what it gives back. One file per kind
 * implements job_run_fn. */
#ifndef WORKER_JOBS_JOB_H
#define WORKER_JOBS_JOB_H

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/progress.h"
#include "common/kinds/kinds.h"
#include "common/wire/drover.pb-c.h"
#include "worker/kernels/pool.h"

enum { JOB_OUTPUTS_MAX = 8 };

/* A named blob that the job made. */
struct job_output {
    char name[32];
    struct digest digest;
    uint64_t size_bytes;
};

/* The shell's services. All calls come from the job's own thread. */
struct job_services {
    void *arg;
    /* Local path of input NAME (a blob file, or for a model the folder / file with its members),
     * fetched if needed. Valid until the job ends. ERR_NOT_FOUND: the job has no such input;
     * ERR_IO, ERR_CORRUPT. */
    int (*input)(void *arg, const char *name, char *path, size_t path_size, struct err *err);
    /* Store one example's result durably: sends it and waits for the coordinator's ack, so that a
     * kill repeats at most this example. ERR_CANCELLED, ERR_STALE: stop, the attempt is over. */
    int (*example_result)(void *arg, Drover__ExampleResult *result, struct err *err);
    /* Metrics of training: name, step, value. Buffered, sent with the next message. */
    void (*metric)(void *arg, const char *name, uint64_t step, double value);
    /* Make SIZE bytes / the file PATH a blob at the coordinator. A folder output is a manifest blob
     * (see model_blob.h). */
    int (*put_bytes)(void *arg, const char *name, const void *bytes, size_t size,
                     struct job_output *ret, struct err *err);
    int (*put_folder)(void *arg, const char *name, const char *dir, struct job_output *ret,
                      struct err *err);
    int (*put_file)(void *arg, const char *name, const char *path, struct job_output *ret,
                    struct err *err);
    /* Append text of other programs to the attempt's log, which keeps its end. */
    void (*log_text)(void *arg, const char *text);
    /* Checkpoints inside a job (training), so that a killed attempt's work is not lost. Save: the
     * file PATH, made at STEP, becomes the job's checkpoint in place of the one before; with it go
     * the metrics reported so far, so report those of STEP first. Durable when this returns 0;
     * ERR_CANCELLED, ERR_STALE: stop, the attempt is over. The file may be changed afterwards, and
     * begins with a word of its own (its bytes are no output's). While progress_draining(), it
     * still works: save, then return ERR_CANCELLED. Load: the one that the job goes on from, its
     * local path (valid until the job ends) and step; ERR_NOT_FOUND: none, or it cannot be had:
     * begin at the start; ERR_CANCELLED. The metrics up to that step are the job's already. A
     * checkpoint is no output: it changes no bit and goes when the job is done. One that cannot be
     * understood is as none. */
    int (*checkpoint_save)(void *arg, const char *path, uint64_t step, struct err *err);
    int (*checkpoint_load)(void *arg, char *path, size_t path_size, uint64_t *ret_step,
                           struct err *err);
    /* An empty scratch folder of this attempt, removed afterwards. */
    const char *(*scratch)(void *arg);
    /* A folder of the worker's cache for what is a function of KEY and takes time to make, shared
     * by jobs: at most four per job, in use until the job ends. *RET_WHOLE: it is there, for
     * reading; else it is empty, to be filled with about BYTES, and made_whole (of the last one
     * asked for) ends that. Never sent, never stored, bounded. ERR_LIMIT, ERR_CANCELLED (it waits
     * while another job makes it), ERR_IO. */
    int (*made)(void *arg, const struct digest *key, uint64_t bytes, const char **ret_path,
                bool *ret_whole, struct err *err);
    int (*made_whole)(void *arg, struct err *err);
};

struct job {
    const Drover__Lease *lease;
    const struct kind *kind;
    struct params params;      /* decoded and checked */
    struct progress *progress; /* tick at least every 2 s of work; done/total for display */
    struct pool *pool;  /* the slot's threads, or more when the job's parameter threads asks */
    size_t slot, slots; /* its place, and how many the worker has */
    const struct job_services *services;
    struct job_output output[JOB_OUTPUTS_MAX];
    size_t outputs_len;
};

/* Runs the job. 0: done, outputs set. ERR_CANCELLED when stopped; ERR_NOMEM (cause OOM);
 * ERR_DIVERGED; else FAILED with the text. */
typedef int (*job_run_fn)(struct job *j, struct err *err);
/* The implementation of KIND. */
job_run_fn job_implementation(enum kind_id kind);

/* True when J gives no output, no metric and no example whatever happens, and needs no place on
 * disk: a noop job that was asked for that. */
bool job_makes_nothing(const struct job *j);

/* True when example ID is among the lease's finished ones. */
bool job_finished(const struct job *j, uint64_t example_id);
/* Names of the numeric classes that this worker offers: {"packed-1", "packed-1+openblas-..."};
 * NULL-terminated. */
const char *const *job_classes(void);

/* Process-wide cache of opened models by manifest digest, reference-counted, so that slots share
 * weights. */
struct model;
int job_model_open(struct job *j, const char *input, const struct model **ret,
                   struct err *err) MUST_CHECK;
void job_model_close(const struct model *m);
/* Close the models that no job uses (they are kept for the next one): at the end of the process, or
 * when memory is short. */
void job_models_drop(void);

#endif
