/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - plans of recipe files of this repository, and what they have in common. */
#ifndef TESTS_UNIT_EXPERIMENTS_PLAN_FILES_H
#define TESTS_UNIT_EXPERIMENTS_PLAN_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "experiments/plan/plan.h"

static inline struct plan *plan_of(const char *file)
{
    struct recipe *r = NULL;
    struct plan *p = NULL;
    struct err err = { 0 };

    if (recipe_load(file, NULL, 0, &r, &err) != 0 || plan_make(r, NULL, &p, &err) != 0)
        fail_msg("%s", err.text);
    recipe_free(r);
    return p;
}

static inline bool has_job(const struct plan *p, const struct digest *key)
{
    for (size_t i = 0; i < p->jobs_len; i++)
        if (digest_equal(&p->job[i].key, key))
            return true;
    return false;
}

/* Jobs of STEP in P (RET_ALL) that Q has too. */
static inline size_t shared(const struct plan *p, const struct plan *q, const char *step,
                            size_t *ret_all)
{
    size_t n = 0;

    *ret_all = 0;
    for (size_t i = 0; i < p->jobs_len; i++)
        if (strcmp(p->job[i].step, step) == 0) {
            ++*ret_all;
            n += has_job(q, &p->job[i].key);
        }
    return n;
}

#endif
