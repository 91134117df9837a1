/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_problems.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/tasks/think.h"
#include "worker/jobs/implement.h"

enum { HELD_OUT = 10, DRAWS_MAX = 1000 };

/* The problems of one task and level that have an order: validation of a synthetic task, all of a
 * file. */
struct source {
    struct task_source *tasks;
    uint64_t len;   /* of a file */
    uint64_t *held; /* of a file: indices held out, as far as they were looked for */
    size_t held_len;
    uint64_t held_end; /* looked for below it */
};

struct stage_problems {
    const struct stage_conf *c;
    const struct model *m;
    const char *model_name;
    struct progress *progress;
    struct source *source; /* [tasks][levels] */
};

void stage_problem_release(struct stage_problem *p)
{
    question_release(&p->question);
    example_release(&p->example);
    *p = (struct stage_problem){ 0 };
}

static struct source *source_of(struct stage_problems *s, size_t task, size_t level)
{
    return &s->source[task * s->c->levels + level];
}

static int open_source(struct stage_problems *s, struct job *j, size_t task, size_t level,
                       struct err *err)
{
    const struct task_spec *spec = s->c->task[task];
    struct source *to = source_of(s, task, level);
    char path[PATH_MAX] = "", input[128];
    struct task_query q = { .task = spec->name,
                            .level = s->c->level[level],
                            .split = spec->synthetic ? SPLIT_VALIDATION : SPLIT_TRAIN,
                            .prompts = s->c->prompts };
    int rc = 0;

    if (!spec->synthetic) {
        (void)snprintf(input, sizeof(input), "task_file.%s", spec->name);
        rc = j->services->input(j->services->arg, input, path, sizeof(path), err);
        if (rc == ERR_NOT_FOUND)
            rc = j->services->input(j->services->arg, "task_file", path, sizeof(path), err);
        q.path = path;
    }
    rc = rc ? rc : task_open(&to->tasks, &q, err);
    if (rc == 0 && !spec->synthetic)
        rc = task_count(to->tasks, &to->len, err);
    if (rc == 0 && !spec->synthetic && to->len == 0)
        rc = err_set(err, ERR_INVALID, "no problem of level %d", s->c->level[level]);
    progress_tick(s->progress);
    return rc ? err_wrap(err, rc, "problems of %s", spec->name) : 0;
}

int stage_problems_open(struct stage_problems **ret, const struct stage_conf *c, struct job *j,
                        const struct model *m, struct err *err)
{
    const char *name = job_input_name(j, "model");
    struct stage_problems *s;
    int rc = 0;

    if (!m->tok)
        return err_set(err, ERR_INVALID,
                       "%s has no tokenizer; put its tokenizer.json, tokenizer.model or "
                       "tokenizer.bin beside the weights",
                       name);
    if (c->max_new >= m->conf.positions)
        return err_set(err, ERR_INVALID,
                       "max_new = %zu: %s has %zu positions, and the prompt needs some of them",
                       c->max_new, name, m->conf.positions);
    s = mem_calloc(1, sizeof(*s));
    *s = (struct stage_problems){ .c = c, .m = m, .model_name = name, .progress = j->progress };
    s->source = mem_calloc(c->tasks * c->levels, sizeof(*s->source));
    for (size_t t = 0; rc == 0 && t < c->tasks; t++)
        for (size_t l = 0; rc == 0 && l < c->levels; l++)
            rc = open_source(s, j, t, l, err);
    if (rc) {
        stage_problems_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void stage_problems_close(struct stage_problems *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->c->tasks * s->c->levels; i++) {
        task_close(s->source[i].tasks);
        free(s->source[i].held);
    }
    free(s->source);
    free(s);
}

uint64_t stage_key(uint64_t update, size_t slot, size_t turn)
{
    assert(slot < 1u << 17 && turn < 1u << 3); /* 65,536 problems; 4 rounds of resampling */
    return update << 20 | (uint64_t)turn << 17 | slot;
}

/* The example is there: ask it. */
static int ask(struct stage_problems *s, struct stage_problem *p, size_t budget, struct err *err)
{
    const struct stage_conf *c = s->c;

    if (think_prompts(c->prompts))
        think_ask(p->task, &p->example, c->prompts, budget);
    return question_make(&p->question, s->m, s->model_name, &p->example, c->max_new, false, err);
}

static int too_long(const struct stage_problems *s, const struct stage_problem *p, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "%s, example %s: a prompt of %zu tokens and max_new = %zu do not fit into the "
                   "%zu positions of %s",
                   p->task->name, p->example.source_id,
                   p->question.prompt_len + (size_t)p->question.truncated, s->c->max_new,
                   s->m->conf.positions, s->model_name);
}

static int draw_example(struct stage_problems *s, size_t task, size_t level, struct rng *r,
                        struct example *ret, struct err *err)
{
    struct source *from = source_of(s, task, level);

    if (s->c->task[task]->synthetic)
        return task_draw(s->c->task[task]->name, s->c->level[level], r, ret, err);
    return task_get(from->tasks, rng_below(r, (uint32_t)from->len), ret, err);
}

/* Is P to be learnt from? Else *RC says why not, should it stay so. */
static bool usable(const struct stage_problems *s, const struct stage_problem *p, int *rc,
                   struct err *err)
{
    if (p->question.truncated > 0) {
        *rc = too_long(s, p, err);
        return false;
    }
    *rc = err_set(err, ERR_INVALID, "%s: all of its problems are held out for validation",
                  p->task->name);
    return p->task->synthetic || p->example.id % HELD_OUT != 0;
}

int stage_problem_draw(struct stage_problems *s, uint64_t update, size_t slot, size_t turn,
                       const double *weight, size_t budget, struct stage_problem *ret,
                       struct err *err)
{
    const struct stage_conf *c = s->c;
    struct rng r = rng_stream("problem", c->seed, stage_key(update, slot, turn));
    size_t task = (size_t)((update + slot) % c->tasks);
    size_t level = difficulty_pick(weight, c->levels, rng_double(&r));
    int rc = 0, why = 0, draws = c->task[task]->synthetic ? 1 : DRAWS_MAX;

    for (int i = 0; i < draws; i++) {
        *ret = (struct stage_problem){ .task = c->task[task], .level = level };
        rc = draw_example(s, task, level, &r, &ret->example, err);
        rc = rc ? rc : ask(s, ret, budget, err);
        if (rc == 0 && usable(s, ret, &why, err))
            return 0;
        stage_problem_release(ret);
        if (rc)
            return rc;
    }
    return why;
}

/* ---- validation ----------------------------------------------------------------------------- */

/* Look for the index of held-out problem INDEX. */
static int find_held(struct stage_problems *s, struct source *from, uint64_t index, uint64_t *ret,
                     struct err *err)
{
    while (from->held_len <= index && from->held_end < from->len) {
        struct example e CLEANUP(example_release) = { 0 };
        int rc = task_get(from->tasks, from->held_end, &e, err);

        if (rc)
            return rc;
        if (e.id % HELD_OUT == 0) {
            from->held = mem_realloc(from->held, from->held_len + 1, sizeof(*from->held));
            from->held[from->held_len++] = from->held_end;
        }
        from->held_end++;
        progress_tick(s->progress);
    }
    if (from->held_len <= index)
        return err_set(err, ERR_LIMIT,
                       "validation_examples: %zu of its %" PRIu64
                       " problems are held out for validation; ask for at most as many",
                       from->held_len, from->len);
    *ret = from->held[index];
    return 0;
}

int stage_problem_fixed(struct stage_problems *s, size_t task, size_t level, uint64_t index,
                        size_t budget, struct stage_problem *ret, struct err *err)
{
    struct source *from = source_of(s, task, level);
    uint64_t at = index;
    int rc = 0;

    *ret = (struct stage_problem){ .task = s->c->task[task], .level = level };
    if (!ret->task->synthetic)
        rc = find_held(s, from, index, &at, err);
    rc = rc ? rc : task_get(from->tasks, at, &ret->example, err);
    if (rc) {
        *ret = (struct stage_problem){ 0 };
        return err_wrap(err, rc, "%s", s->c->task[task]->name);
    }
    rc = ask(s, ret, budget, err);
    if (rc == 0 && ret->question.truncated > 0 && ret->task->synthetic)
        rc = too_long(s, ret, err);
    if (rc)
        stage_problem_release(ret);
    return rc;
}
