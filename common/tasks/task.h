/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - families of examples: readers of benchmark files, generators of synthetic tasks,
 * prompts, graders. Text in, text out; knows no tokenizer. Everything is a pure function of its
 * arguments (file contents included).
 *
 * Tasks of this version: "math", "logic" (synthetic, endless, levels 1..6), "arc_easy",
 * "arc_challenge" (files). */
#ifndef COMMON_TASKS_TASK_H
#define COMMON_TASKS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST, SPLITS };
const char *split_name(enum split s); /* "train", "validation", "test" */
int split_parse(const char *name, enum split *ret, struct err *err) MUST_CHECK;

/* How an example is scored. */
enum task_form {
    TASK_ANSWER, /* the model continues the prompt greedily; the continuation is graded against gold
                  */
    TASK_CHOICE, /* log-likelihood of each choice as continuation, as lm-evaluation-harness's
                    multiple_choice */
};

enum { TASK_CHOICES_MAX = 8, TASK_TEXT_MAX = 65536 };

/* One example. Strings are owned by it: example_release(). */
struct example {
    uint64_t id;     /* 64-bit BLAKE2b of (task, reader or generator version, canonical record) */
    int level;       /* 1..6 for synthetic tasks, 0 for files without levels */
    char *source_id; /* id in the file ("Mercury_417466"); for synthetic ones the problem itself */
    char *question;  /* for people: what `drover labels` shows */
    char *prompt;    /* for the model: the context */
    char *gold;      /* ANSWER: the expected continuation; CHOICE: the text of the right choice */
    char *choice[TASK_CHOICES_MAX]; /* CHOICE: continuation texts without the leading delimiter */
    size_t choices_len;
    int gold_choice; /* CHOICE: index, else -1 */
};
void example_release(struct example *e);

struct task_spec {
    const char *name;
    enum task_form form;
    bool synthetic;
    int levels;               /* 6, or 0 when the task has no levels */
    uint32_t version;         /* of reader or generator, part of every id */
    size_t answer_tokens_max; /* ANSWER: decoding limit in tokens (1 for math and logic) */
    const char *metric;       /* "acc" */
    const char *help;
};
const struct task_spec *task_find(const char *name); /* NULL when unknown */
const struct task_spec *task_at(size_t i);           /* NULL behind the last */

/* An ordered, duplicate-free list of the examples of (task, level, split). Example I never depends
 * on how many are asked for: the first 50 of 4000 are the 50 of 50. */
struct task_source;

/* Synthetic tasks: LEVEL 1..levels, PATH NULL. File tasks: PATH is the JSONL file (its split is
 * what the user says it is), LEVEL 0. ERR_INVALID names the file and line of a broken record;
 * ERR_NOT_FOUND; ERR_LIMIT. */
int task_open(struct task_source **ret, const char *task, int level, enum split split,
              const char *path, struct err *err) MUST_CHECK;
void task_close(struct task_source *s);
/* How many distinct examples there are; for endless ones exact up to 1,000,000 and then 1,000,000.
 * May take a second. */
int task_count(struct task_source *s, uint64_t *ret, struct err *err) MUST_CHECK;
/* Example INDEX. ERR_LIMIT with the number available when there are fewer. Sequential access is
 * fast, and going back is allowed (the source keeps ids or seeds, not text). */
int task_get(struct task_source *s, uint64_t index, struct example *ret,
             struct err *err) MUST_CHECK;

/* One random training problem of a synthetic task from stream R (draws until the problem's hash is
 * in the train split). Duplicates are possible; they are training data. */
int task_draw(const char *task, int level, struct rng *r, struct example *ret,
              struct err *err) MUST_CHECK;

/* ANSWER: does CONTINUATION answer E (leading and trailing blanks aside)? */
bool task_grade_answer(const struct task_spec *t, const struct example *e,
                       const char *continuation);
/* CHOICE: index of the best choice, ties to the first: by sum of log-probabilities (acc) ... */
size_t task_pick(const double *logprob, size_t choices_len);
/* ... and by sum / number of Unicode characters of the choice (acc_norm). */
size_t task_pick_norm(const struct example *e, const double *logprob);

/* Every byte that a synthetic task's prompts and answers use, each once, in a fixed order;
 * NUL-terminated. The embedded model's tokenizer has one token per character of it. */
const char *task_alphabet(void);

#endif
