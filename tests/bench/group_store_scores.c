/* SPDX-License-Identifier: Apache-2.0 */
/* group_store_scores.c - scores through the store's writer against plain SQLite that inserts the
 * same rows into the same schema with the same settings: bound text and numbers that lie ready, one
 * prepared statement, the same number of rows to a transaction. And whether the rate stays. */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"

enum {
    GROUP = 1024, /* rows to a commit: some ms, as the coordinator groups them */
    BATCH = 64,   /* rows that are made ready at a time: in life they come from a message */
    PAIRS_MAX = 64,
};

/* Rows as both sides need them. */
struct ready {
    struct rows_score row[BATCH];
    struct store_example_result result[BATCH];
    size_t family[BATCH];
    uint64_t index[BATCH];
};

struct spent {
    struct store_time rows, ends; /* of their transactions; of those that end jobs */
};

static void make_ready(const struct rows *r, uint64_t first, size_t n, struct ready *ret)
{
    for (size_t i = 0; i < n; i++) {
        size_t f;

        rows_place(r, first + i, &f, &ret->index[i]);
        rows_score(&ret->row[i], f, ret->index[i]);
        ret->family[i] = f;
        ret->result[i] = (struct store_example_result){ .attempt = r->attempt[f],
                                                        .epoch = r->epoch[f],
                                                        .example = ret->row[i].example,
                                                        .score = &ret->row[i].score,
                                                        .wall_us = 1000 + i };
    }
}

/* As the coordinator does it: one call for each result that a message brought. */
static void send(struct rows *r, struct ready *x, size_t n)
{
    enum store_verdict verdict;
    struct err err = { 0 };

    for (size_t i = 0; i < n; i++)
        bench_must(store_example_result(r->s, &x->result[i], &verdict, &err), &err, "result");
}

/* Shards that are complete behind place K: their jobs end, as in life; summaries and tallies are
 * written then. Not timed as rows: bare SQLite has nothing like it. */
static void end_jobs(struct rows *r, uint64_t from, uint64_t to)
{
    for (size_t f = 0; f < ROWS_FAMILIES; f++) {
        uint64_t last = (f / 8 + 1) * 8 * r->examples; /* place behind its block */
        struct store_result result = { .attempt = r->attempt[f],
                                       .epoch = r->epoch[f],
                                       .outcome = STORE_DONE,
                                       .environment = "bench",
                                       .wall_ms = 60000 };
        enum store_verdict verdict;
        struct err err = { 0 };

        if (last <= from || last > to)
            continue;
        bench_must(store_begin(r->s, &err), &err, "begin");
        bench_must(store_job_done(r->s, &result, &verdict, NULL, &err), &err, "job");
        bench_must(store_commit(r->s, &err), &err, "commit");
    }
}

/* Places FROM.. TO - 1, at most GROUP of them, and the ends of the jobs that are complete with
 * them.
 */
static void store_turn(struct rows *r, struct ready *x, uint64_t from, uint64_t to,
                       struct spent *spent)
{
    struct store_time start = store_time();
    struct err err = { 0 };

    bench_must(store_begin(r->s, &err), &err, "begin");
    store_time_add(&spent->rows, start);
    for (uint64_t at = from; at < to; at += BATCH) {
        size_t n = (size_t)MIN((uint64_t)BATCH, to - at);

        make_ready(r, at, n, x);
        start = store_time();
        send(r, x, n);
        store_time_add(&spent->rows, start);
    }
    start = store_time();
    bench_must(store_commit(r->s, &err), &err, "commit");
    store_time_add(&spent->rows, start);
    start = store_time();
    end_jobs(r, from, to);
    store_time_add(&spent->ends, start);
}

/* What the store makes of a score, made before. */
struct texts {
    char routing[ROWS_LAYERS + 1], logprob[128], metrics[64];
    uint8_t digest[32];
};

/* The bare side. */
struct bare {
    sqlite3 *db;
    sqlite3_stmt *example, *score, *begin, *commit;
    uint64_t *row_of; /* example's row by index; 0: not there yet */
    struct rows *rows;
    struct texts *texts;
};

static void sql(sqlite3 *db, const char *text)
{
    struct err err = { 0 };
    int rc = sqlite3_exec(db, text, NULL, NULL, NULL);

    bench_must(rc == SQLITE_OK ? 0 : err_set(&err, ERR_IO, "%s", sqlite3_errmsg(db)), &err, text);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text)
{
    sqlite3_stmt *st = NULL;
    struct err err = { 0 };
    int rc = sqlite3_prepare_v2(db, text, -1, &st, NULL);

    bench_must(rc == SQLITE_OK ? 0 : err_set(&err, ERR_IO, "%s", sqlite3_errmsg(db)), &err, text);
    return st;
}

/* As the store opens it: of one thread, without mutexes. */
static void bare_open(struct bare *b, struct rows *r)
{
    struct err err = { 0 };
    int rc;

    rows_close_store(r);
    *b = (struct bare){ .rows = r,
                        .row_of = mem_calloc(r->examples, sizeof(uint64_t)),
                        .texts = mem_calloc(BATCH, sizeof(struct texts)) };
    rc = sqlite3_open_v2(r->path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    bench_must(rc == SQLITE_OK ? 0 : err_set(&err, ERR_IO, "open"), &err, r->path);
    sql(b->db, STORE_PRAGMAS);
    b->example = prepare(b->db, "INSERT INTO example (task, level, split, number, source_id, "
                                "question, gold, subset) VALUES (?,?,?,?,?,?,?,?)");
    b->score = prepare(
        b->db, "INSERT INTO score (family, example, idx, attempt, correct, correct_norm, answer, "
               "layer_rows, layers, tokens, routing, logprob, wall_us, digest, metrics, pick, "
               "gold_class, whole_set, truncated, generated) "
               "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    b->begin = prepare(b->db, "BEGIN IMMEDIATE");
    b->commit = prepare(b->db, "COMMIT");
}

static void bare_close(struct bare *b)
{
    sqlite3_finalize(b->example);
    sqlite3_finalize(b->score);
    sqlite3_finalize(b->begin);
    sqlite3_finalize(b->commit);
    sqlite3_close(b->db);
    free(b->row_of);
    free(b->texts);
}

static void run(struct bare *b, sqlite3_stmt *st)
{
    struct err err = { 0 };
    int rc = sqlite3_step(st);

    bench_must(rc == SQLITE_DONE ? 0 : err_set(&err, ERR_IO, "%s", sqlite3_errmsg(b->db)), &err,
               "bare insert");
    sqlite3_reset(st);
}

static void text(sqlite3_stmt *st, int at, const char *s)
{
    sqlite3_bind_text(st, at, s, -1, SQLITE_STATIC);
}

static void make_texts(const struct ready *x, size_t n, struct texts *ret)
{
    for (size_t i = 0; i < n; i++) {
        const struct rows_score *r = &x->row[i];
        int at = 0;

        for (size_t k = 0; k < ROWS_LAYERS; k++)
            ret[i].routing[k] = (char)('0' + r->routing[k]);
        ret[i].routing[ROWS_LAYERS] = '\0';
        for (size_t k = 0; k < ROWS_CHOICES; k++)
            at += snprintf(ret[i].logprob + at, sizeof ret[i].logprob - (size_t)at, "%s%.17g",
                           k ? "," : "[", r->logprob[k]);
        snprintf(ret[i].logprob + at, sizeof ret[i].logprob - (size_t)at, "]");
        snprintf(ret[i].metrics, sizeof ret[i].metrics, "{\"brier\":%.17g}", r->value[0].value);
        for (size_t k = 0; k < 32; k++)
            ret[i].digest[k] = (uint8_t)(x->index[i] * 31 + k * 7 + x->family[i]);
    }
}

static void bare_example(struct bare *b, const struct store_example *e)
{
    text(b->example, 1, e->task);
    sqlite3_bind_int(b->example, 2, e->level);
    text(b->example, 3, e->split);
    sqlite3_bind_int64(b->example, 4, (int64_t)e->id);
    text(b->example, 5, e->source_id);
    text(b->example, 6, e->question);
    text(b->example, 7, e->gold);
    text(b->example, 8, "");
    run(b, b->example);
    b->row_of[e->index] = (uint64_t)sqlite3_last_insert_rowid(b->db);
}

static void bare_score(struct bare *b, const struct ready *x, size_t i, const struct texts *t)
{
    const struct store_score *c = &x->row[i].score;
    sqlite3_stmt *st = b->score;

    if (!b->row_of[x->index[i]])
        bare_example(b, &x->row[i].example);
    sqlite3_bind_int64(st, 1, (int64_t)b->rows->family[x->family[i]]);
    sqlite3_bind_int64(st, 2, (int64_t)b->row_of[x->index[i]]);
    sqlite3_bind_int64(st, 3, (int64_t)x->index[i]);
    sqlite3_bind_int64(st, 4, (int64_t)b->rows->attempt[x->family[i]]);
    sqlite3_bind_int(st, 5, c->correct);
    sqlite3_bind_int(st, 6, c->correct_norm);
    text(st, 7, c->answer);
    sqlite3_bind_int64(st, 8, (int64_t)c->layer_rows);
    sqlite3_bind_double(st, 9, c->layers);
    sqlite3_bind_int64(st, 10, (int64_t)c->tokens);
    text(st, 11, t->routing);
    text(st, 12, t->logprob);
    sqlite3_bind_int64(st, 13, 1000);
    sqlite3_bind_blob(st, 14, t->digest, 32, SQLITE_STATIC);
    text(st, 15, t->metrics);
    sqlite3_bind_int(st, 16, c->pick);
    sqlite3_bind_int(st, 17, c->gold);
    sqlite3_bind_int(st, 18, 0);
    sqlite3_bind_int(st, 19, 0);
    sqlite3_bind_int(st, 20, 0);
    run(b, st);
}

static void bare_turn(struct bare *b, struct ready *x, uint64_t from, uint64_t to,
                      struct spent *spent)
{
    struct store_time start = store_time();

    run(b, b->begin);
    store_time_add(&spent->rows, start);
    for (uint64_t at = from; at < to; at += BATCH) {
        size_t n = (size_t)MIN((uint64_t)BATCH, to - at);

        make_ready(b->rows, at, n, x);
        make_texts(x, n, b->texts);
        start = store_time();
        for (size_t i = 0; i < n; i++)
            bare_score(b, x, i, &b->texts[i]);
        store_time_add(&spent->rows, start);
    }
    start = store_time();
    run(b, b->commit);
    store_time_add(&spent->rows, start);
}

/* Pair after pair of the same places, in turns of one transaction each (some ms), who begins
 * changing: what else the machine does meets both. */
struct pairs {
    size_t n;
    double ratio[PAIRS_MAX], cpu[PAIRS_MAX]; /* of rates; by CPU time alone */
    double own[PAIRS_MAX], other[PAIRS_MAX]; /* rates */
};

static void add_pair(struct pairs *p, double rows, struct store_time own, struct store_time other)
{
    p->ratio[p->n] = other.wall / own.wall;
    p->cpu[p->n] = other.cpu / own.cpu;
    p->own[p->n] = rows / own.wall;
    p->other[p->n] = rows / other.wall;
    p->n++;
}

static void report_pairs(struct bench *b, struct pairs *p, const char *const name[4])
{
    bench_report(b, name[0], "ratio", bench_figure(p->ratio, p->n), BETTER_HIGHER, 0.8);
    bench_report(b, name[1], "ratio", bench_figure(p->cpu, p->n), BETTER_HIGHER, NAN);
    bench_report(b, name[2], "rows/s", bench_figure(p->own, p->n), BETTER_HIGHER, NAN);
    bench_report(b, name[3], "rows/s", bench_figure(p->other, p->n), BETTER_HIGHER, NAN);
}

static void pair_with_bare(struct rows *mine, struct bare *bare, struct ready *x, uint64_t from,
                           uint64_t to, struct pairs *ret)
{
    struct spent own = { 0 }, other = { 0 };

    for (uint64_t at = from; at < to; at += GROUP) {
        uint64_t end = MIN(at + GROUP, to);
        bool first = at / GROUP % 2 == 0;

        if (first)
            store_turn(mine, x, at, end, &own);
        bare_turn(bare, x, at, end, &other);
        if (!first)
            store_turn(mine, x, at, end, &own);
    }
    add_pair(ret, (double)(to - from), own.rows, other.rows);
}

void store_bench_vs_sqlite(struct bench *b)
{
    static const char *const name[4] = { "store.scores.vs_sqlite", "store.scores.vs_sqlite_cpu",
                                         "store.scores.rows_per_s",
                                         "store.scores.bare_rows_per_s" };
    uint64_t total = b->quick ? 100000 : 1000000, step = total / (b->quick ? 10 : 25);
    struct rows *mine = mem_calloc(1, sizeof *mine), *theirs = mem_calloc(1, sizeof *theirs);
    struct ready *x = mem_calloc(1, sizeof *x);
    struct pairs pairs = { 0 };
    struct bare bare;

    rows_open(mine, 10000);
    rows_open(theirs, 10000);
    bare_open(&bare, theirs);
    for (uint64_t at = 0; at < total; at += step)
        pair_with_bare(mine, &bare, x, at, at + step, &pairs);
    report_pairs(b, &pairs, name);
    bare_close(&bare);
    rows_close(theirs);
    rows_close(mine);
    free(x);
    free(theirs);
    free(mine);
}

static void pair_with_fresh(struct rows *full, struct rows *fresh, struct ready *x, uint64_t from,
                            uint64_t to, struct pairs *ret)
{
    uint64_t behind = full->examples * ROWS_FAMILIES / 10 * 9;
    struct spent last = { 0 }, first = { 0 };

    for (uint64_t at = from; at < to; at += GROUP) {
        uint64_t end = MIN(at + GROUP, to);
        bool begins = at / GROUP % 2 == 0;

        if (begins)
            store_turn(fresh, x, at, end, &first);
        store_turn(full, x, behind + at, behind + end, &last);
        if (!begins)
            store_turn(fresh, x, at, end, &first);
    }
    add_pair(ret, (double)(to - from), last.rows, first.rows);
}

/* The last tenth in turns with the first tenth of an empty store. */
void store_bench_flatness(struct bench *b, struct rows *r)
{
    static const char *const name[4] = { "store.scores.flatness", "store.scores.flatness_cpu",
                                         "store.scores.last_rows_per_s",
                                         "store.scores.first_rows_per_s" };
    uint64_t tenth = r->examples * ROWS_FAMILIES / 10, step = tenth / 20;
    struct rows *fresh = mem_calloc(1, sizeof *fresh);
    struct ready *x = mem_calloc(1, sizeof *x);
    struct pairs pairs = { 0 };
    double tenths[9];

    for (uint64_t k = 0; k < 9; k++) {
        struct spent spent = { 0 };

        for (uint64_t at = k * tenth; at < (k + 1) * tenth; at += GROUP)
            store_turn(r, x, at, MIN(at + GROUP, (k + 1) * tenth), &spent);
        tenths[k] = (double)tenth / spent.rows.wall;
    }
    rows_open(fresh, r->examples);
    for (uint64_t at = 0; at < tenth; at += step)
        pair_with_fresh(r, fresh, x, at, at + step, &pairs);
    rows_close(fresh);
    free(fresh);
    free(x);
    report_pairs(b, &pairs, name);
    bench_report(b, "store.scores.tenths_rows_per_s", "rows/s", bench_figure(tenths, 9),
                 BETTER_HIGHER, NAN);
}
