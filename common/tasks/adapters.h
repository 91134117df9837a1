/* SPDX-License-Identifier: Apache-2.0 */
/* adapters.h - the table of benchmarks: inside common/tasks only.
 *
 * One row says everything about a benchmark: where its records are in files, which fields make the
 * prompt, the choices and the gold answer, how the model's text becomes an answer and how that is
 * compared. The readers (records.c), files.c, build.c and grade.c interpret rows; a row gets a
 * function of its own (`fix`) only where fields are not enough.
 *
 * Templates are text with fields in braces: "Question: {question}\nAnswer:". "{a|b}" is the first
 * of the fields a and b that the record has, "{a.b}" a member of a member, "{a:strip}" without
 * outer blanks, "{a:dot}" stripped and ended by a full stop. */
#ifndef COMMON_TASKS_ADAPTERS_H
#define COMMON_TASKS_ADAPTERS_H

#include "common/base/json.h"
#include "common/tasks/task.h"

/* How a file is cut into records, each a JSON object. The content decides: '{' opens JSONL, '[' a
 * JSON array; else lines or rows of the delimited form given here. */
enum file_form {
    FILE_JSON,  /* JSONL or one array only */
    FILE_CSV,   /* always RFC-4180, columns named by the adapter (never sniffed) */
    FILE_CSV_H, /* always RFC-4180, columns named by the first row */
    FILE_TSV,   /* JSON or tab separated without quoting, columns named by the adapter */
    FILE_TSV_H, /* JSON or tab separated without quoting, columns named by the first line */
    FILE_SQUAD, /* one object: data[].paragraphs[].qas[] */
    FILE_MULTI, /* JSON; each record holds passage.questions[].answers[] (or is flat) */
};

/* From the text to an answer. */
enum extract {
    EXTRACT_TEXT, /* all of it, without outer blanks */
    EXTRACT_GSM8K_STRICT,
    EXTRACT_GSM8K_FLEXIBLE,
    EXTRACT_DOLLARS,     /* between the first and the last '$', else all */
    EXTRACT_MATH,        /* the last box, else as EXTRACT_DOLLARS */
    EXTRACT_BOXED,       /* the last box, else "None" */
    EXTRACT_BOX_OR_TEXT, /* the last box, else all */
    EXTRACT_NUMBER,      /* the last number */
    EXTRACT_AGIEVAL,     /* box, last $..$, behind the last '=', last number */
    EXTRACT_LETTER,      /* Dr.LLM's strict letter */
};
/* Answer against gold. */
enum compare {
    COMPARE_TEXT,
    COMPARE_GSM8K,     /* as strings after the harness's regexes */
    COMPARE_HENDRYCKS, /* as strings after MATH's strip_string */
    COMPARE_MATH,      /* math_equal */
    COMPARE_AIME,      /* the same, leading zeros aside */
    COMPARE_NUMBER,    /* within 1e-3 */
    COMPARE_COLLEGE,   /* within 1e-4 relative, or math_equal */
    COMPARE_SQUAD_EXACT,
    COMPARE_SQUAD_F1,
};
/* CHOICE metrics: from log-likelihoods. */
enum choose { CHOOSE_ACC, CHOOSE_ACC_NORM, CHOOSE_MASS };

struct rule {
    enum extract extract;
    enum compare compare;
    enum choose choose;
    int only; /* SQuAD: 1 answerable examples only, 2 unanswerable ones only */
};

/* Metrics of many rows, with their rules. */
#define METRICS_ACC      .metric = { { "acc", 0 } }, .metrics_len = 1
#define METRICS_ACC_NORM .metric = { { "acc", 0 }, { "acc_norm", 0 } }, .metrics_len = 2
#define RULES_ACC_NORM   .rule = { { .choose = CHOOSE_ACC }, { .choose = CHOOSE_ACC_NORM } }

struct adapter;
/* Adds fields that templates ask for to the record ROOT (their names start with '@'); what is wrong
 * as ERR_INVALID without file and line. */
typedef int (*fix_fn)(const struct adapter *a, struct json *root, struct err *err);
/* The same with the example's id known. */
typedef int (*late_fn)(uint64_t id, struct json *root, struct err *err);

enum {
    ADAPTER_OWN_IDS = 1,    /* equal records are one (ARC, SQuAD: they carry ids) */
    ADAPTER_SKIP_SHORT = 2, /* rows with too few columns are dropped (QQP's own damage) */
    ADAPTER_SKIP_DASH = 4,  /* label "-", no majority among annotators: dropped (MNLI) */
    ADAPTER_SUBJECT = 8,    /* file names tell the subset: MMLU */
    ADAPTER_GOLD_LIST = 16, /* SQuAD: gold is the list answers[].text and may be empty */
    ADAPTER_BOXED = 32,     /* its harness prompt is Dr.LLM's (dart_math) */
};

struct adapter {
    struct task_spec spec;
    enum file_form form;
    const char *columns; /* names for FILE_CSV and FILE_TSV, '|' between */
    /* Names in a folder per split, first match wins, blank separated; NULL: the split has no
     * labelled file. "test/_test.csv": all files of test/ that end so. */
    const char *file[SPLITS];
    const char *shots;       /* few-shot file, as above; NULL: none */
    const char *description; /* template, in front of everything */
    const char *prompt;
    const char *people;   /* the question for people, choices are added; NULL: the prompt alone */
    const char *identity; /* fields of the canonical record, '\t' between; "*f": the texts of a
                             list, "#f" as a number */
    const char *source;   /* field of the id in the file; the line's number without */
    const char *subset;   /* field of the subset, or NULL */
    const char *level;    /* field "Level 3" or 3, or NULL */
    const char *choices;  /* "*f": the texts of list f; else templates, '\t' between */
    const char *label;    /* field of the gold label: index, bool, word, or list of indices */
    const char *words;    /* label words in the order of the choices, '|' between */
    const char *answer;   /* ANSWER: template of the gold answer */
    const char *target;   /* few-shot target; NULL: the gold choice or answer */
    const char *stops;    /* '\t' between */
    const char *boxed;    /* the problem for Dr.LLM's boxed prompt, or NULL */
    fix_fn fix;
    const char *arg; /* for fix */
    late_fn late;
    struct rule rule[TASK_METRICS_MAX]; /* one per metric */
    unsigned flags;
};

/* Row I of a part of the table, NULL behind its last. */
const struct adapter *adapters_choice(size_t i);
const struct adapter *adapters_math(size_t i);
const struct adapter *adapters_glue(size_t i);
const struct adapter *adapters_agieval(size_t i);
/* Row I of the whole. */
const struct adapter *adapter_at(size_t i);
const struct adapter *adapter_find(const char *name);

/* fixes.c */
int fix_arc(const struct adapter *a, struct json *root, struct err *err);
int fix_gsm8k(const struct adapter *a, struct json *root, struct err *err);
int fix_svamp(const struct adapter *a, struct json *root, struct err *err);
int fix_math(const struct adapter *a, struct json *root, struct err *err);
int fix_aime(const struct adapter *a, struct json *root, struct err *err);
int fix_truthfulqa(const struct adapter *a, struct json *root, struct err *err);
int fix_agieval(const struct adapter *a, struct json *root, struct err *err);
int fix_copa(const struct adapter *a, struct json *root, struct err *err);
int fix_wic(const struct adapter *a, struct json *root, struct err *err);
int fix_wsc(const struct adapter *a, struct json *root, struct err *err);
int late_gpqa(uint64_t id, struct json *root, struct err *err);

#endif
