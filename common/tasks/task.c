/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tasks/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/tasks/adapters.h"
#include "common/tasks/reader.h"
#include "common/tasks/source.h"
#include "common/tasks/think.h"

enum { TASKS_MAX = 128 };

static const char *const split_names[] = { "train", "validation", "test", NULL };
static const char *const prompts_names[] = { "harness", "dr_llm",     "dr_llm_chat",
                                             "think",   "think_chat", NULL };

static const struct task_spec synthetic_tasks[] = {
    { .name = "math",
      .group = "",
      .synthetic = true,
      .levels = 6,
      .version = 1,
      .form = TASK_ANSWER,
      .answer_tokens_max = 1,
      .metric = { { "acc", 0 } },
      .metrics_len = 1,
      .files = "none: made by drover",
      .licence = "Apache-2.0",
      .help = "Chains of digits, left to right, with + and - modulo 10, > (larger) and < "
              "(smaller)." },
    { .name = "logic",
      .group = "",
      .synthetic = true,
      .levels = 6,
      .version = 1,
      .form = TASK_ANSWER,
      .answer_tokens_max = 1,
      .metric = { { "acc", 0 } },
      .metrics_len = 1,
      .files = "none: made by drover",
      .licence = "Apache-2.0",
      .help = "Follow facts over several hops and name the letter of the entity reached." },
    { .name = "lists",
      .group = "",
      .synthetic = true,
      .levels = 6,
      .version = 1,
      .form = TASK_ANSWER,
      .answer_tokens_max = 1,
      .metric = { { "acc", 0 } },
      .metrics_len = 1,
      .files = "none: made by drover",
      .licence = "Apache-2.0",
      .help = "Sort, count and reverse short lists of digits or letters: the k-th smallest (<) or "
              "largest (>), the k-th from the end (-), how often an element occurs (?)." },
};

struct task_source {
    const struct task_spec *task;
    struct synthetic *synthetic;
    struct reader *reader;
    enum task_prompts prompts; /* think's are put on what a source of harness prompts gives */
    size_t budget;
};

static int word_parse(const char *what, const char *const *words, const char *name, int *ret,
                      struct err *err)
{
    struct buf known CLEANUP(buf_release) = { 0 };

    for (int i = 0; words[i]; i++) {
        if (strcmp(name, words[i]) == 0) {
            *ret = i;
            return 0;
        }
        buf_printf(&known, "%s%s", i ? ", " : "", words[i]);
    }
    return err_set(err, ERR_INVALID, "unknown %s \"%s\"; one of %s", what, name, buf_str(&known));
}

const char *split_name(enum split s)
{
    assert((unsigned)s < SPLITS);
    return split_names[s];
}

int split_parse(const char *name, enum split *ret, struct err *err)
{
    int i = 0, rc = word_parse("split", split_names, name, &i, err);

    if (rc == 0)
        *ret = (enum split)i;
    return rc;
}

const char *task_prompts_name(enum task_prompts p)
{
    assert((unsigned)p < PROMPTS);
    return prompts_names[p];
}

int task_prompts_parse(const char *name, enum task_prompts *ret, struct err *err)
{
    int i = 0, rc = word_parse("prompts", prompts_names, name, &i, err);

    if (rc == 0)
        *ret = (enum task_prompts)i;
    return rc;
}

const struct task_spec *task_at(size_t i)
{
    if (i < ARRAY_LEN(synthetic_tasks))
        return &synthetic_tasks[i];
    const struct adapter *a = adapter_at(i - ARRAY_LEN(synthetic_tasks));
    return a ? &a->spec : NULL;
}

const struct task_spec *task_find(const char *name)
{
    const struct task_spec *t;

    for (size_t i = 0; (t = task_at(i)); i++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

int task_must_find(const char *name, const struct task_spec **ret, struct err *err)
{
    const char *words[TASKS_MAX + 1] = { NULL };

    *ret = task_find(name);
    if (*ret)
        return 0;
    for (size_t i = 0; i < TASKS_MAX && task_at(i); i++)
        words[i] = task_at(i)->name;
    const char *near = nearest_find(name, words);
    if (near)
        return err_set(err, ERR_INVALID, "unknown task \"%s\"; did you mean \"%s\"?", name, near);
    return err_set(err, ERR_INVALID, "unknown task \"%s\"; `drover tasks` lists what is known",
                   name);
}

void example_release(struct example *e)
{
    char *text[] = {
        e->source_id, e->subset, e->question, e->system, e->prompt, e->begin, e->gold
    };

    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        free(text[i]);
    for (size_t i = 0; i < e->choices_len; i++)
        free(e->choice[i]);
    for (size_t i = 0; i < e->golds_len; i++)
        free(e->golds[i]);
    for (size_t i = 0; i < e->stops_len; i++)
        free(e->stop[i]);
    *e = (struct example){ .gold_choice = -1 };
}

uint64_t example_id(const struct task_spec *t, const char *record)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, t->name);
    digest_add_u64(&d, t->version);
    digest_add_text(&d, record);
    struct digest id = digest_end(&d);
    return digest_u64(&id);
}

enum split example_split(uint64_t id)
{
    uint64_t slice = id % 10;

    return slice < 8 ? SPLIT_TRAIN : slice == 8 ? SPLIT_VALIDATION : SPLIT_TEST;
}

static int check_prompts(const struct task_spec *t, const struct task_query *q, struct err *err)
{
    if (think_prompts(q->prompts)) {
        if (!think_task(t))
            return err_set(err, ERR_INVALID,
                           "%s has no %s prompts; math, logic and benchmarks whose answer is "
                           "written (gsm8k, hendrycks_math...) have",
                           t->name, task_prompts_name(q->prompts));
        if (q->fewshot > 0)
            return err_set(err, ERR_INVALID,
                           "%s: prompts = \"%s\" takes no few-shot examples; leave fewshot out",
                           t->name, task_prompts_name(q->prompts));
        if (q->budget > THINK_BUDGET_MAX)
            return err_set(err, ERR_INVALID, "%s: a budget of %zu tokens; at most %d", t->name,
                           q->budget, THINK_BUDGET_MAX);
        return 0;
    }
    if (q->budget > 0)
        return err_set(err, ERR_INVALID,
                       "%s: a budget of %zu tokens, which prompts = \"%s\" do not state; say "
                       "prompts = \"think\" or leave the budget out",
                       t->name, q->budget, task_prompts_name(q->prompts));
    if (q->prompts != PROMPTS_HARNESS && !t->dr_llm)
        return err_set(err, ERR_INVALID,
                       "%s has no %s prompts; say prompts = \"harness\" or take arc_easy, "
                       "arc_challenge, dart_math, hendrycks_math, math500 or gsm8k",
                       t->name, task_prompts_name(q->prompts));
    return 0;
}

/* What a query may ask of task T, files aside. */
static int check_query(const struct task_spec *t, const struct task_query *q, struct err *err)
{
    assert((unsigned)q->split < SPLITS && (unsigned)q->prompts < PROMPTS);
    if (t->synthetic && (q->level < 1 || q->level > t->levels))
        return err_set(err, ERR_INVALID, "%s: level %d is out of range 1 to %d", t->name, q->level,
                       t->levels);
    if (!t->synthetic && t->levels == 0 && q->level != 0)
        return err_set(err, ERR_INVALID, "%s has no levels; leave levels out", t->name);
    if (q->level < 0 || q->level > t->levels)
        return err_set(err, ERR_INVALID, "%s: level %d is out of range 0 (all) to %d", t->name,
                       q->level, t->levels);
    int rc = check_prompts(t, q, err);
    if (rc)
        return rc;
    if (t->synthetic && q->fewshot > 0)
        return err_set(err, ERR_INVALID, "%s takes no few-shot examples; leave fewshot out",
                       t->name);
    if (!t->synthetic && !q->path)
        return err_set(err, ERR_INVALID, "%s needs the path of its file or folder (%s)", t->name,
                       t->files);
    return 0;
}

/* What a source is asked for: thinking is added to harness prompts. */
static struct task_query source_query(const struct task_query *q)
{
    struct task_query plain = *q;

    if (think_prompts(q->prompts)) {
        plain.prompts = PROMPTS_HARNESS;
        plain.fewshot = 0;
        plain.budget = 0;
    }
    return plain;
}

int task_open(struct task_source **ret, const struct task_query *q, struct err *err)
{
    const struct task_query plain = source_query(q);
    struct task_source source = { .prompts = q->prompts, .budget = q->budget };
    int rc = task_must_find(q->task, &source.task, err);

    rc = rc ? rc : check_query(source.task, q, err);
    if (rc == 0 && source.task->synthetic)
        source.synthetic = synthetic_new(source.task, q->level, q->split);
    else if (rc == 0)
        rc = reader_open(&source.reader, adapter_find(q->task), &plain, err);
    if (rc)
        return rc;
    *ret = mem_dup(&source, sizeof(source));
    return 0;
}

void task_close(struct task_source *s)
{
    if (!s)
        return;
    synthetic_free(s->synthetic);
    reader_close(s->reader);
    free(s);
}

int task_files(const struct task_query *q, struct task_files *ret, struct err *err)
{
    const struct task_query plain = source_query(q);
    const struct task_spec *t;
    int rc = task_must_find(q->task, &t, err);

    *ret = (struct task_files){ 0 };
    rc = rc ? rc : check_query(t, q, err);
    if (rc || t->synthetic)
        return rc;
    struct found found = { 0 };
    rc = found_open(&found, adapter_find(q->task), &plain, err);
    if (rc)
        return rc;
    ret->file = mem_calloc(found.len, sizeof(*ret->file));
    ret->folder = found.folder;
    for (size_t i = 0; i < found.len; i++)
        ret->file[ret->len++] = (struct task_file){ .path = mem_strdup(found.file[i].path),
                                                    .name = mem_strdup(found.file[i].name) };
    found_release(&found);
    return 0;
}

void task_files_release(struct task_files *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free(f->file[i].path);
        free(f->file[i].name);
    }
    free(f->file);
    *f = (struct task_files){ 0 };
}

int task_count(struct task_source *s, uint64_t *ret, struct err *err)
{
    (void)err;
    *ret = s->synthetic ? synthetic_count(s->synthetic) : reader_count(s->reader);
    return 0;
}

int task_get(struct task_source *s, uint64_t index, struct example *ret, struct err *err)
{
    int rc = s->synthetic ? synthetic_get(s->synthetic, index, ret, err)
                          : reader_get(s->reader, index, ret, err);

    if (rc == 0 && think_prompts(s->prompts))
        think_ask(s->task, ret, s->prompts, s->budget);
    return rc;
}
