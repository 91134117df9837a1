/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - a recipe expanded: runs (points of the sweep), families of example results, and jobs
 * with content keys.
 *
 * Identities (design: section 6, law 4):
 *   model       digest of its manifest: "name size hexdigest\n" per file, sorted by name
 *   family key  (kind, version, identity parameters, numeric class, inputs, seed if the kind takes
 * one, task, level, split, task version, task file): what an example's label or score belongs to
 *   evaluation  (numeric class, model, task, level, split, prompts, worked examples, task version,
 *               task file) of a search: what an outcome of an example by a path depends on
 *   job key     shard jobs: (family key, begin, end); others: (kind..., inputs, seed, [family key,
 * examples]...) input       outside: its digest; produced: (producer's key, output name) Shard
 * size, thread counts, paths and the order of steps, keys and tasks are part of none of them. Equal
 * keys are one job, claimed by every run that needs it.
 *
 * All text and arrays belong to the plan. Pure but for reading the model and task files that the
 * recipe names. */
#ifndef EXPERIMENTS_PLAN_PLAN_H
#define EXPERIMENTS_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/kinds/kinds.h"
#include "experiments/plan/recipe.h"

/* A run is a few hundred bytes and a job about 1,700, so the largest plan stays below 250 MiB; the
 * wire has the same limits. */
enum {
    PLAN_RUNS_MAX = 100000,
    PLAN_JOBS_MAX = 100000,
    PLAN_FAMILIES_MAX = 10000,
    PLAN_FILES_MAX = 10000,
    PLAN_GATES_MAX = 1000000, /* WIRE_GATES_MAX */
    PLAN_CURRICULA_MAX = 64,  /* shown */
    PLAN_WARNINGS_MAX = 64
};

/* The numeric class of everything that runs on the packed kernel. */
#define PLAN_NUMERIC_CLASS "packed-1"
/* That of programs: only workers with --allow-exec offer it. */
#define PLAN_EXEC_CLASS "exec"

/* A growing list of indexes. */
struct plan_list {
    uint32_t *v;
    size_t len, cap;
};

enum plan_source {
    PLAN_BLOB,    /* an outside file or model: digest, size, path */
    PLAN_OUTPUT,  /* output OUTPUT of job PRODUCER */
    PLAN_RESULTS, /* rows of the job's families, assembled by the coordinator */
};

struct plan_input {
    const char *name; /* "model", "labels", "router", "paths", "task_file", "task_file.TASK"... */
    enum plan_source source;
    struct digest digest; /* BLOB */
    uint64_t size_bytes;  /* BLOB: of the blob itself (of the manifest for a folder) */
    const char *path;     /* BLOB: absolute path of the file or model; "" else */
    uint32_t producer;    /* OUTPUT: index of a job */
    const char *output;   /* OUTPUT */
    bool folder;          /* the blob is a manifest (models, task folders) */
};

enum { PLAN_INPUTS_MAX = 16 }; /* WIRE_INPUTS_MAX */

struct plan_job {
    struct digest key;
    const struct kind *kind;
    const char *numeric_class;
    const char
        *step; /* the first step that asked for it; "labels.collect" when added by the planner */
    const struct params
        *params; /* complete for kind_check: task, level, split, examples included */
    struct plan_input input[PLAN_INPUTS_MAX];
    size_t inputs_len;
    struct plan_list needs;    /* jobs, ascending, all with smaller indexes */
    struct plan_list runs;     /* claims, ascending */
    struct plan_list families; /* shard jobs: one; collect: those it reads, ascending by key */
    uint64_t *family_examples; /* collect: how many of each of families; else NULL */
    uint64_t begin, end;       /* shard: examples begin..end-1; else 0, 0 */
    uint64_t seed;
    uint32_t retries;
    /* What an attempt needs of a worker; no part of the key. Of several steps that plan the same
     * job: of the first. */
    uint32_t cores;      /* 0: one slot */
    uint64_t memory_mib; /* 0: not said */
    const char **label;  /* that the worker must have */
    size_t labels_len;
};

struct plan_family {
    struct digest key;
    const struct kind *kind;
    const char *task, *split;
    int level;
    /* Searches: what an outcome of (example, path) depends on: numeric class, model, task with its
     * version and file, level, split, prompts. Families that share it can use each other's
     * evaluations. Zero of other kinds. */
    struct digest evaluation;
};

/* What a run's step reads: the first EXAMPLES examples of a family. */
struct plan_step_family {
    const char *step;
    uint32_t family;
    uint64_t examples;
};

struct plan_run {
    uint64_t seed;
    /* Of every axis of the plan, in its order, as recipe text: what the sweep gave, else the step's
     * own value, else the kind's default; "" when the run has none (its step is absent). */
    const char **name, **value;
    size_t params_len;
    struct digest
        digest; /* of the point: its parameters, seed, families with counts and other keys */
    struct plan_step_family *family;
    size_t families_len;
};

/* An outside file that jobs read, or the manifest of a model or of a task's files (manifest !=
 * NULL; path is the folder's). */
struct plan_file {
    struct digest digest;
    uint64_t size_bytes;
    const char *path;     /* absolute */
    const char *manifest; /* text of the manifest, else NULL */
};

/* One step of the recipe, for displays. The planner's own collect and select steps are listed too.
 */
struct plan_step {
    const char *id;
    const struct kind *kind;
    uint64_t jobs;          /* distinct */
    uint64_t units;         /* distinct examples, or jobs for kinds without shards */
    uint64_t claims;        /* jobs had nothing been shared between runs */
    struct plan_list needs; /* steps that it reads, ascending indexes of the plan's steps */
};

/* Halving. RUN's claim on JOB holds only if the select job BY chooses the run. A job whose every
 * claim is gated also needs the first of its gates' select jobs (scheduling only: no part of its
 * key). */
struct plan_gate {
    uint32_t run, job, by;
};

/* RUN is one of those that the select job BY chooses among; runs of one candidate differ by their
 * seed alone. Sorted by (by, candidate, seed). The jobs (and their families) that decide are those
 * of BY's needs that the run claims. Every select job chooses among all candidates, dropped ones
 * included: the k-th keeps keep^k of them. */
struct plan_candidate {
    uint32_t by, run;
    struct digest candidate; /* of the point without its seed */
};

/* What a stage step of some runs trains by, for displays: each different one once. */
struct plan_curriculum {
    const char *step, *schedule; /* schedule: the recipe's word */
    const char *budget;          /* in words */
    const char *difficulty;      /* in words */
    uint64_t updates, stages;
    /* Of a fixed schedule: point[i].budget tokens from update point[i].update on. */
    struct plan_budget {
        uint64_t update;
        int64_t budget;
    } * point;
    size_t points_len;
    int64_t first, last; /* of an adaptive one: where it starts, and its floor; else 0 */
    uint64_t runs;
};

/* A rung, for displays: CANDIDATES arrive (as far as is known now), SURVIVORS go on. */
struct plan_rung {
    const char *step, *score;
    uint64_t candidates, survivors; /* the same for the last rung, which has no select job */
};

struct plan {
    const char *name;
    struct digest revision; /* of the set of points */
    const char *recipe, *recipe_path;
    const char *axis[RECIPE_AXES_MAX]; /* swept parameters without the seed */
    size_t axes_len;
    struct plan_run *run;
    size_t runs_len;
    struct plan_family *family;
    size_t families_len;
    struct plan_job *job;
    size_t jobs_len;
    struct plan_file *file;
    size_t files_len;
    struct plan_step *step; /* in an order in which every step follows what it needs */
    size_t steps_len;
    struct plan_gate *gate; /* by (job, run); empty without halving, as the next two */
    size_t gates_len;
    struct plan_candidate *candidate;
    size_t candidates_len;
    struct plan_rung *rung;
    size_t rungs_len;
    struct plan_curriculum *curriculum; /* at most PLAN_CURRICULA_MAX; the others are counted */
    size_t curricula_len, curricula_more;
    const char **warning; /* "file:line: steps[i].key: ..." */
    size_t warnings_len;
    bool prioritised; /* PRIORITY is asked for, by the recipe or the command; else the experiment
                       * keeps the one it has */
    int32_t priority;
    const char *git; /* Plan.git: set by the caller of plan_make(), who owns it; NULL: unknown */
    struct plan_memory *memory;
};

struct plan_options {
    /* The numeric class of this host for training with gemm = "openblas", e.g.
     * "packed-1+openblas-0.3.21-SkylakeX"; called at most once, only when a step needs it. NULL:
     * such a step is refused. */
    int (*openblas_class)(void *arg, char *out, size_t size, struct err *err);
    void *arg;
    /* Digests of outside files are kept in this file by (device, inode, size, mtime), so that
     * gigabytes are read once; NULL: none. A cache that cannot be read or written is ignored. */
    const char *digest_cache;
};

/* Check every run of R and expand it. Nothing is written but the digest cache. ERR_INVALID
 * (file:line: steps[i].key: ...), ERR_NOT_FOUND (a model or task file), ERR_LIMIT (too many runs,
 * jobs or examples; the number allowed is named). */
int plan_make(const struct recipe *r, const struct plan_options *o, struct plan **ret,
              struct err *err) MUST_CHECK;
void plan_free(struct plan *p); /* NULL is fine */
void plan_cleanup(struct plan **p);

/* ---- graph.c ---- */

/* P's steps as a graph in DOT: a node per step with its jobs and examples (select jobs as
 * diamonds), an edge to each from what it needs; appended to OUT. */
struct buf;
void plan_graph_print(const struct plan *p, struct buf *out);

#endif
