/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tasks/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/tasks/source.h"

static const struct task_spec tasks[] = {
    { "math", TASK_ANSWER, true, 6, 1, 1, "acc",
      "Chains of digits, left to right, with + and - modulo 10, > (larger) and < (smaller)." },
    { "logic", TASK_ANSWER, true, 6, 1, 1, "acc",
      "Follow facts over several hops and name the letter of the entity reached." },
    { "arc_easy", TASK_CHOICE, false, 0, 1, 0, "acc", "ARC-Easy science questions (JSONL file)." },
    { "arc_challenge", TASK_CHOICE, false, 0, 1, 0, "acc",
      "ARC-Challenge science questions (JSONL file)." },
};

static const char *const split_names[] = { "train", "validation", "test", NULL };

struct task_source {
    struct synthetic *synthetic;
    struct arc *arc;
};

const char *split_name(enum split s)
{
    assert((unsigned)s < SPLITS);
    return split_names[s];
}

int split_parse(const char *name, enum split *ret, struct err *err)
{
    for (int i = 0; i < SPLITS; i++)
        if (strcmp(name, split_names[i]) == 0) {
            *ret = (enum split)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "unknown split \"%s\"; one of train, validation, test", name);
}

const struct task_spec *task_at(size_t i)
{
    return i < ARRAY_LEN(tasks) ? &tasks[i] : NULL;
}

const struct task_spec *task_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
        if (strcmp(tasks[i].name, name) == 0)
            return &tasks[i];
    return NULL;
}

void example_release(struct example *e)
{
    free(e->source_id);
    free(e->question);
    free(e->prompt);
    free(e->gold);
    for (size_t i = 0; i < e->choices_len; i++)
        free(e->choice[i]);
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

static int refuse_task(const char *name, struct err *err)
{
    const char *words[ARRAY_LEN(tasks) + 1] = { NULL };

    for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
        words[i] = tasks[i].name;
    const char *near = nearest_find(name, words);
    if (near)
        return err_set(err, ERR_INVALID, "unknown task \"%s\"; did you mean \"%s\"?", name, near);
    return err_set(err, ERR_INVALID,
                   "unknown task \"%s\"; one of math, logic, arc_easy, arc_challenge", name);
}

int task_open(struct task_source **ret, const char *task, int level, enum split split,
              const char *path, struct err *err)
{
    const struct task_spec *t = task_find(task);
    struct task_source source = { 0 };

    if (!t)
        return refuse_task(task, err);
    if (t->synthetic && (level < 1 || level > t->levels))
        return err_set(err, ERR_INVALID, "%s: level %d is out of range 1 to %d", task, level,
                       t->levels);
    if (!t->synthetic && level != 0)
        return err_set(err, ERR_INVALID, "%s has no levels; leave levels out", task);
    if (!t->synthetic && !path)
        return err_set(err, ERR_INVALID, "%s needs the path of its JSONL file", task);
    if (t->synthetic) {
        source.synthetic = synthetic_new(t, level, split);
    } else {
        int rc = arc_open(&source.arc, t, path, err);
        if (rc)
            return rc;
    }
    *ret = mem_dup(&source, sizeof(source));
    return 0;
}

void task_close(struct task_source *s)
{
    if (!s)
        return;
    synthetic_free(s->synthetic);
    arc_close(s->arc);
    free(s);
}

int task_count(struct task_source *s, uint64_t *ret, struct err *err)
{
    (void)err;
    *ret = s->synthetic ? synthetic_count(s->synthetic) : arc_count(s->arc);
    return 0;
}

int task_get(struct task_source *s, uint64_t index, struct example *ret, struct err *err)
{
    return s->synthetic ? synthetic_get(s->synthetic, index, ret, err)
                        : arc_get(s->arc, index, ret, err);
}
