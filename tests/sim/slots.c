/* SPDX-License-Identifier: Apache-2.0 */
/* slots.c - what the slots of a worker do: each takes the next waiting lease by itself, works
 * through its examples or steps in virtual time, and posts what happened; the agent hears of it a
 * moment later, as the real one does of its threads. */
#include "tests/sim/sim.h"

enum { DIES = -1000 }; /* instead of an exit code: the job kills its worker */

static void plan(struct sim *m, uint32_t host, size_t slot, enum sim_event_kind kind,
                 uint64_t after_ms, int code)
{
    struct host *h = &m->host[host];
    h->slot[slot].turn = ++h->turn; /* what was planned for the slot before is void */
    sim_post(
        m,
        (struct sim_event){
            .kind = kind, .host = host, .slot = (uint32_t)slot, .turn = h->turn, .code = code },
        after_ms);
}

/* The agent will hear of it: in a moment, in order, several in one go. */
static void post(struct sim *m, uint32_t host, struct slot_post p)
{
    struct host *h = &m->host[host];
    if (h->posts_len == POSTS_MAX)
        sim_fail(m, "worker %u does not read what its slots post", (unsigned)h->worker);
    h->post[h->posts_len++] = p;
    if (h->posts_len == 1)
        sim_post(m, (struct sim_event){ .kind = SE_POSTED, .host = host, .turn = h->worker },
                 m->conf.steady ? 0 : rng_below(&m->rng, 3));
}

/* The exit code of a job that ran through. */
static int ending(struct sim *m, uint32_t job)
{
    static const int codes[] = { ERR_INTERNAL, ERR_NOMEM, ERR_TIMEOUT };
    const struct job_spec *spec = &m->spec[job];
    uint32_t spent = m->oracle.job[job].spent;
    if (spent < spec->fails) {
        m->fired[F_FAIL] = true;
        return codes[spent % ARRAY_LEN(codes)];
    }
    return spec->diverges ? ERR_DIVERGED : 0;
}

/* Upload what the job has, and say so; while the coordinator is away the upload waits for it. */
static void save(struct sim *m, uint32_t host, size_t slot)
{
    struct host_slot *x = &m->host[host].slot[slot];

    if (!m->coord.up || m->coord.full_until_ms > m->now_ms) {
        plan(m, host, slot, SE_SAVE, 50, 0);
        return;
    }
    m->db.files[x->job] |= 1ull << x->step;
    if (m->faults_on && sim_chance(m, m->conf.kill / 3)) {
        m->fired[F_ORPHAN] = true;
        host_kill(m, host); /* before anybody hears of it */
        return;
    }
    x->waits = x->saves = true;
    post(m, host, (struct slot_post){ .kind = AGENT_EV_EXAMPLE, .slot = slot, .held = x->held });
}

/* The next step of training, a checkpoint, or the end. */
static void train(struct sim *m, uint32_t host, size_t slot, uint64_t ms)
{
    struct host_slot *x = &m->host[host].slot[slot];
    const struct job_spec *spec = &m->spec[x->job];
    bool due = x->step - x->saved >= spec->every && x->step < spec->steps;

    if (x->step > x->saved && (x->drain || (due && !x->stop)))
        plan(m, host, slot, SE_SAVE, 1, 0);
    else if (x->stop)
        plan(m, host, slot, SE_FINISH, sim_about(m, 20), ERR_CANCELLED);
    else if (x->step == spec->steps || (ending(m, x->job) < 0 && x->saved))
        plan(m, host, slot, SE_FINISH, 1, ending(m, x->job));
    else if (spec->poison)
        plan(m, host, slot, SE_FINISH, ms, DIES);
    else
        plan(m, host, slot, SE_COMPUTED, x->hung ? 4 * LEASE_MS : ms, 0);
}

/* The next example, or the end. */
static void go_on(struct sim *m, uint32_t host, size_t slot)
{
    struct host_slot *x = &m->host[host].slot[slot];
    const struct job_spec *spec = &m->spec[x->job];
    uint64_t ms = 1 + sim_about(m, spec->work_ms) * m->host[host].speed / 100;
    uint32_t example = 0;

    if (spec->steps > 0) {
        train(m, host, slot, ms);
        return;
    }
    if (x->stop) {
        plan(m, host, slot, SE_FINISH, sim_about(m, 20), ERR_CANCELLED);
        return;
    }
    while (example < spec->examples && (x->done >> example & 1))
        example++;
    x->example = example;
    if (spec->examples > 0 && (example == spec->examples || (ending(m, x->job) < 0 && x->done)))
        plan(m, host, slot, SE_FINISH, 1, ending(m, x->job));
    else if (spec->poison)
        plan(m, host, slot, SE_FINISH, ms, DIES);
    else
        plan(m, host, slot, SE_COMPUTED, x->hung ? 4 * LEASE_MS : ms, 0);
}

static void begin(struct sim *m, uint32_t host, size_t slot, size_t held)
{
    struct host *h = &m->host[host];
    struct host_slot *x = &h->slot[slot];
    struct host_lease *l = &h->lease[held];

    l->ran = true;
    if (h->draining)
        sim_fail(m, "worker %u drains, and begins job %u", (unsigned)h->worker, l->job);
    *x = (struct host_slot){ .busy = true, .held = held, .attempt = l->attempt };
    x->epoch = l->epoch;
    x->job = l->job;
    x->done = l->finished;
    x->begun_ms = m->now_ms;
    if (m->db.files[x->job] >> l->step & 1) /* else it begins at the start */
        x->step = x->saved = l->step;
    m->fired[F_GO_ON] |= x->step > 0;
    oracle_begun(m, x->job);
    x->hung = m->spec[x->job].hangs && l->epoch == 1;
    m->fired[F_HANG] |= x->hung;
    post(m, host, (struct slot_post){ .kind = AGENT_EV_STARTED, .slot = slot, .held = held });
    go_on(m, host, slot);
}

/* Idle slots take what waits. */
void slots_take(struct sim *m, uint32_t host)
{
    struct host *h = &m->host[host];

    for (size_t slot = 0; slot < m->conf.slots; slot++) {
        if (h->slot[slot].busy || h->queue_len == 0)
            continue;
        size_t held = h->queue[0];
        h->queue_len--;
        for (size_t i = 0; i < h->queue_len; i++)
            h->queue[i] = h->queue[i + 1];
        begin(m, host, slot, held);
    }
}

void slots_queue(struct sim *m, uint32_t host, size_t held)
{
    struct host *h = &m->host[host];
    if (h->queue_len == ARRAY_LEN(h->queue))
        sim_fail(m, "worker %u keeps more leases than it has places for", (unsigned)h->worker);
    h->queue[h->queue_len++] = held;
    slots_take(m, host);
    m->fired[F_QUEUED] |= h->queue_len > 0;
}

bool slots_withdraw(struct sim *m, uint32_t host, size_t held)
{
    struct host *h = &m->host[host];

    for (size_t i = 0; i < h->queue_len; i++) {
        if (h->queue[i] != held)
            continue;
        h->queue_len--;
        for (; i < h->queue_len; i++)
            h->queue[i] = h->queue[i + 1];
        m->fired[F_WITHDRAWN] = true;
        return true;
    }
    return false;
}

void slots_stop(struct sim *m, uint32_t host, size_t slot, size_t held, bool drain)
{
    struct host_slot *x = &m->host[host].slot[slot];
    if (!x->busy || x->held != held)
        return; /* it ended meanwhile, and the slot may be at the next one */
    x->stop = true;
    x->drain = drain;
    if (x->waits || x->hung)
        return;
    if (m->spec[x->job].steps > 0)
        train(m, host, slot, 1);
    else
        plan(m, host, slot, SE_FINISH, sim_about(m, 30), ERR_CANCELLED);
}

void slots_end_example(struct sim *m, uint32_t host, size_t slot, int code)
{
    struct host_slot *x = &m->host[host].slot[slot];
    if (!x->waits)
        sim_fail(m, "the agent ends an example that nobody waits for");
    x->waits = false;
    if (x->saves) {
        x->saves = false;
        x->points_acked = code == 0 ? x->points : x->points_acked;
        x->saved = code == 0 ? x->step : x->saved;
        if (code == 0 || code == ERR_NOT_FOUND) /* the file went: once more */
            go_on(m, host, slot);
        else
            plan(m, host, slot, SE_FINISH, sim_about(m, 10), code);
    } else if (code == 0) {
        x->done |= 1u << x->example;
        go_on(m, host, slot);
    } else {
        plan(m, host, slot, SE_FINISH, sim_about(m, 10), code);
    }
}

static void computed(struct sim *m, uint32_t host, size_t slot)
{
    struct host_slot *x = &m->host[host].slot[slot];
    x->hung = false;
    if (m->spec[x->job].steps > 0) {
        m->oracle.job[x->job].computed++;
        x->step++;
        x->points |= 1ull << x->step;
        train(m, host, slot, 1 + sim_about(m, m->spec[x->job].work_ms) * m->host[host].speed / 100);
        return;
    }
    if (x->stop) {
        plan(m, host, slot, SE_FINISH, 1, ERR_CANCELLED);
        return;
    }
    m->oracle.job[x->job].computed++;
    if (m->spec[x->job].examples == 0) {
        plan(m, host, slot, SE_FINISH, 1, ending(m, x->job));
        return;
    }
    x->waits = true;
    post(m, host, (struct slot_post){ .kind = AGENT_EV_EXAMPLE, .slot = slot, .held = x->held });
}

/* Still worth saving? Not when the job is cancelled meanwhile. */
static void go_save(struct sim *m, uint32_t host, size_t slot)
{
    const struct host_slot *x = &m->host[host].slot[slot];

    if (x->stop && !x->drain)
        train(m, host, slot, 1);
    else
        save(m, host, slot);
}

static void finish(struct sim *m, uint32_t host, size_t slot, int code)
{
    struct host *h = &m->host[host];
    struct host_slot *x = &h->slot[slot];
    if (code == DIES) {
        m->fired[F_POISON] = true;
        sim_trace(m, "job=%u kills its worker=%u", x->job, (unsigned)h->worker);
        host_end(m, host);
        return;
    }
    x->busy = false;
    h->lease[x->held].points = x->points;
    post(m, host,
         (struct slot_post){
             .kind = AGENT_EV_FINISHED, .slot = slot, .held = x->held, .code = code });
    slots_take(m, host);
}

void slots_event(struct sim *m, const struct sim_event *e)
{
    const struct host_slot *x = &m->host[e->host].slot[e->slot];

    if (!x->busy || x->turn != e->turn)
        return;
    if (e->kind == SE_COMPUTED)
        computed(m, e->host, e->slot);
    else if (e->kind == SE_SAVE)
        go_save(m, e->host, e->slot);
    else
        finish(m, e->host, e->slot, e->code);
}
