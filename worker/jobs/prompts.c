/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/prompts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/tasks/task.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/question.h"

/* A row that is wanted, and where its prompt goes. */
struct wish {
    uint32_t family;
    uint64_t index;
    size_t row, to;
};

struct prompter {
    struct job *job;
    const struct label_set *s;
    struct wish *wish; /* [n], by family, then index */
    size_t n;
    prompts_fn fn;
    void *arg;
    const struct task_spec *task; /* of the family */
};

static int by_place(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;

    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static int open_task(struct prompter *p, const struct label_family *f, struct task_source **ret,
                     struct err *err)
{
    const struct job_services *s = p->job->services;
    struct task_query q = { .task = f->task, .level = (int)f->level, .fewshot = (int)f->fewshot };
    char path[PATH_MAX] = "", input[LABEL_TASK_BYTES + 16];
    int rc = task_must_find(f->task, &p->task, err);

    rc = rc ? rc : split_parse(f->split, &q.split, err);
    rc = rc ? rc : task_prompts_parse(f->prompts, &q.prompts, err);
    if (rc == 0 && !p->task->synthetic) {
        (void)snprintf(input, sizeof(input), "task_file.%s", f->task);
        rc = s->input(s->arg, input, path, sizeof(path), err);
        if (rc == ERR_NOT_FOUND)
            rc = s->input(s->arg, "task_file", path, sizeof(path), err);
        q.path = path;
    }
    rc = rc ? rc : task_open(ret, &q, err);
    return rc ? err_wrap(err, rc, "prompts of %s", f->task) : 0;
}

static int read_one(struct prompter *p, struct task_source *source, const struct wish *w,
                    struct err *err)
{
    const struct label_row *row = &p->s->row[w->row];
    const struct label_family *f = &p->s->family[w->family];
    struct example e = { 0 };
    int rc = task_get(source, w->index, &e, err);

    if (rc)
        return rc;
    if (e.id != row->id)
        rc = err_set(err, ERR_INVALID,
                     "example %" PRIu64 " of %s (%s) is %016" PRIx64 " now, and was %016" PRIx64
                     " when its label was made: the task's file or generator has changed; make the "
                     "labels again",
                     w->index, f->task, f->split, e.id, row->id);
    rc = rc ? rc : p->fn(p->arg, w->to, &e, p->task, err);
    example_release(&e);
    progress_tick(p->job->progress);
    return rc;
}

/* The wishes from FIRST on that are of one family. */
static int read_family(struct prompter *p, size_t first, size_t *ret_end, struct err *err)
{
    struct task_source *source = NULL;
    size_t i = first;
    int rc = open_task(p, &p->s->family[p->wish[first].family], &source, err);

    for (; rc == 0 && i < p->n && p->wish[i].family == p->wish[first].family; i++) {
        if (progress_stopped(p->job->progress))
            rc = err_set(err, ERR_CANCELLED, "stopped at prompt %zu of %zu", i, p->n);
        rc = rc ? rc : read_one(p, source, &p->wish[i], err);
    }
    task_close(source);
    *ret_end = i;
    return rc;
}

int prompts_each(struct job *j, const struct label_set *s, const size_t *at, size_t n,
                 prompts_fn fn, void *arg, struct err *err)
{
    struct wish *wish CLEANUP(mem_cleanup) = mem_calloc(n + 1, sizeof(*wish));
    struct prompter p = { .job = j, .s = s, .wish = wish, .n = n, .fn = fn, .arg = arg };
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        const struct label_row *row = &s->row[at[i]];

        wish[i] = (struct wish){ row->family, row->index, at[i], i };
    }
    qsort(wish, n, sizeof(*wish), by_place);
    for (size_t i = 0; rc == 0 && i < n;)
        rc = read_family(&p, i, &i, err);
    return rc;
}

/* ---- as tokens ------------------------------------------------------------------------------ */

struct encoder {
    const struct model *m;
    const char *model_name;
    struct means_example *e;
};

/* The router's prompt of Q. */
static void take_tokens(const struct question *q, struct means_example *to)
{
    const uint32_t *tokens = q->prompt;
    size_t rows = q->prompt_len;

    if (q->form != QUESTION_TEXT) {
        tokens = q->part[0].tokens;
        rows =
            q->part[0].logits_from + 1; /* up to the row that predicts the answer's first token */
    }
    to->tokens = mem_dup(tokens, rows * sizeof(*tokens));
    to->rows = rows;
}

static int encode(void *arg, size_t i, struct example *e, const struct task_spec *task,
                  struct err *err)
{
    struct encoder *k = arg;
    struct question q;
    int rc = question_make(&q, k->m, k->model_name, e, 0, true, err);

    (void)task;
    if (rc)
        return rc;
    take_tokens(&q, &k->e[i]);
    question_release(&q);
    return 0;
}

int prompts_read(struct job *j, const struct model *m, const struct label_set *s, const size_t *at,
                 size_t n, struct means_example *e, struct err *err)
{
    struct encoder k = { .m = m, .model_name = job_input_name(j, "model"), .e = e };

    if (!m->tok)
        return err_set(err, ERR_INVALID, "%s has no tokenizer", k.model_name);
    return prompts_each(j, s, at, n, encode, &k, err);
}
