/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - families of examples: readers of benchmark files, generators of synthetic tasks,
 * prompts, graders. Text in, text out; knows no tokenizer. Everything is a pure function of its
 * arguments (file contents included).
 *
 * Synthetic tasks ("math", "logic", "lists") are endless and have levels. The others are benchmarks
 * read from files: rows of one table of adapters (adapters.c: file format, fields, prompt, choices
 * or stops, extraction, metrics). `drover tasks` prints it. */
#ifndef COMMON_TASKS_TASK_H
#define COMMON_TASKS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/rng.h"

enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST, SPLITS };
const char *split_name(enum split s); /* "train", "validation", "test" */
int split_parse(const char *name, enum split *ret, struct err *err) MUST_CHECK;

/* Prompts: lm-evaluation-harness's conventions, Dr.LLM's (base or, for a chat model, instruct), or
 * visible reasoning: the model thinks between tags and answers between tags (think.h), again for a
 * base or a chat model. */
enum task_prompts {
    PROMPTS_HARNESS,
    PROMPTS_DR_LLM,
    PROMPTS_DR_LLM_CHAT,
    PROMPTS_THINK,
    PROMPTS_THINK_CHAT,
    PROMPTS
};
/* "harness", "dr_llm", "dr_llm_chat", "think", "think_chat" */
const char *task_prompts_name(enum task_prompts p);
int task_prompts_parse(const char *name, enum task_prompts *ret, struct err *err) MUST_CHECK;

/* How an example is scored. */
enum task_form {
    TASK_ANSWER, /* the model continues the prompt; the text is graded against gold. With choices
                    as well (SQuAD: " unanswerable") their log-likelihoods are taken too */
    TASK_CHOICE, /* log-likelihood of each choice as continuation, as lm-evaluation-harness's
                    multiple_choice */
};

enum {
    TASK_CHOICES_MAX = 64, /* gold_mask has one bit each */
    TASK_GOLDS_MAX = 64,
    TASK_STOPS_MAX = 8,
    TASK_METRICS_MAX = 12,
    TASK_TEXT_MAX = 65536,
    TASK_PROMPT_MAX = 1 << 20, /* bytes; SQuAD's longest context has 4 thousand */
};

/* One example. Strings are owned by it: example_release(). */
struct example {
    uint64_t id;     /* 64-bit BLAKE2b of (task, reader or generator version, canonical record):
                        independent of prompts */
    int level;       /* of synthetic tasks and MATH: 1..6; 0 for files without levels */
    char *source_id; /* id in the file ("Mercury_417466"); else the line's number or, for synthetic
                        ones, the problem itself */
    char *subset;    /* part of the benchmark: MMLU's and MATH's subject, GSM-Plus's perturbation,
                        the lists' operation, else "" */
    char *question;  /* for people: what `drover labels` shows */
    enum task_form form;
    char *system; /* chat prompts: the system message, or NULL */
    char *prompt; /* for the model: the context, few-shot examples in front. With chat: the user's
                     turn */
    enum task_prompts prompts;      /* whose prompt it is: the grader goes by it */
    bool chat;                      /* the prompt is to be wrapped by the model's chat template */
    char *begin;                    /* chat: text that the assistant's turn begins with, or NULL */
    char *choice[TASK_CHOICES_MAX]; /* continuations, delimiter (" ") included */
    size_t choice_chars[TASK_CHOICES_MAX]; /* Unicode characters without the delimiter: acc_norm */
    size_t choices_len;
    int gold_choice;    /* CHOICE: index, -1 when there is none or several */
    uint64_t gold_mask; /* CHOICE: bit i: choice i is right */
    char *gold;         /* for people, and the ANSWER that is compared with; CHOICE: its text */
    char
        *golds[TASK_GOLDS_MAX]; /* ANSWER: when several are right (SQuAD); golds_len 0: only gold */
    size_t golds_len;
    char *stop[TASK_STOPS_MAX]; /* ANSWER: texts that end the generation */
    size_t stops_len;
    size_t answer_tokens_max; /* ANSWER: decoding limit in tokens */
};
void example_release(struct example *e);

struct task_metric {
    const char *name; /* "acc", "acc_norm", "exact_match", "flexible_extract", "f1"... */
    int whole_set;    /* 0: mean of the examples' values; else METRIC_MCC... (metrics.h) */
};

struct task_spec {
    const char *name;
    const char *group; /* "glue", "superglue", "agieval"..., "" */
    bool synthetic;
    int levels;                                  /* 6, 5 (MATH), or 0 when the task has none */
    uint32_t version;                            /* of reader or generator, part of every id */
    int fewshot;                                 /* the harness's default number */
    bool dr_llm;                                 /* has Dr.LLM's prompt too */
    enum task_form form;                         /* of its examples under harness prompts */
    size_t answer_tokens_max;                    /* ANSWER, harness prompts */
    struct task_metric metric[TASK_METRICS_MAX]; /* the first is the one that tables show */
    size_t metrics_len;
    const char *files;   /* where its files come from and what they are called, for people */
    const char *licence; /* of the data, for people */
    const char *help;
};
const struct task_spec *task_find(const char *name); /* NULL when unknown */
const struct task_spec *task_at(size_t i);           /* NULL behind the last */
/* ERR_INVALID with the nearest name or what is known. */
int task_must_find(const char *name, const struct task_spec **ret, struct err *err) MUST_CHECK;

struct task_query {
    const char *task;
    int level; /* synthetic: 1..levels; files: 0 (all) or one level */
    enum split split;
    const char *path; /* file or folder; NULL for synthetic tasks. A file is what the user says it
                         is; in a folder the reader takes the split's files by the benchmark's own
                         names, and few-shot examples from the train (or dev) file beside them */
    enum task_prompts prompts;
    int fewshot; /* -1: the task's default under harness prompts (0 when the files that it would be
                    taken from are not there), 0 under the others; else that many, the first of the
                    few-shot file. Dr.LLM's prompts have none: more than 0 is refused */
    size_t budget; /* PROMPTS_THINK: tokens that the prompt asks for; 0: it says nothing */
};

/* An ordered list of the examples of (task, level, split), no id twice. Example I never depends on
 * how many are asked for: the first 50 of 4000 are the 50 of 50. Equal records of a file are one
 * where the benchmark has ids of its own (ARC, SQuAD); elsewhere the harness counts them all, so
 * the second of two has the id of "the second of its kind". */
struct task_source;

/* ERR_INVALID names the file and line of a broken record, an unknown task, a level or prompts that
 * the task does not have; ERR_NOT_FOUND (which file is looked for); ERR_LIMIT. */
int task_open(struct task_source **ret, const struct task_query *q, struct err *err) MUST_CHECK;
void task_close(struct task_source *s);
/* The files that task_open would read, few-shot files included, in a fixed order: paths (to be
 * opened as they are) and the plain names, different from each other, under which they may lie in
 * one flat folder given as .path with the same effect. Empty for synthetic tasks. */
struct task_file {
    char *path, *name;
};
struct task_files {
    struct task_file *file;
    size_t len;
    bool folder; /* they must be given as one folder, under these names: q->path is a folder, or
                    there are more files than one, or the name says something (MMLU's subject) */
};
int task_files(const struct task_query *q, struct task_files *ret, struct err *err) MUST_CHECK;
void task_files_release(struct task_files *f);

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

/* What a model said to an example: TEXT (ANSWER; stop cut off), LOGPROB (one per choice). */
struct response {
    const char *text;
    const double *logprob;
};
struct marks {
    bool correct;      /* the first metric's verdict (CHOICE: acc) */
    bool correct_norm; /* CHOICE: acc_norm; ANSWER: the lenient rule where there is one (GSM8K
                          flexible), else as correct */
    int pick;          /* CHOICE: index of the largest sum, first of equals; else -1 */
    double value[TASK_METRICS_MAX]; /* per metric of the task that is a mean; NaN: does not apply to
                                       this example (HasAns_f1 of an unanswerable one) */
    struct buf answer; /* what was extracted: "C", "42", "[invalid]"; marks_release() */
};
void marks_release(struct marks *m);
void task_grade(const struct task_spec *t, const struct example *e, const struct response *r,
                struct marks *ret);

/* CHOICE: index of the best choice, ties to the first: by sum of log-probabilities (acc) ... */
size_t task_pick(const double *logprob, size_t choices_len);
/* ... and by sum / number of Unicode characters of the choice (acc_norm). */
size_t task_pick_norm(const struct example *e, const double *logprob);

/* Members of group GROUP that are not among the LEN names of TASK, as "mnli, wnli" appended to OUT;
 * returns how many there are. *RET_MEMBERS (may be NULL): members in all. Members that drover has
 * no reader for (record) are named too. */
size_t task_group_lacks(const char *group, const char *const *task, size_t len, struct buf *out,
                        size_t *ret_members);

/* Every byte that a synthetic task's prompts and answers use, each once, in a fixed order;
 * NUL-terminated. The embedded model's tokenizer has one token per character of it. */
const char *task_alphabet(void);

/* The answer to a question of the task "lists" about LIST (N elements): OPERATION '<' or '>' (the
 * ARGUMENT-th smallest or largest), '-' (the ARGUMENT-th from the end), with ARGUMENT '1' to '9',
 * or '?' (how often ARGUMENT occurs, at most 9 times). NUL: not such a question. */
char lists_answer(const char *list, size_t n, char operation, char argument);

#endif
