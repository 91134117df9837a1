/* SPDX-License-Identifier: Apache-2.0 */
/* step.h - one step at one point of the sweep, checked: what the expansion works from. Internal to
 * experiments/plan. */
#ifndef EXPERIMENTS_PLAN_STEP_H
#define EXPERIMENTS_PLAN_STEP_H

#include <stdint.h>

#include "common/tasks/task.h"
#include "experiments/plan/plan.h"
#include "experiments/plan/recipe.h"

/* A point of the sweep: the value of each axis, NULL where the step's own counts; the run's seed;
 * the steps that are no part of the run, a bit each. */
struct point {
    const struct recipe *r;
    const struct param_value *value[RECIPE_AXES_MAX];
    uint64_t seed;
    uint64_t absent;
};

static inline bool point_lacks(const struct point *p, size_t step)
{
    return p->absent >> step & 1;
}

/* *RET: does C hold at P? True when there is no condition. */
int point_holds(const struct point *p, const struct recipe_cond *c, bool *ret,
                struct err *err) MUST_CHECK;

enum { STEP_TASKS_MAX = 64, STEP_LEVELS_MAX = 16, STEP_RESULTS_MAX = 16 };

struct step_task {
    const struct task_spec *spec;
    char
        *file; /* or folder: absolute or relative to the current folder; NULL for synthetic tasks */
};

/* An exec step's own input: output OUTPUT of STEP, or the file or folder PATH. */
struct step_input {
    char name[32], key[48]; /* "data"; "inputs.data" */
    int step;               /* -1: PATH */
    char output[32];        /* "": the step's only one */
    char *path;
};

struct step {
    const struct recipe_step *from;
    const struct kind *kind;
    struct params params; /* the kind's own, without task, level and examples */
    struct step_task task[STEP_TASKS_MAX];
    size_t tasks_len;
    int level[STEP_LEVELS_MAX]; /* empty: all of each task */
    size_t levels_len;
    enum split split;
    enum task_prompts prompts;
    int fewshot;       /* -1: the task's usual number */
    uint64_t examples; /* per task and level; 0: all of a file */
    uint64_t shard;
    bool takes_seed;
    uint64_t seed;
    uint32_t retries;
    uint64_t jobs;         /* noop: so many, numbered; 1: one without a number */
    uint32_t cores;        /* what each needs of a worker; 0: not said */
    uint64_t memory_mib;   /* likewise */
    char *const *requires; /* labels that the worker must have; the recipe's */
    size_t requires_len;
    int model_step;        /* index of a recipe step, -1: model_path */
    uint64_t model_stage;  /* of a stage step's stages, from 1: whose model; 0: the last */
    char model_output[32]; /* of an exec step: which of its folders; "": no exec step's */
    char *model_path, *tokenizer;
    struct step_input *input; /* of an exec step, by name */
    size_t inputs_len;
    int labels_step, router_step, static_step; /* -1: none */
    int results_step[STEP_RESULTS_MAX];
    size_t results_len;
};

/* Check step INDEX at POINT. Errors: "file:line: steps[i].key: ...". */
int step_make(const struct point *p, size_t index, struct step *ret, struct err *err) MUST_CHECK;
void step_release(struct step *s);

/* An error about entry NAME (may be NULL) of step S at its place. */
int step_error(const struct point *p, const struct recipe_step *s, struct err *err, int code,
               const char *name, const char *format, ...) PRINTF_LIKE(6, 7);

/* The value of entry NAME: the axis that sweeps it, else what the step says; NULL when neither.
 * *RET_WHERE (may be NULL) is its place. */
const struct param_value *step_value(const struct point *p, const struct recipe_step *s,
                                     const char *name, const char **ret_where);
/* Entry NAME as text in *RET, NULL when absent. */
int step_text(const struct point *p, const struct recipe_step *s, const char *name,
              const char **ret, struct err *err) MUST_CHECK;
/* Entry NAME as an integer of MIN..MAX, FALLBACK when absent. */
int step_count(const struct point *p, const struct recipe_step *s, const char *name,
               uint64_t fallback, uint64_t min, uint64_t max, uint64_t *ret,
               struct err *err) MUST_CHECK;
/* TEXT, the value of entry NAME, as a path in *RET (free() it): absolute ones stay, others start at
 * the recipe's folder. */
int step_path(const struct point *p, const struct recipe_step *s, const char *name,
              const char *text, char **ret, struct err *err) MUST_CHECK;

/* The parts of step_make(). */
enum { STEP_NAMES_MAX = PARAMS_MAX + 32 };
/* Every name that a step of kind K may have (but files.TASK), ended by NULL; how many. */
size_t step_known_names(const struct kind *k, const char *out[STEP_NAMES_MAX]);
bool step_knows_name(const struct kind *k, const char *name);
/* Whatever the point, the names of S and of the axes that sweep it must be known. */
int step_check_names(const struct recipe *r, const struct recipe_step *s,
                     struct err *err) MUST_CHECK;
bool step_planner_param(const struct kind *k,
                        const char *name); /* filled in by the planner: no key of a recipe */
int step_model(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
int step_labels(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
/* The router, and the select step of static paths. */
int step_router(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
int step_starts(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
/* What an evaluate step runs by: what it says, else what it is given. */
int step_routing(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
int step_results(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
int step_examples(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
int step_check_drawn(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
/* A pretrain step with prompts = "think": traces, lengths, tasks. */
int step_think(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
/* A step that asks for reasoning asks a model that was taught it, as far as the recipe says. */
int step_think_target(const struct point *p, const struct step *steps, const struct step *st,
                      struct err *err) MUST_CHECK;
/* jobs, cores, memory, requires. */
int step_resources(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
/* Entry "tasks" with the files that they are read from. */
int step_tasks(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
/* Has a step of kind K entries files.TASK? */
bool step_reads_files(const struct kind *k);

/* The steps that ST, one of STEPS, reads make what it reads. After step_order(), so that a cycle is
 * called a cycle. */
int step_check_targets(const struct point *p, const struct step *steps, const struct step *st,
                       struct err *err) MUST_CHECK;

/* ---- lineage.c: what a step reads ---- */

struct step_need {
    int step;
    const char *key; /* entry that names it */
};
enum { STEP_INPUTS_MAX = 12, STEP_NEEDS_MAX = STEP_RESULTS_MAX + STEP_INPUTS_MAX + 4 };
/* The steps that S reads; returns how many. */
size_t step_needs(const struct step *s, struct step_need ret[STEP_NEEDS_MAX]);
/* The steps whose examples are in the label set that step INDEX of STEPS makes: itself, or the
 * results of a collect. */
size_t step_sources(const struct step *steps, int index, int ret[STEP_RESULTS_MAX]);
/* The step whose model step INDEX works with when it names none itself; -1: nobody names one. */
int step_model_owner(const struct step *steps, int index);

/* ---- exec.c: steps that run programs ---- */

/* Inputs, parameters and the command of exec step ST, checked. */
int step_exec(const struct point *p, struct step *st, struct err *err) MUST_CHECK;
void step_exec_release(struct step *st);
/* "tune.model" as output model of the exec step tune. Is ID so written, of an exec step? */
bool step_exec_output(const struct point *p, const char *id, int *ret_step, char output[32]);
/* Does FROM make an output NAME ("" : its only one, whose name is *RET)? *RET_FOLDER: a folder. */
bool step_makes(const struct step *from, const char *name, const char **ret, bool *ret_folder);
/* False: FROM is a noop step that makes nothing, or many jobs whose models nobody can tell apart.
 */
bool step_makes_model(const struct step *from);
/* What exec step ST reads is made. */
int step_exec_targets(const struct point *p, const struct step *steps, const struct step *st,
                      struct err *err) MUST_CHECK;

/* ---- step_finish.c ---- */

/* What follows from the steps that ST, one of STEPS, reads, finished before: its model when it
 * names none, and which of its parameters change nothing. */
int step_finish(const struct point *p, const struct step *steps, struct step *st,
                struct err *err) MUST_CHECK;

/* Indexes of STEPS (LEN of them) so that each follows what it needs, otherwise as written.
 * ERR_INVALID names the cycle. */
int step_order(const struct point *p, const struct step *steps, size_t len, size_t *ret_order,
               struct err *err) MUST_CHECK;

/* True when WORD is one of the blank-separated words of LIST ("model labels"). */
bool step_has_word(const char *list, const char *word);

#endif
