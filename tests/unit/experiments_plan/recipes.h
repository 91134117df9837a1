/* SPDX-License-Identifier: Apache-2.0 */
/* recipes.h - small recipes as text, their plans, and their refusals. */
#ifndef TESTS_UNIT_EXPERIMENTS_PLAN_RECIPES_H
#define TESTS_UNIT_EXPERIMENTS_PLAN_RECIPES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/plan/plan.h"

#define TRAIN                                                                                      \
    "{ id = \"base\"; job = \"pretrain\"; tasks = [\"math\", \"logic\"]; steps = 100;"             \
    "  gemm = \"packed\"; seed = \"run\"; }"
#define SEARCH                                                                                     \
    "{ id = \"labels\"; job = \"search\"; model = \"base\"; tasks = [\"math\", \"logic\"];"        \
    "  levels = [1, 2]; split = \"train\"; examples = 30; shard = 10; simulations = 20;"           \
    "  seed = \"run\"; }"
#define ORACLE                                                                                     \
    "{ id = \"oracle\"; job = \"evaluate\"; model = \"base\"; labels = \"labels\";"                \
    "  tasks = [\"math\"]; levels = [1]; split = \"train\"; examples = 30; }"
#define RECIPE(STEPS, REST) "name = \"t\"; steps = ( " STEPS " ); " REST

static inline struct plan *make(const char *text, const char *set)
{
    struct recipe *r = NULL;
    struct plan *p = NULL;
    struct err err = { 0 };

    if (recipe_parse(text, "t.cfg", &set, set ? 1 : 0, &r, &err) != 0)
        fail_msg("%s", err.text);
    if (plan_make(r, NULL, &p, &err) != 0)
        fail_msg("%s", err.text);
    recipe_free(r);
    return p;
}

/* The text of the error, which must come. */
static inline const char *refusal(const char *text, const char *set)
{
    static struct err err;
    struct recipe *r = NULL;
    struct plan *p = NULL;

    err = (struct err){ 0 };
    if (recipe_parse(text, "t.cfg", &set, set ? 1 : 0, &r, &err) == 0 &&
        plan_make(r, NULL, &p, &err) == 0)
        fail_msg("accepted: %s", text);
    recipe_free(r);
    return err.text;
}

static inline void assert_refusal(const char *text, const char *set, const char *expected)
{
    const char *is = refusal(text, set);
    if (!strstr(is, expected))
        fail_msg("\"%s\" is not in \"%s\"", expected, is);
}

#endif
