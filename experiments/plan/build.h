/* SPDX-License-Identifier: Apache-2.0 */
/* build.h - a plan while it grows: interned text, shared parameters, maps from keys to indexes, and
 * memos of what was read outside. Internal to experiments/plan. */
#ifndef EXPERIMENTS_PLAN_BUILD_H
#define EXPERIMENTS_PLAN_BUILD_H

#include "experiments/plan/outside.h"
#include "experiments/plan/plan.h"
#include "experiments/plan/step.h"

/* What a step became in the run at hand. */
struct built {
    const char *id;
    struct plan_list jobs;
    struct {
        uint32_t index;
        uint64_t examples;
    } * family;
    size_t families_len, family_cap;
    int64_t maker; /* the job whose output others name: its own, or a collect of its examples; -1 */
};

/* A plan's steps: the recipe's, a collect of each, and the select steps. */
enum { BUILD_STEPS_MAX = 2 * RECIPE_STEPS_MAX + RECIPE_RUNGS_MAX };

struct build {
    struct plan *plan;
    const struct recipe *r;
    const struct plan_options *o;
    struct outside *outside;
    struct key_index *families, *jobs, *files;    /* hash: digest -> index in the plan */
    struct memo_model *models;                    /* hash: source -> input: models, task files */
    struct memo_count *counts;                    /* hash: source -> examples available */
    struct halving *halving;                      /* NULL: the recipe halves nothing */
    bool reads[BUILD_STEPS_MAX][BUILD_STEPS_MAX]; /* step of the plan I reads step K in some run */
    char openblas_class[128];
    size_t family_cap, job_cap, file_cap, step_cap;
};

/* ---- build.c: memory and maps ---- */

void build_release(struct build *b); /* the maps and memos; the plan stays */
/* S, once per plan; lives as long as the plan. */
const char *build_text(struct build *b, const char *s);
/* A copy of P that lives as long as the plan. */
const struct params *build_params(struct build *b, const struct params *p, struct err *err);
/* Append V unless it is the last or among the present; the list stays ascending. */
void build_list_add(struct plan_list *l, uint32_t v);

/* Index of the family, job or file with KEY; *RET_NEW: it was appended, zeroed but for its key.
 * ERR_LIMIT. */
int build_family(struct build *b, const struct digest *key, uint32_t *ret, bool *ret_new,
                 struct err *err) MUST_CHECK;
int build_job(struct build *b, const struct digest *key, uint32_t *ret, bool *ret_new,
              struct err *err) MUST_CHECK;
int build_file(struct build *b, const struct digest *key, uint32_t *ret, bool *ret_new,
               struct err *err) MUST_CHECK;

/* ---- sources.c: what lies outside ---- */

/* Input "model" from PATH (and TOKENIZER, may be NULL): adds the manifest and its members to the
 * plan's files. */
int build_model_input(struct build *b, const char *path, const char *tokenizer,
                      struct plan_input *ret, struct err *err) MUST_CHECK;
/* The file or folder PATH as an input; its name is the caller's to give. */
int build_path_input(struct build *b, const char *path, struct plan_input *ret,
                     struct err *err) MUST_CHECK;
/* Input "task_file" of TASK as step S reads it: the file itself, or, when the task reads several or
 * a folder was given, a manifest of them. */
int build_task_input(struct build *b, const struct step *s, const struct step_task *task,
                     struct plan_input *ret, struct err *err) MUST_CHECK;
/* *WANTED examples of TASK at LEVEL, as step S reads it: 0 becomes all of a file; ERR_LIMIT when
 * there are fewer. */
int build_count(struct build *b, const struct step *s, const struct step_task *task, int level,
                uint64_t *wanted, struct err *err) MUST_CHECK;

/* The longest prompt in bytes among the first 64 training examples of TASK at LEVEL, as stage step
 * S asks them with BUDGET stated (0: none). */
int build_prompt_bytes(struct build *b, const struct step *s, const struct step_task *task,
                       int level, int64_t budget, uint64_t *ret, struct err *err) MUST_CHECK;

/* ---- curricula.c: what people are shown of stage steps ---- */

/* A run has stage step S. */
void build_curriculum(struct build *b, const struct step *s);
/* A doubt about the recipe that stops nothing; each once. */
void build_warning(struct build *b, const char *text);
void curricula_free(struct plan *p);

/* ---- keys.c: identities ---- */

struct digest key_of_family(const struct plan_job *job, const struct plan *p, bool takes_seed,
                            const struct task_spec *task, int level, const char *split);
/* What an outcome of an example by a path depends on, whatever search found it. */
struct digest key_of_evaluation(const struct plan_job *job, const struct plan *p,
                                const struct task_spec *task, int level, const char *split);
struct digest key_of_shard(const struct digest *family, uint64_t begin, uint64_t end);
/* Kinds without shards. EXAMPLES[i] is how many of FAMILY i (may be none) the job reads. */
struct digest key_of_job(const struct plan_job *job, const struct plan *p, bool takes_seed,
                         const uint64_t *examples);

/* ---- expand.c: one run ---- */

/* The plan's step ID, added when it is new: its index. */
size_t build_step(struct build *b, const char *id, const struct kind *kind);
/* Step ID reads step OTHER; both are there. */
void build_reads(struct build *b, const char *id, const char *other);

int build_run(struct build *b, const struct point *p, struct plan_run *run, uint32_t run_index,
              struct err *err) MUST_CHECK;

/* ---- steps.c: the plan's steps when all runs are built ---- */

/* What each step reads, and an order in which it follows that. */
void steps_finish(struct build *b);

/* The swept parameters that RUN has, by name: the order of a recipe's axes is no part of a point.
 */
void build_digest_params(const struct plan_run *run, struct digester *d);

#endif
