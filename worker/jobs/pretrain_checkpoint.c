/* SPDX-License-Identifier: Apache-2.0 */
/* Where a pretrain job is, as a parcel (parcel.h): its head the step and the sums of the metrics'
 * unfinished interval, its body the trainer's state. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/jobs/parcel.h"
#include "worker/jobs/pretrain.h"

#define CHECKPOINT_WORD "pretrain 1"

int pretrain_scratch(const struct pretrain *p, const char *name, char path[PATH_MAX],
                     struct err *err)
{
    const struct job_services *s = p->job->services;

    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", s->scratch(s->arg), name) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "the scratch folder's path is too long");
    return 0;
}

static int write_checkpoint(struct pretrain *p, uint64_t step, const char *path, struct err *err)
{
    struct buf head CLEANUP(buf_release) = { 0 };
    char state[PATH_MAX];
    uint64_t loss;

    memcpy(&loss, &p->loss, sizeof(loss));
    buf_printf(&head, "%llx %llx %zx %zx %zx %zx", (unsigned long long)step,
               (unsigned long long)loss, p->targets, p->correct, p->steps, p->layers);
    int rc = pretrain_scratch(p, "state", state, err);
    rc = rc == 0 ? trainer_save_state(p->trainer, state, TRAIN_STATE_ALL, err) : rc;
    rc = rc == 0 ? parcel_write(path, CHECKPOINT_WORD, &head, state, p->job->progress, err) : rc;
    (void)remove(state);
    return rc;
}

int pretrain_checkpoint(struct pretrain *p, uint64_t step, struct err *err)
{
    const struct job_services *s = p->job->services;
    struct err why = { 0 };
    char path[PATH_MAX];

    int rc = pretrain_scratch(p, "checkpoint", path, &why);
    rc = rc == 0 ? write_checkpoint(p, step, path, &why) : rc;
    rc = rc == 0 ? s->checkpoint_save(s->arg, path, step, &why) : rc;
    (void)remove(path);
    p->saved = rc == 0 ? step : p->saved;
    p->saved_ms = clock_ms();
    if (rc == ERR_CANCELLED || rc == ERR_STALE)
        return err_set(err, (enum err_code)rc, "%s", why.text);
    return 0;
}

static int read_checkpoint(struct pretrain *p, const char *path, uint64_t step, struct err *err)
{
    struct buf head CLEANUP(buf_release) = { 0 };
    unsigned long long at = 0, loss = 0;
    size_t sum[4];
    char state[PATH_MAX];

    int rc = pretrain_scratch(p, "state", state, err);
    rc = rc == 0 ? parcel_read(path, CHECKPOINT_WORD, &head, state, p->job->progress, err) : rc;
    if (rc == 0 && (sscanf(buf_str(&head), "%llx %llx %zx %zx %zx %zx", &at, &loss, &sum[0],
                           &sum[1], &sum[2], &sum[3]) != 6 ||
                    at != step || step > p->conf.steps))
        rc = err_set(err, ERR_CORRUPT, "a checkpoint of step %llu, not of %llu", at,
                     (unsigned long long)step);
    rc = rc == 0 ? trainer_load_state(p->trainer, state, err) : rc;
    (void)remove(state);
    if (rc)
        return rc;
    memcpy(&p->loss, &loss, sizeof(p->loss));
    p->targets = sum[0];
    p->correct = sum[1];
    p->steps = sum[2];
    p->layers = sum[3];
    return 0;
}

int pretrain_resume(struct pretrain *p, uint64_t *ret, struct err *err)
{
    const struct job_services *s = p->job->services;
    struct err why = { 0 };
    char path[PATH_MAX];
    uint64_t step = 0;

    *ret = 0;
    int rc = s->checkpoint_load(s->arg, path, sizeof(path), &step, &why);
    if (rc == 0)
        rc = read_checkpoint(p, path, step, &why);
    if (rc == ERR_CANCELLED || rc == ERR_NOMEM)
        return err_set(err, (enum err_code)rc, "%s", why.text);
    if (rc == 0)
        *ret = p->saved = step;
    else if (rc != ERR_NOT_FOUND)
        log_warn("checkpoint_unusable", "step=%llu text=\"%s\"", (unsigned long long)step,
                 why.text);
    return 0;
}

bool pretrain_checkpoint_due(const struct pretrain *p, uint64_t step)
{
    return p->checkpoint_s > 0 && step < p->conf.steps &&
           (double)(clock_ms() - p->saved_ms) >= 1000 * p->checkpoint_s;
}
