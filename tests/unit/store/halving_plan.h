/* SPDX-License-Identifier: Apache-2.0 */
/* halving_plan.h - a chain of rungs over a few candidates and seeds, submitted with halving or
 * without:
 *   rung 0 -> halving.0 -> rung 1 -> halving.1 -> rung 2
 * Job (rung, candidate, seed) reads the model of the rung before; the last seed of candidates 0 and
 * 1 has one rung-0 job in common. */
#ifndef TESTS_UNIT_STORE_HALVING_PLAN_H
#define TESTS_UNIT_STORE_HALVING_PLAN_H

#include "store/store_private.h"
#include "tests/unit/store/small_plan.h"

enum { RUNGS = 3, HALVED = 4, SEEDED = 2, POINTS = HALVED * SEEDED };

struct halving {
    struct store_submission sub;
    uint64_t run[POINTS], job[RUNGS][POINTS], select[RUNGS - 1];
};

struct halving_options {
    const char *name; /* of the experiment */
    bool plain;       /* no halving: every run goes all the way */
    bool nearest;     /* gates of the rung in front alone; select jobs have none */
    unsigned without; /* bit C: candidate C is not among the points */
    struct store_ids *withdrawn;
};

/* As job_state(), of jobs whose inputs are not made yet too. */
static inline const char *state_of(struct store *s, uint64_t job, char out[16])
{
    struct stmt st;

    OK(stmt_prepare(&st, s->db, "SELECT state FROM job WHERE id = :id", NULL, err));
    stmt_u64(&st, ":id", job);
    assert_int_equal(stmt_step(&st, NULL), 1);
    stmt_copy_text(&st, 0, out, 16);
    stmt_release(&st);
    return out;
}

static inline struct digest candidate_of(unsigned candidate)
{
    char name[32];

    snprintf(name, sizeof name, "candidate %u", candidate);
    return key_of(name);
}

static inline unsigned candidate_at(unsigned point)
{
    return point / SEEDED;
}

/* Points that share a job are one in RUNG. */
static inline unsigned job_at(unsigned rung, unsigned point)
{
    return rung == 0 && point == 2 * SEEDED - 1 ? SEEDED - 1 : point;
}

static inline bool without(struct halving_options o, unsigned point)
{
    return (o.without >> candidate_at(point)) & 1;
}

static inline void halving_select(struct store *s, struct halving_options o, unsigned rung,
                                  struct halving *h)
{
    struct store_input results = { .name = "results", .source = STORE_RESULTS };
    struct store_candidate candidates[POINTS];
    struct store_gate gates[POINTS];
    uint64_t needs[POINTS + 1], runs[POINTS];
    struct store_job_spec spec = { .kind = "select",
                                   .numeric_class = "packed-1",
                                   .step = rung ? "halving.1" : "halving.0",
                                   .kind_version = 1,
                                   .params_text = "keep = 0.5\nmeasure = \"reward\"\n",
                                   .inputs = &results,
                                   .inputs_len = 1,
                                   .needs = needs,
                                   .runs = runs,
                                   .gates = gates,
                                   .candidates = candidates };
    char name[64];

    snprintf(name, sizeof name, "select %u %u", rung, o.without);
    spec.key = key_of(name);
    for (unsigned p = 0; p < POINTS; p++) {
        if (without(o, p))
            continue;
        needs[spec.needs_len++] = h->job[rung][p];
        runs[spec.runs_len++] = h->run[p];
        candidates[spec.candidates_len++] =
            (struct store_candidate){ h->run[p], candidate_of(candidate_at(p)) };
        if (rung > 0 && !o.nearest)
            gates[spec.gates_len++] = (struct store_gate){ h->run[p], h->select[rung - 1] };
    }
    if (rung > 0)
        needs[spec.needs_len++] = h->select[rung - 1];
    OK(store_submit_job(s, &h->sub, &spec, &h->select[rung], err));
}

static inline void halving_rung(struct store *s, struct halving_options o, unsigned rung,
                                struct halving *h)
{
    for (unsigned p = 0; p < POINTS; p++) {
        struct store_input model = { .name = "model", .source = STORE_OUTPUT, .output = "model" };
        struct store_job_spec spec = { .kind = "noop",
                                       .numeric_class = "packed-1",
                                       .step = "rung",
                                       .kind_version = 1,
                                       .params_text = "" };
        struct store_gate gates[2 * RUNGS];
        uint64_t runs[2];
        char name[64];

        if (without(o, p))
            continue;
        if (job_at(rung, p) != p && !without(o, job_at(rung, p))) {
            h->job[rung][p] = h->job[rung][job_at(rung, p)];
            continue;
        }
        snprintf(name, sizeof name, "job %u %u", rung, job_at(rung, p));
        spec.key = key_of(name);
        for (unsigned q = p; q < POINTS; q++)
            if (job_at(rung, q) == job_at(rung, p) && !without(o, q))
                runs[spec.runs_len++] = h->run[q];
        spec.runs = runs;
        if (rung > 0) {
            model.producer = h->job[rung - 1][p];
            spec.inputs = &model;
            spec.inputs_len = 1;
        }
        for (unsigned k = o.nearest && rung > 0 ? rung - 1 : 0; k < rung && !o.plain; k++)
            gates[spec.gates_len++] = (struct store_gate){ h->run[p], h->select[k] };
        spec.gates = gates;
        spec.needs = &h->select[o.nearest && rung > 0 ? rung - 1 : 0];
        spec.needs_len = rung > 0 && !o.plain;
        OK(store_submit_job(s, &h->sub, &spec, &h->job[rung][p], err));
    }
}

static inline void submit_halving(struct store *s, struct halving_options o, struct halving *h)
{
    char text[64];

    *h = (struct halving){ 0 };
    snprintf(text, sizeof text, "revision %d %u", o.plain, o.without);
    struct digest revision = key_of(text);
    OK(store_submit_begin(s, o.name, &revision, "recipe", "x.cfg", &h->sub, err));
    for (unsigned p = 0; p < POINTS; p++) {
        snprintf(text, sizeof text, "point %u", p);
        struct digest point = key_of(text);
        if (!without(o, p))
            OK(store_submit_run(s, &h->sub, &point, p % SEEDED + 1, NULL, 0, &h->run[p], err));
    }
    for (unsigned rung = 0; rung < RUNGS; rung++) {
        halving_rung(s, o, rung, h);
        if (rung + 1 < RUNGS && !o.plain)
            halving_select(s, o, rung, h);
    }
    OK(store_submit_end(s, &h->sub, o.withdrawn, err));
}

/* End JOB in a transaction of its own: DONE with one output and the metric reward, or DIVERGED, or
 * FAILED for good. */
static inline void end_job(struct store *s, uint64_t job, enum store_outcome outcome,
                           const char *output, const char *bytes, double reward,
                           struct store_ids *ready)
{
    struct store_metric metric = { "reward", 3, reward };
    struct store_output out = { .name = output, .size_bytes = strlen(bytes) };
    struct store_result r = { .outcome = outcome, .metrics = &metric, .metrics_len = 1 };
    enum store_verdict verdict;

    begin(s);
    struct try t = start(s, job);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    if (outcome == STORE_DONE) {
        OK(blobs_put(store_blobs(s), bytes, strlen(bytes), &out.digest, err));
        r.outputs = &out;
        r.outputs_len = 1;
    }
    if (outcome == STORE_FAILED) {
        OK(store_attempt_end(s, &r, true, NULL, err));
    } else {
        OK(store_job_done(s, &r, &verdict, ready, err));
        assert_int_equal(verdict, STORE_STORED);
    }
    commit(s);
}

/* The survivors of a select job: the first lines of what it reads, by a rule of the test's. */
static inline void decide(struct store *s, uint64_t job, unsigned keep_mask,
                          struct store_ids *ready)
{
    struct buf text = { 0 };
    char hex[DIGEST_HEX];

    for (unsigned c = 0; c < HALVED; c++) {
        struct digest d = candidate_of(c);

        if ((keep_mask >> c) & 1)
            buf_printf(&text, "{\"candidate\":\"%s\"}\n", digest_hex(&d, hex));
    }
    end_job(s, job, STORE_DONE, "survivors", buf_str(&text), 0, ready);
    buf_release(&text);
}

#endif
