/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "noop": nothing but a small model and two metrics that look like training: a stand-in,
 * to try recipes and clusters. Everything it gives is a function of the parameters, the seed and
 * the digest of the input model; plain arithmetic only, so the bits are the same on every CPU. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/rng.h"
#include "worker/jobs/implement.h"

enum { MODEL_BYTES = 64, SLICE_MS = 20 };

/* Identity of the parameters and of the model that came before. */
static uint64_t noop_item(const struct job *j)
{
    struct digester d;
    struct digest end;

    digest_begin(&d);
    kind_digest(j->kind, &j->params, &d);
    for (size_t i = 0; i < j->lease->n_inputs; i++) {
        const Drover__Input *input = j->lease->inputs[i];

        digest_add_text(&d, input->name);
        digest_add_bytes(&d, input->digest.data, input->digest.len);
    }
    end = digest_end(&d);
    return digest_u64(&end);
}

/* Where the weights' mass lies, 0 at the first to 1 at the last; 0.5 when there is none. */
static double centre_of(const struct param_value *weights)
{
    double mass = 0, moment = 0;

    if (!weights || weights->len < 2)
        return 0.5;
    for (size_t i = 0; i < weights->len; i++) {
        double w = weights->reals[i] < 0 ? -weights->reals[i] : weights->reals[i];

        mass += w;
        moment += w * (double)i;
    }
    return mass > 0 ? moment / (mass * (double)(weights->len - 1)) : 0.5;
}

/* How good these parameters are, 0 to 1: best near gamma 0.7 and weights that lean to the end; each
 * schedule's name has a merit of its own. */
static double quality_of(const struct job *j)
{
    const char *schedule = kind_text(j->kind, &j->params, "schedule");
    double gamma = kind_real(j->kind, &j->params, "gamma");
    double centre = centre_of(kind_list(j->kind, &j->params, "weights"));
    struct digest name = digest_of(schedule, strlen(schedule));
    double merit = (double)(digest_u64(&name) >> 11) * 0x1p-53;

    return 0.5 * (1 - (gamma - 0.7) * (gamma - 0.7)) + 0.2 * merit +
           0.3 * (1 - (centre - 0.75) * (centre - 0.75));
}

/* Point POINT of POINTS: the reward rises towards the quality as stages and points go by, the loss
 * falls; both with a little noise of the seed. */
static void report(const struct job *j, struct rng *noise, double quality, uint64_t point,
                   uint64_t points)
{
    const struct job_services *s = j->services;
    double stage = (double)kind_int(j->kind, &j->params, "stage");
    double x = stage + (double)point / (double)points;
    double shake = 0.02 * (rng_double(noise) - 0.5);

    s->metric(s->arg, "reward", point, quality * x / (x + 0.5) + shake);
    s->metric(s->arg, "loss", point, (1.5 - quality) / (1 + x) - shake);
}

static int wait_ms(struct job *j, uint64_t ms, struct err *err)
{
    const uint64_t begin_ms = ms > 0 ? clock_ms() : 0;

    for (uint64_t spent = 0; !progress_stopped(j->progress); spent = clock_ms() - begin_ms) {
        progress_tick(j->progress);
        if (spent >= ms)
            return 0;
        clock_sleep_ms(MIN(ms - spent, (uint64_t)SLICE_MS));
    }
    return err_set(err, ERR_CANCELLED, "stopped at point %llu of %llu",
                   (unsigned long long)atomic_load(&j->progress->done),
                   (unsigned long long)atomic_load(&j->progress->total));
}

static int save(struct job *j, uint64_t item, struct err *err)
{
    struct rng r = rng_stream("noop model", j->lease->seed, item);
    uint8_t bytes[MODEL_BYTES];
    int rc;

    for (size_t i = 0; i < sizeof(bytes); i += 4) {
        uint32_t word = rng_u32(&r);

        for (size_t k = 0; k < 4; k++)
            bytes[i + k] = (uint8_t)(word >> (8 * k));
    }
    rc =
        j->services->put_bytes(j->services->arg, "model", bytes, sizeof(bytes), &j->output[0], err);
    if (rc == 0)
        j->outputs_len = 1;
    return rc;
}

/* The metrics, spread over SLEEP_MS, and the model. */
static int make(struct job *j, uint64_t sleep_ms, struct err *err)
{
    const uint64_t points = (uint64_t)kind_int(j->kind, &j->params, "points");
    const uint64_t item = noop_item(j);
    const double quality = quality_of(j);
    struct rng noise = rng_stream("noop noise", j->lease->seed, item);
    uint64_t slept_ms = 0;
    int rc = 0;

    atomic_store(&j->progress->total, MAX(points, (uint64_t)1));
    for (uint64_t point = 1; rc == 0 && point <= points; point++) {
        /* 50,000 points times an hour in ms stays far below 2^64. */
        uint64_t until_ms = sleep_ms * point / points;

        rc = wait_ms(j, until_ms - slept_ms, err);
        if (rc < 0)
            return rc;
        slept_ms = until_ms;
        report(j, &noise, quality, point, points);
        atomic_store(&j->progress->done, point);
    }
    rc = wait_ms(j, sleep_ms - slept_ms, err);
    return rc < 0 ? rc : save(j, item, err);
}

bool job_makes_nothing(const struct job *j)
{
    return j->kind->id == KIND_NOOP &&
           strcmp(kind_text(j->kind, &j->params, "makes"), "nothing") == 0;
}

int noop_run(struct job *j, struct err *err)
{
    const uint64_t sleep_ms = (uint64_t)kind_int(j->kind, &j->params, "sleep_ms");

    if (job_makes_nothing(j)) {
        atomic_store_explicit(&j->progress->total, 1, memory_order_relaxed);
        return wait_ms(j, sleep_ms, err);
    }
    return make(j, sleep_ms, err);
}
