/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "worker/jobs/implement.h"
#include "worker/jobs/policy.h"
#include "worker/kernels/blas.h"
#include "worker/kernels/kernels.h"

static const job_run_fn implementations[KINDS] = {
    [KIND_PRETRAIN] = pretrain_run, [KIND_SEARCH] = search_job_run, [KIND_COLLECT] = collect_run,
    [KIND_EVALUATE] = evaluate_run, [KIND_SELECT] = select_run,     [KIND_ROUTER] = router_run,
    [KIND_NOOP] = noop_run,         [KIND_STAGE] = stage_run,       [KIND_EXEC] = exec_run,
};

job_run_fn job_implementation(enum kind_id kind)
{
    assert((unsigned)kind < KINDS);
    return implementations[kind];
}

bool job_finished(const struct job *j, uint64_t example_id)
{
    for (size_t i = 0; i < j->lease->n_finished; i++)
        if (j->lease->finished[i] == example_id)
            return true;
    return false;
}

static char class_openblas[160];
static const char *classes[] = { KERNELS_CLASS, class_openblas, NULL, NULL };

static void classes_init(void)
{
    blas_init();
    snprintf(class_openblas, sizeof(class_openblas), "%s+%s", KERNELS_CLASS, blas_class());
    classes[2] = policy_get() != NULL ? POLICY_CLASS : NULL;
}

const char *const *job_classes(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, classes_init);
    return classes;
}
