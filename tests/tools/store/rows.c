/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - what all parts use: chance, statements, jobs and their attempts. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "tests/tools/store/make.h"

void make_must(int rc, const struct err *err, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "drover-make-store: %s: %s\n", what, err->text);
    exit(1);
}

void make_say(const struct make *m, const char *format, ...)
{
    va_list args;

    if (m->quiet)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

uint64_t make_mix(const struct make *m, const char *purpose, uint64_t a, uint64_t b)
{
    uint64_t h = m->seed;

    for (const char *p = purpose; *p; p++)
        h = (h ^ (uint8_t)*p) * 1099511628211u;
    return mix(mix(mix(h) ^ a) ^ b);
}

double make_uniform(uint64_t *state)
{
    *state = mix(*state);
    return (double)(*state >> 11) * 0x1p-53;
}

/* Twelve uniforms: near enough. */
double make_normal(uint64_t *state)
{
    double sum = -6.0;

    for (int i = 0; i < 12; i++)
        sum += make_uniform(state);
    return sum;
}

/* Four words of a mixer are as good as a hash here, and ten million are wanted. */
void make_digest(const struct make *m, const char *purpose, uint64_t a, struct digest *ret)
{
    for (size_t i = 0; i < DIGEST_BYTES / 8; i++) {
        uint64_t v = make_mix(m, purpose, a, i);

        memcpy(ret->b + 8 * i, &v, 8);
    }
}

/* ---- statements ---- */

static struct {
    const char *sql;
    struct stmt st;
} kept[32];

struct stmt *make_stmt(struct make *m, const char *sql)
{
    struct err err = { 0 };
    size_t i = 0;

    while (i < ARRAY_LEN(kept) && kept[i].sql && kept[i].sql != sql)
        i++;
    if (i == ARRAY_LEN(kept)) {
        fprintf(stderr, "drover-make-store: too many statements\n");
        exit(1);
    }
    if (!kept[i].sql) {
        make_must(stmt_prepare(&kept[i].st, m->db, sql, NULL, &err), &err, sql);
        kept[i].sql = sql;
    }
    return &kept[i].st;
}

void make_run_stmt(struct stmt *st)
{
    struct err err = { 0 };

    make_must(stmt_run(st, &err), &err, "a row");
}

void make_release_stmts(void)
{
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (kept[i].sql)
            stmt_release(&kept[i].st);
        kept[i].sql = NULL;
    }
}

/* ---- attempts and jobs ---- */

void make_attempt(struct make *m, struct make_attempt *a, double seconds)
{
    static const char sql[] =
        "INSERT INTO attempt (id, job, epoch, worker, incarnation, outcome, started_ms, ended_ms, "
        "wall_ms, cpu_ms, text) VALUES (:id, :job, :epoch, :worker, 1, :outcome, :started, :ended, "
        ":wall, :cpu, :text)";
    struct stmt *st = make_stmt(m, sql);
    uint64_t h = make_mix(m, "gap", a->job, a->epoch);

    m->lane = (m->lane + 1) % ARRAY_LEN(m->free_ms);
    a->id = ++m->next_attempt;
    a->wall_ms = (uint64_t)(seconds * 1000.0);
    a->worker = m->lane / MAKE_SLOTS + 1;
    a->started_ms = m->free_ms[m->lane] + (int64_t)(h % 400);
    a->ended_ms = a->started_ms + (int64_t)a->wall_ms + (int64_t)(h >> 20 & 15);
    m->free_ms[m->lane] = a->ended_ms;
    stmt_reset(st);
    stmt_u64(st, ":id", a->id);
    stmt_u64(st, ":job", a->job);
    stmt_int(st, ":epoch", a->epoch);
    stmt_u64(st, ":worker", a->worker);
    stmt_text(st, ":outcome", a->outcome);
    stmt_int(st, ":started", a->started_ms);
    stmt_int(st, ":ended", a->ended_ms);
    stmt_u64(st, ":wall", a->wall_ms);
    stmt_u64(st, ":cpu", a->wall_ms - a->wall_ms / 16);
    stmt_text(st, ":text", a->text);
    make_run_stmt(st);
}

void make_log(struct make *m, const struct make_attempt *a, const char *text)
{
    struct stmt *st = make_stmt(m, "INSERT INTO log (attempt, text) VALUES (:attempt, :text)");

    stmt_reset(st);
    stmt_u64(st, ":attempt", a->id);
    stmt_text(st, ":text", text);
    make_run_stmt(st);
}

void make_event(struct make *m, const char *kind, const struct make_attempt *a, const char *text)
{
    struct stmt *st = make_stmt(m, "INSERT INTO event (id, at_ms, incarnation, kind, job, attempt, "
                                   "text) VALUES (:id, :at, 1, :kind, :job, :attempt, :text)");

    stmt_reset(st);
    stmt_u64(st, ":id", ++m->next_event);
    stmt_int(st, ":at", a->ended_ms);
    stmt_text(st, ":kind", kind);
    stmt_u64(st, ":job", a->job);
    stmt_u64(st, ":attempt", a->id);
    stmt_text(st, ":text", text);
    make_run_stmt(st);
}

void make_job(struct make *m, const struct make_job *j)
{
    static const char sql[] =
        "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, priority, "
        "seed, "
        "range_begin, range_end, retries, tries, losses, epoch, attempt, diverged, params, "
        "params_text, submitted_ms, owner, parts, needed) VALUES (:id, :key, :kind, 1, 'packed-1', "
        ":step, :state, :waiting, 0, :seed, 0, :end, 2, :tries, :losses, :epoch, :attempt, "
        ":diverged, x'', :text, :submitted, :owner, :parts, :needed)";
    struct stmt *st = make_stmt(m, sql);
    struct digest key;

    make_digest(m, "job", j->id, &key);
    stmt_reset(st);
    stmt_u64(st, ":id", j->id);
    stmt_digest(st, ":key", &key);
    stmt_text(st, ":kind", j->kind);
    stmt_text(st, ":step", j->step);
    stmt_text(st, ":state", j->state);
    stmt_int(st, ":waiting", j->waiting);
    stmt_u64(st, ":seed", j->seed);
    stmt_u64(st, ":end", j->end);
    stmt_int(st, ":tries", j->tries);
    stmt_int(st, ":losses", j->losses);
    stmt_int(st, ":epoch", j->epoch);
    if (j->attempt)
        stmt_u64(st, ":attempt", j->attempt);
    stmt_int(st, ":diverged", j->diverged);
    stmt_text(st, ":text", j->text);
    stmt_int(st, ":submitted", m->begin_ms);
    stmt_int(st, ":owner", 1);
    stmt_int(st, ":parts", j->parts);
    stmt_int(st, ":needed", j->needed);
    make_run_stmt(st);
}

void make_count_attempt(struct make_sums *x, const struct make_attempt *a, bool effective)
{
    if (x->first_ms == 0 || a->started_ms < x->first_ms)
        x->first_ms = a->started_ms;
    if (a->ended_ms > x->last_ms)
        x->last_ms = a->ended_ms;
    if (effective)
        x->wall_ms += a->wall_ms;
}

void make_count_job(struct make_sums *x, const char *state, bool diverged)
{
    x->jobs++;
    x->waiting += strcmp(state, "WAITING") == 0;
    x->ready += strcmp(state, "READY") == 0;
    x->done += strcmp(state, "DONE") == 0;
    x->failed += strcmp(state, "FAILED") == 0;
    x->skipped += strcmp(state, "SKIPPED") == 0;
    x->cancelled += strcmp(state, "CANCELLED") == 0;
    x->diverged += diverged;
}
