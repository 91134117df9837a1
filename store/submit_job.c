/* SPDX-License-Identifier: Apache-2.0 */
/* submit_job.c - one job of a plan: known or new, what it needs, and whether it has to run
 * (submit.h). */
#include <assert.h>
#include <string.h>

#include "store/gate.h"
#include "store/plain.h"

bool kind_is_search(const char *kind)
{
    return strcmp(kind, "search") == 0;
}

int count_examples(struct store *s, const char *kind, uint64_t family, uint64_t begin, uint64_t end,
                   uint64_t *ret, struct err *err)
{
    struct stmt *st = kind_is_search(kind) ? USE(s, COUNT_LABELS) : USE(s, COUNT_SCORES);
    int64_t n = 0;
    int rc;

    stmt_u64(st, ":family", family);
    stmt_u64(st, ":range_begin", begin);
    stmt_u64(st, ":range_end", end);
    rc = stmt_get(st, &n, err);
    *ret = (uint64_t)n;
    return rc;
}

static int find_job(struct store *s, const struct digest *key, uint64_t *ret, char state[16],
                    struct err *err)
{
    struct stmt *st = USE(s, JOB_FIND);
    int rc;

    *ret = 0;
    state[0] = '\0';
    stmt_digest(st, ":key", key);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    *ret = stmt_col_u64(st, 0);
    stmt_copy_text(st, 1, state, 16);
    stmt_reset(st);
    return 0;
}

int store_job_find(struct store *s, const struct digest *key, uint64_t *ret, struct err *err)
{
    char state[16];

    return find_job(s, key, ret, state, err);
}

int store_job_state(struct store *s, const struct digest *key, char ret_state[16], struct err *err)
{
    uint64_t id;

    return find_job(s, key, &id, ret_state, err);
}

static int set_state(struct store *s, uint64_t job, const char *state, struct err *err)
{
    struct stmt *st = USE(s, JOB_STATE);

    stmt_text(st, ":state", state);
    stmt_u64(st, ":id", job);
    return stmt_run(st, err);
}

/* Has the DONE job an output whose bytes are gone? */
static int outputs_gone(struct store *s, uint64_t job, bool *ret, struct err *err)
{
    struct stmt *st = USE(s, JOB_OUTPUTS);
    int rc;

    *ret = false;
    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0) {
        struct digest d = stmt_col_digest(st, 1);

        if (stmt_col(st, 5) || !blob_present(s, &d, stmt_col_text(st, 4)))
            *ret = true;
    }
    return rc;
}

/* JOB will run: its DONE producers whose output is gone must run again, and so on behind them (the
 * depth is that of the plan). */
static int revive_producers(struct store *s, struct store_submission *sub,
                            const struct store_job_spec *spec, uint64_t job, struct err *err)
{
    struct store_ids done = { 0 };
    struct stmt *st = USE(s, JOB_PRODUCERS_DONE);
    int rc;

    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&done, stmt_col_u64(st, 0));
    for (size_t i = 0; rc == 0 && i < done.len; i++) {
        bool gone = false;

        rc = outputs_gone(s, done.v[i], &gone, err);
        if (rc < 0 || !gone)
            continue;
        rc =
            store_event(s, "blob_gone", done.v[i], 0, "an output is gone: its job runs again", err);
        if (rc == 0)
            rc = revive_producers(s, sub, spec, done.v[i], err);
        if (rc == 0) {
            st = USE(s, DEPENDENTS_WAIT); /* for them it was done */
            stmt_u64(st, ":job", done.v[i]);
            rc = stmt_run(st, err);
        }
        if (rc == 0)
            rc = job_settle(s, done.v[i], spec->priority, spec->retries, err);
        sub->cached -= sub->cached > 0;
        sub->restarted++;
    }
    store_ids_release(&done);
    return rc;
}

static int put_inputs(struct store *s, uint64_t job, const struct store_job_spec *spec,
                      struct err *err)
{
    static const char *const sources[STORE_SOURCES] = { "BLOB", "OUTPUT", "RESULTS" };

    for (size_t i = 0; i < spec->inputs_len; i++) {
        const struct store_input *in = &spec->inputs[i];
        uint64_t blob = 0;
        int rc = 0;
        struct stmt *st;

        if (in->source == STORE_BLOB)
            rc = blob_row(s, &in->digest, in->size_bytes, in->path, in->folder, &blob, err);
        if (rc < 0)
            return rc;
        st = USE(s, JOB_INPUT_PUT);
        stmt_u64(st, ":job", job);
        stmt_u64(st, ":place", i);
        stmt_text(st, ":name", in->name);
        stmt_text(st, ":source", sources[in->source]);
        stmt_u64(st, ":blob", blob);
        stmt_u64(st, ":producer", in->source == STORE_OUTPUT ? in->producer : 0);
        stmt_text(st, ":output", in->source == STORE_OUTPUT ? in->output : NULL);
        rc = stmt_run(st, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int put_need(struct store *s, uint64_t job, uint64_t need, bool gate, struct err *err)
{
    struct stmt *st = USE(s, JOB_NEED_PUT);

    if (need == job)
        return err_set(err, ERR_INVALID, "job %llu needs itself", (unsigned long long)job);
    stmt_u64(st, ":job", job);
    stmt_u64(st, ":need", need);
    stmt_int(st, ":gate", gate);
    return stmt_run(st, err);
}

/* Gates tell better than this need whether the job waits for that select job. */
static bool is_gate(const struct store_job_spec *spec, uint64_t need)
{
    for (size_t i = 0; i < spec->gates_len; i++)
        if (spec->gates[i].by == need)
            return true;
    return false;
}

/* What must be DONE first. Set anew when a waiting or failed job is submitted again: with another
 * shard size a collect job (same key) waits for other shards. */
static int put_needs(struct store *s, uint64_t job, const struct store_job_spec *spec,
                     struct err *err)
{
    struct stmt *st = USE(s, JOB_NEED_CLEAR);
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_run(st, err);
    for (size_t i = 0; rc == 0 && i < spec->needs_len; i++)
        rc = put_need(s, job, spec->needs[i], is_gate(spec, spec->needs[i]), err);
    for (size_t i = 0; rc == 0 && i < spec->inputs_len; i++) {
        if (spec->inputs[i].source == STORE_OUTPUT)
            rc = put_need(s, job, spec->inputs[i].producer, false, err);
    }
    return rc;
}

static int put_families(struct store *s, uint64_t job, const struct store_job_spec *spec,
                        struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < spec->families_len; i++) {
        struct stmt *st = USE(s, JOB_FAMILY_PUT);

        stmt_u64(st, ":job", job);
        stmt_u64(st, ":place", i);
        stmt_u64(st, ":family", spec->families[i].family);
        stmt_u64(st, ":examples", spec->families[i].examples);
        rc = stmt_run(st, err);
    }
    return rc;
}

/* *RET: its id; 0: a job with its key is there already. */
static int put_job(struct store *s, const struct store_submission *sub,
                   const struct store_job_spec *spec, const char *state, uint64_t *ret,
                   struct err *err)
{
    struct stmt *st = USE(s, JOB_PUT);
    bool known;
    int rc;

    stmt_digest(st, ":key", &spec->key);
    stmt_text(st, ":kind", spec->kind);
    stmt_int(st, ":kind_version", spec->kind_version);
    stmt_text(st, ":class", spec->numeric_class);
    stmt_text(st, ":step", spec->step);
    stmt_text(st, ":state", state);
    stmt_int(st, ":priority", spec->priority);
    stmt_u64(st, ":seed", spec->seed);
    stmt_u64(st, ":range_begin", spec->begin);
    stmt_u64(st, ":range_end", spec->end);
    stmt_int(st, ":retries", spec->retries);
    stmt_bytes(st, ":params", spec->params, spec->params_len);
    stmt_text(st, ":params_text", spec->params_text ? spec->params_text : "");
    stmt_int(st, ":now", store_now());
    stmt_u64(st, ":owner", sub->experiment);
    stmt_int(st, ":cores", spec->cores);
    stmt_u64(st, ":memory_mib", spec->memory_mib);
    stmt_text(st, ":labels", spec->labels ? spec->labels : "");
    rc = stmt_insert(st, &known, err);
    *ret = rc == 0 && !known ? stmt_inserted(st) : 0;
    if (rc == 0 && !known)
        rc = put_inputs(s, *ret, spec, err);
    return rc == 0 && !known ? put_families(s, *ret, spec, err) : rc;
}

static int check_spec(const struct store_job_spec *spec, struct err *err)
{
    if (spec->begin > spec->end)
        return err_set(err, ERR_INVALID, "job of step %s: examples %llu..%llu", spec->step,
                       (unsigned long long)spec->begin, (unsigned long long)spec->end);
    if (spec->end > 0 && spec->families_len != 1)
        return err_set(err, ERR_INVALID, "job of step %s: a shard has one family, not %zu",
                       spec->step, spec->families_len);
    for (size_t i = 0; i < spec->inputs_len; i++) {
        if ((unsigned)spec->inputs[i].source >= STORE_SOURCES)
            return err_set(err, ERR_INVALID, "job of step %s: input %s has source %d", spec->step,
                           spec->inputs[i].name, (int)spec->inputs[i].source);
    }
    return 0;
}

/* A job that has to run, new or not. A new shard whose examples other shards left behind is done
 * before it starts. *RET_STATE: in, what it was; out, what it is. */
static int settle(struct store *s, struct store_submission *sub, const struct store_job_spec *spec,
                  uint64_t job, const char **ret_state, struct err *err)
{
    /* A READY one may be running: what it needed is there. */
    const bool was_ready = strcmp(*ret_state, "READY") == 0;
    uint64_t have = 0;
    int rc = 0;

    if (spec->end > spec->begin)
        rc = count_examples(s, spec->kind, spec->families[0].family, spec->begin, spec->end, &have,
                            err);
    if (rc == 0 && spec->end > spec->begin && have == spec->end - spec->begin) {
        *ret_state = "DONE";
        return set_state(s, job, "DONE", err);
    }
    if (rc == 0 && !was_ready)
        rc = put_needs(s, job, spec, err);
    if (rc == 0)
        rc = revive_producers(s, sub, spec, job, err);
    *ret_state = was_ready && spec->gates_len > 0 ? "READY" : "";
    if (rc == 0)
        rc = gate_restart(s, job, spec->priority, spec->retries, ret_state, err);
    return rc;
}

/* A job of before: an older experiment may want it less now, or another one more. */
static int own(struct store *s, uint64_t job, struct err *err)
{
    struct stmt *st = USE(s, JOB_OWN);

    stmt_u64(st, ":id", job);
    return stmt_run(st, err);
}

static void count(struct store_submission *sub, const char *was, const char *is)
{
    sub->jobs++;
    if (strcmp(is, "DONE") == 0)
        sub->cached++;
    else if (strcmp(is, "SKIPPED") == 0)
        sub->skipped++;
    else if (was[0] == '\0')
        sub->added++;
    else if (strcmp(was, "WAITING") == 0 || strcmp(was, "READY") == 0)
        sub->shared++;
    else
        sub->restarted++;
}

enum { FEW_RUNS = 64 }; /* each is compared with each */

/* A job that waits for nothing: READY from the start. */
static bool is_straight(const struct store_job_spec *spec)
{
    for (size_t i = 0; i < spec->inputs_len; i++)
        if (spec->inputs[i].source == STORE_OUTPUT)
            return false;
    return spec->runs_len <= FEW_RUNS && spec->needs_len == 0 && spec->gates_len == 0 &&
           spec->candidates_len == 0 && spec->end == 0;
}

/* The claims of a new job that is READY. */
static void claim_new(struct store *s, uint64_t job, const struct store_job_spec *spec)
{
    for (size_t i = 0; i < spec->runs_len; i++) {
        size_t k = 0;

        while (k < i && spec->runs[k] != spec->runs[i])
            k++;
        if (k == i) /* else RUNS names it twice */
            plain_claim(s, spec->runs[i], job, spec->step);
    }
}

static int submit(struct store *s, struct store_submission *sub, const struct store_job_spec *spec,
                  uint64_t job, uint64_t *ret_job, struct err *err)
{
    char was[16] = "";
    const char *is = was;
    bool decided = true;
    int rc = 0;

    *ret_job = job;
    if (job == 0) {
        sub->joined = true;
        rc = find_job(s, &spec->key, ret_job, was, err);
    }
    if (rc == 0)
        rc = gate_put_claims(s, *ret_job, spec, err);
    if (rc == 0 && spec->candidates_len > 0)
        rc = select_put_candidates(s, *ret_job, was, spec, &decided, err);
    if (rc == 0 && (strcmp(was, "DONE") != 0 || !decided)) {
        rc = settle(s, sub, spec, *ret_job, &is, err);
        if (rc == 0 && job == 0)
            rc = own(s, *ret_job, err);
    }
    if (rc == 0)
        count(sub, was, is);
    return rc;
}

static int submit_new(struct store *s, struct store_submission *sub,
                      const struct store_job_spec *spec, uint64_t *ret_job, struct err *err)
{
    uint64_t job;
    int rc = put_job(s, sub, spec, "WAITING", &job, err);

    return rc < 0 ? rc : submit(s, sub, spec, job, ret_job, err);
}

int store_submit_job(struct store *s, struct store_submission *sub,
                     const struct store_job_spec *spec, uint64_t *ret_job, struct err *err)
{
    int rc = item_check(s, err);

    if (rc == 0)
        rc = check_spec(spec, err);
    if (rc < 0)
        return rc;
    if (is_straight(spec)) { /* with a savepoint for each a million of them cost twice as much */
        rc = put_job(s, sub, spec, "READY", ret_job, err);
        if (rc == 0 && *ret_job > 0) {
            claim_new(s, *ret_job, spec);
            count(sub, "", "READY");
        }
        if (rc < 0 || *ret_job > 0)
            return rc;
    }
    sub->joined = sub->joined || spec->gates_len > 0 || spec->candidates_len > 0;
    rc = item_begin(s, err);
    return rc < 0 ? rc : item_end(s, submit_new(s, sub, spec, ret_job, err), err);
}
