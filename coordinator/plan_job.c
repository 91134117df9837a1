/* SPDX-License-Identifier: Apache-2.0 */
/* plan_job.c - one job of a plan. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/kinds/kinds.h"
#include "common/wire/wire.h"
#include "coordinator/plan_rows.h"
#include "coordinator/shell.h"

int plan_text(char *to, size_t size, const char *from, const char *what, struct err *err)
{
    if (strlen(from) >= size)
        return err_set(err, ERR_INVALID, "%s \"%.100s\" is longer than %zu bytes", what, from,
                       size - 1);
    memcpy(to, from, strlen(from) + 1);
    return 0;
}

static int take_inputs(const Drover__PlanJob *w, const struct plan_rows *p, size_t job,
                       struct store_input *ret, struct err *err)
{
    for (size_t i = 0; i < w->n_inputs; i++) {
        const Drover__Input *in = w->inputs[i];
        int rc = plan_text(ret[i].name, sizeof(ret[i].name), in->name, "input", err);

        if (rc == 0)
            rc = plan_text(ret[i].path, sizeof(ret[i].path), in->path, "path", err);
        if (rc == 0)
            rc = plan_text(ret[i].output, sizeof(ret[i].output), in->output, "output", err);
        if (rc < 0)
            return rc;
        ret[i].source = (enum store_source)in->source;
        ret[i].digest = wire_digest(in->digest);
        ret[i].size_bytes = in->size;
        ret[i].folder = in->folder;
        if (in->source == DROVER__INPUT__SOURCE__BLOB && in->digest.len == 0)
            return err_set(err, ERR_INVALID, "plan.jobs[%zu]: input %s has no digest", job,
                           in->name);
        if (in->source != DROVER__INPUT__SOURCE__OUTPUT)
            continue;
        if (in->producer >= job)
            return err_set(err, ERR_INVALID, "plan.jobs[%zu]: input %s comes from job %u behind it",
                           job, in->name, in->producer);
        ret[i].producer = p->jobs[in->producer];
    }
    return 0;
}

/* Indexes into a list of LEN ids become those ids. */
static int take_ids(const uint32_t *indexes, size_t n, const uint64_t *ids, size_t len,
                    uint64_t *ret, const char *what, size_t job, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (indexes[i] >= len)
            return err_set(err, ERR_INVALID, "plan.jobs[%zu]: no %s %u before it", job, what,
                           indexes[i]);
        ret[i] = ids[indexes[i]];
    }
    return 0;
}

/* X as the value that it is; false: it has none. The value borrows from X. */
static bool param_of_wire(const Drover__Param *x, struct param_value *ret)
{
    switch (x->value_case) {
    case DROVER__PARAM__VALUE_I:
        *ret = (struct param_value){ .type = PARAM_INT, .i = x->i };
        return true;
    case DROVER__PARAM__VALUE_R:
        *ret = (struct param_value){ .type = PARAM_REAL, .r = x->r };
        return true;
    case DROVER__PARAM__VALUE_S:
        *ret = (struct param_value){ .type = PARAM_TEXT, .s = x->s };
        return true;
    case DROVER__PARAM__VALUE_B:
        *ret = (struct param_value){ .type = PARAM_BOOL, .i = x->b };
        return true;
    case DROVER__PARAM__VALUE_TEXTS:
        *ret =
            (struct param_value){ .type = PARAM_TEXTS, .texts = x->texts->v, .len = x->texts->n_v };
        return true;
    case DROVER__PARAM__VALUE_INTS:
        *ret = (struct param_value){ .type = PARAM_INTS, .ints = x->ints->v, .len = x->ints->n_v };
        return true;
    case DROVER__PARAM__VALUE_REALS:
        *ret =
            (struct param_value){ .type = PARAM_REALS, .reals = x->reals->v, .len = x->reals->n_v };
        return true;
    case DROVER__PARAM__VALUE__NOT_SET:
    case _DROVER__PARAM__VALUE__CASE_IS_INT_SIZE:
        break;
    }
    return false;
}

/* For people, as recipes say it: numbers are the shortest texts that read back as the same. */
static void print_params(const Drover__PlanJob *w, struct buf *out)
{
    for (size_t i = 0; i < w->n_params; i++) {
        struct param_value v;

        buf_printf(out, "%s = ", w->params[i]->name);
        if (param_of_wire(w->params[i], &v))
            param_print(&v, out);
        buf_addc(out, '\n');
    }
}

struct job_parts {
    struct store_input inputs[WIRE_INPUTS_MAX];
    uint64_t *needs, *runs, *families;
    struct store_job_family *job_families;
    struct store_gate *gates;
    struct store_candidate *candidates;
    size_t gates_len, candidates_len;
    struct buf params, text, labels;
};

static void job_parts_release(struct job_parts *j)
{
    free(j->needs);
    free(j->runs);
    free(j->families);
    free(j->job_families);
    free(j->gates);
    free(j->candidates);
    buf_release(&j->params);
    buf_release(&j->text);
    buf_release(&j->labels);
}

static void take_gates(const Drover__Plan *plan, const struct plan_rows *p, size_t i,
                       struct job_parts *j)
{
    const struct gates_by_job *gate = &p->gates.gate, *candidate = &p->gates.candidate;

    j->gates_len = gates_len(gate, i);
    j->gates = mem_calloc(MAX(j->gates_len, (size_t)1), sizeof(*j->gates));
    for (size_t k = 0; k < j->gates_len; k++) {
        const Drover__Gate *w = plan->gates[gate->at[gate->begin[i] + k]];

        j->gates[k] = (struct store_gate){ p->runs[w->run], p->jobs[w->by] };
    }
    j->candidates_len = gates_len(candidate, i);
    j->candidates = mem_calloc(MAX(j->candidates_len, (size_t)1), sizeof(*j->candidates));
    for (size_t k = 0; k < j->candidates_len; k++) {
        const Drover__Candidate *w = plan->candidates[candidate->at[candidate->begin[i] + k]];

        j->candidates[k] = (struct store_candidate){ p->runs[w->run], wire_digest(w->candidate) };
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a worker must have, as the store keeps it: sorted words, each once. */
static int take_labels(const Drover__PlanJob *w, size_t i, struct buf *ret, struct err *err)
{
    const char *before = "";

    if (w->n_labels > 0) /* the message's own array: nobody reads it after this */
        qsort(w->labels, w->n_labels, sizeof(w->labels[0]), by_text);
    for (size_t k = 0; k < w->n_labels; k++) {
        const char *label = w->labels[k];
        if (label[0] == '\0' || label[strcspn(label, " \t\r\n")] != '\0')
            return err_set(err, ERR_INVALID, "plan.jobs[%zu].labels[%zu]: \"%s\" is no word", i, k,
                           label);
        if (strcmp(label, before) != 0)
            buf_printf(ret, "%s%s", ret->len > 0 ? " " : "", label);
        before = label;
    }
    return 0;
}

static int take_job(const Drover__Plan *plan, const struct plan_rows *p, size_t i,
                    struct job_parts *j, struct err *err)
{
    const Drover__PlanJob *w = plan->jobs[i];
    int rc;

    if (w->n_family_examples != 0 && w->n_family_examples != w->n_families)
        return err_set(err, ERR_INVALID, "plan.jobs[%zu]: %zu family_examples for %zu families", i,
                       w->n_family_examples, w->n_families);
    j->needs = mem_calloc(w->n_needs, sizeof(*j->needs));
    j->runs = mem_calloc(w->n_runs, sizeof(*j->runs));
    j->families = mem_calloc(w->n_families, sizeof(*j->families));
    j->job_families = mem_calloc(w->n_families, sizeof(*j->job_families));
    rc = take_inputs(w, p, i, j->inputs, err);
    if (rc == 0)
        rc = take_labels(w, i, &j->labels, err);
    if (rc == 0)
        rc = take_ids(w->needs, w->n_needs, p->jobs, i, j->needs, "job", i, err);
    if (rc == 0)
        rc = take_ids(w->runs, w->n_runs, p->runs, plan->n_runs, j->runs, "run", i, err);
    if (rc == 0)
        rc = take_ids(w->families, w->n_families, p->families, plan->n_families, j->families,
                      "family", i, err);
    for (size_t k = 0; k < w->n_families && rc == 0; k++)
        j->job_families[k] =
            (struct store_job_family){ j->families[k],
                                       w->n_family_examples ? w->family_examples[k] : 0 };
    take_gates(plan, p, i, j);
    lease_pack_params(w->params, w->n_params, &j->params);
    print_params(w, &j->text);
    return rc;
}

int plan_job_put(struct store *s, const Drover__Plan *plan, struct plan_rows *p, size_t i,
                 struct err *err)
{
    const Drover__PlanJob *w = plan->jobs[i];
    struct job_parts j CLEANUP(job_parts_release) = { 0 };
    struct store_job_spec spec = { .key = wire_digest(w->key) };
    int rc = take_job(plan, p, i, &j, err);

    if (rc < 0)
        return rc;
    spec.kind = w->kind;
    spec.numeric_class = w->numeric_class;
    spec.step = w->step;
    spec.kind_version = w->kind_version;
    spec.params = buf_str(&j.params);
    spec.params_len = j.params.len;
    spec.params_text = buf_str(&j.text);
    spec.begin = w->begin;
    spec.end = w->end;
    spec.seed = w->seed;
    spec.retries = w->retries;
    spec.cores = w->cores;
    spec.memory_mib = w->memory_mib;
    spec.labels = j.labels.len > 0 ? buf_str(&j.labels) : NULL;
    spec.inputs = j.inputs;
    spec.inputs_len = w->n_inputs;
    spec.needs = j.needs;
    spec.needs_len = w->n_needs;
    spec.runs = j.runs;
    spec.runs_len = w->n_runs;
    spec.families = j.job_families;
    spec.families_len = w->n_families;
    spec.gates = j.gates;
    spec.gates_len = j.gates_len;
    spec.candidates = j.candidates;
    spec.candidates_len = j.candidates_len;
    rc = store_submit_job(s, &p->sub, &spec, &p->jobs[i], err);
    return rc < 0 ? err_wrap(err, rc, "plan.jobs[%zu]", i) : 0;
}
