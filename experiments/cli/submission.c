/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as a message: every array and message of it lives in one list until the submission is
 * freed; text and digests are the plan's own. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/cli/client.h"

struct submission {
    void **block;
    size_t len, cap;
    const struct plan *plan;
    Drover__Submit submit;
    Drover__Plan message;
};

static void *get(struct submission *s, size_t n, size_t size)
{
    if (s->len == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 256;
        s->block = mem_realloc(s->block, s->cap, sizeof(*s->block));
    }
    return s->block[s->len++] = mem_calloc(n ? n : 1, size);
}

/* A list of N pointers to messages of TYPE, initialised. */
#define LIST(S, TYPE, INIT, N) list(S, N, sizeof(TYPE), &(const TYPE)INIT)
static void *list(struct submission *s, size_t n, size_t size, const void *initial)
{
    void **pointer = get(s, n, sizeof(*pointer));
    char *all = get(s, n, size);

    for (size_t i = 0; i < n; i++) {
        memcpy(all + i * size, initial, size);
        pointer[i] = all + i * size;
    }
    return pointer;
}

static char *text(const char *s)
{
    return (char *)(s ? s : ""); /* protobuf-c has no const; encoding only reads */
}

static uint32_t *numbers(struct submission *s, const struct plan_list *l)
{
    uint32_t *out = get(s, l->len, sizeof(*out));
    if (l->len)
        memcpy(out, l->v, l->len * sizeof(*out));
    return out;
}

/* ---- parameters ---- */

static void put_value(struct submission *s, const struct param_value *v, Drover__Param *to)
{
    switch (v->type) {
    case PARAM_INT:
        to->value_case = DROVER__PARAM__VALUE_I;
        to->i = v->i;
        break;
    case PARAM_REAL:
        to->value_case = DROVER__PARAM__VALUE_R;
        to->r = v->r;
        break;
    case PARAM_BOOL:
        to->value_case = DROVER__PARAM__VALUE_B;
        to->b = v->i != 0;
        break;
    case PARAM_TEXT:
        to->value_case = DROVER__PARAM__VALUE_S;
        to->s = v->s;
        break;
    case PARAM_INTS:
        to->value_case = DROVER__PARAM__VALUE_INTS;
        to->ints = get(s, 1, sizeof(*to->ints));
        drover__int_list__init(to->ints);
        to->ints->n_v = v->len;
        to->ints->v = v->ints;
        break;
    case PARAM_REALS:
        to->value_case = DROVER__PARAM__VALUE_REALS;
        to->reals = get(s, 1, sizeof(*to->reals));
        drover__real_list__init(to->reals);
        to->reals->n_v = v->len;
        to->reals->v = v->reals;
        break;
    case PARAM_TEXTS:
        to->value_case = DROVER__PARAM__VALUE_TEXTS;
        to->texts = get(s, 1, sizeof(*to->texts));
        drover__text_list__init(to->texts);
        to->texts->n_v = v->len;
        to->texts->v = v->texts;
        break;
    case PARAM_TYPES:
        abort();
    }
}

static void put_params(struct submission *s, const struct params *p, Drover__PlanJob *to)
{
    to->n_params = p->len;
    to->params = LIST(s, Drover__Param, DROVER__PARAM__INIT, p->len);
    for (size_t i = 0; i < p->len; i++) {
        to->params[i]->name = p->entry[i].name;
        put_value(s, &p->entry[i].value, to->params[i]);
    }
}

/* ---- jobs ---- */

static void put_input(const struct plan_input *in, Drover__Input *to)
{
    static const Drover__Input__Source sources[] = {
        [PLAN_BLOB] = DROVER__INPUT__SOURCE__BLOB,
        [PLAN_OUTPUT] = DROVER__INPUT__SOURCE__OUTPUT,
        [PLAN_RESULTS] = DROVER__INPUT__SOURCE__RESULTS,
    };

    to->name = text(in->name);
    to->source = sources[in->source];
    to->path = text(in->path);
    to->output = text(in->output);
    to->folder = in->folder;
    if (in->source == PLAN_BLOB) {
        to->digest = wire_bytes(&in->digest);
        to->size = in->size_bytes;
    }
    if (in->source == PLAN_OUTPUT)
        to->producer = in->producer;
}

static void put_job(struct submission *s, const struct plan_job *j, Drover__PlanJob *to)
{
    to->key = wire_bytes(&j->key);
    to->kind = text(j->kind->name);
    to->kind_version = j->kind->version;
    to->numeric_class = text(j->numeric_class);
    to->step = text(j->step);
    to->begin = j->begin;
    to->end = j->end;
    to->seed = j->seed;
    to->retries = j->retries;
    to->cores = j->cores;
    to->memory_mib = j->memory_mib;
    to->n_labels = j->labels_len;
    to->labels = (char **)j->label;
    put_params(s, j->params, to);
    to->n_inputs = j->inputs_len;
    to->inputs = LIST(s, Drover__Input, DROVER__INPUT__INIT, j->inputs_len);
    for (size_t i = 0; i < j->inputs_len; i++)
        put_input(&j->input[i], to->inputs[i]);
    to->n_needs = j->needs.len;
    to->needs = numbers(s, &j->needs);
    to->n_runs = j->runs.len;
    to->runs = numbers(s, &j->runs);
    to->n_families = j->families.len;
    to->families = numbers(s, &j->families);
    if (j->family_examples) {
        to->n_family_examples = j->families.len;
        to->family_examples = j->family_examples;
    }
}

static void put_jobs(struct submission *s)
{
    const struct plan *p = s->plan;

    s->message.n_jobs = p->jobs_len;
    s->message.jobs = LIST(s, Drover__PlanJob, DROVER__PLAN_JOB__INIT, p->jobs_len);
    for (size_t i = 0; i < p->jobs_len; i++)
        put_job(s, &p->job[i], s->message.jobs[i]);
    s->message.n_families = p->families_len;
    s->message.families = LIST(s, Drover__Family, DROVER__FAMILY__INIT, p->families_len);
    for (size_t i = 0; i < p->families_len; i++) {
        Drover__Family *to = s->message.families[i];
        to->key = wire_bytes(&p->family[i].key);
        to->kind = text(p->family[i].kind->name);
        to->task = text(p->family[i].task);
        to->level = p->family[i].level;
        to->split = text(p->family[i].split);
        if (p->family[i].kind->id == KIND_SEARCH)
            to->evaluation = wire_bytes(&p->family[i].evaluation);
    }
}

static void put_run(struct submission *s, const struct plan_run *r, Drover__PlanRun *to)
{
    to->seed = r->seed;
    to->digest = wire_bytes(&r->digest);
    to->params = LIST(s, Drover__RunParam, DROVER__RUN_PARAM__INIT, r->params_len);
    for (size_t i = 0; i < r->params_len; i++) {
        if (!*r->value[i])
            continue; /* a parameter of a step that is no part of the run */
        to->params[to->n_params]->name = text(r->name[i]);
        to->params[to->n_params++]->value = text(r->value[i]);
    }
    to->n_families = r->families_len;
    to->families = LIST(s, Drover__StepFamily, DROVER__STEP_FAMILY__INIT, r->families_len);
    for (size_t i = 0; i < r->families_len; i++) {
        to->families[i]->step = text(r->family[i].step);
        to->families[i]->family = r->family[i].family;
        to->families[i]->examples = r->family[i].examples;
    }
}

static void put_halving(struct submission *s)
{
    const struct plan *p = s->plan;

    s->message.n_gates = p->gates_len;
    s->message.gates = LIST(s, Drover__Gate, DROVER__GATE__INIT, p->gates_len);
    for (size_t i = 0; i < p->gates_len; i++) {
        s->message.gates[i]->run = p->gate[i].run;
        s->message.gates[i]->job = p->gate[i].job;
        s->message.gates[i]->by = p->gate[i].by;
    }
    s->message.n_candidates = p->candidates_len;
    s->message.candidates = LIST(s, Drover__Candidate, DROVER__CANDIDATE__INIT, p->candidates_len);
    for (size_t i = 0; i < p->candidates_len; i++) {
        s->message.candidates[i]->by = p->candidate[i].by;
        s->message.candidates[i]->run = p->candidate[i].run;
        s->message.candidates[i]->candidate = wire_bytes(&p->candidate[i].candidate);
    }
}

/* ---- outside files ---- */

static void put_files(struct submission *s)
{
    const struct plan *p = s->plan;

    s->message.n_files = p->files_len;
    s->message.files = LIST(s, Drover__Input, DROVER__INPUT__INIT, p->files_len);
    for (size_t i = 0; i < p->files_len; i++) {
        Drover__Input *to = s->message.files[i];
        to->digest = wire_bytes(&p->file[i].digest);
        to->size = p->file[i].size_bytes;
        to->path = text(p->file[i].path);
        if (!p->file[i].manifest)
            continue;
        to->folder = true;
        to->content.data = (uint8_t *)text(p->file[i].manifest);
        to->content.len = strlen(p->file[i].manifest);
    }
}

struct submission *submission_new(const struct plan *p)
{
    struct submission *s = mem_calloc(1, sizeof(*s));

    s->plan = p;
    drover__submit__init(&s->submit);
    drover__plan__init(&s->message);
    s->submit.plan = &s->message;
    s->message.name = text(p->name);
    s->message.revision = wire_bytes(&p->revision);
    s->message.recipe = text(p->recipe);
    s->message.recipe_path = text(p->recipe_path);
    s->message.n_runs = p->runs_len;
    s->message.runs = LIST(s, Drover__PlanRun, DROVER__PLAN_RUN__INIT, p->runs_len);
    for (size_t i = 0; i < p->runs_len; i++)
        put_run(s, &p->run[i], s->message.runs[i]);
    put_jobs(s);
    put_halving(s);
    put_files(s);
    s->message.git = text(p->git);
    s->message.prioritised = p->prioritised;
    s->message.priority = p->priority;
    return s;
}

void submission_free(struct submission *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++)
        free(s->block[i]);
    free(s->block);
    free(s);
}

void submission_cleanup(struct submission **s)
{
    submission_free(*s);
}

Drover__Submit *submission_message(struct submission *s)
{
    return &s->submit;
}
