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
    BATCH = 64,   /* results to a call */
    PAIRS_MAX = 64,
};

/* Rows as both sides need them. */
struct ready {
    struct rows_score row[GROUP];
    struct store_example_result result[GROUP];
    size_t family[GROUP];
    uint64_t index[GROUP];
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

static void send(struct rows *r, struct ready *x, size_t n)
{
    enum store_verdict verdict[BATCH];
    int rc[BATCH];
    struct err err = { 0 };

    bench_must(store_begin(r->s, &err), &err, "begin");
    for (size_t at = 0; at < n; at += BATCH) {
        size_t len = MIN((size_t)BATCH, n - at);

        bench_must(store_example_results(r->s, x->result + at, len, verdict, rc, &err), &err,
                   "results");
    }
    bench_must(store_commit(r->s, &err), &err, "commit");
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

double store_send_rows(struct rows *r, uint64_t from, uint64_t to)
{
    struct ready *x = mem_calloc(1, sizeof *x);
    double seconds = 0.0;

    for (uint64_t at = from; at < to; at += GROUP) {
        size_t n = (size_t)MIN((uint64_t)GROUP, to - at);
        double start;

        make_ready(r, at, n, x);
        start = store_seconds();
        send(r, x, n);
        seconds += store_seconds() - start;
        end_jobs(r, at, at + n);
    }
    free(x);
    return seconds;
}

/* The bare side. */
struct bare {
    sqlite3 *db;
    sqlite3_stmt *example, *score, *begin, *commit;
    uint64_t *row_of; /* example's row by index; 0: not there yet */
    struct rows *rows;
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

static void bare_open(struct bare *b, struct rows *r)
{
    struct err err = { 0 };

    rows_close_store(r);
    *b = (struct bare){ .rows = r, .row_of = mem_calloc(r->examples, sizeof(uint64_t)) };
    bench_must(sqlite3_open(r->path, &b->db) == SQLITE_OK ? 0 : err_set(&err, ERR_IO, "open"), &err,
               r->path);
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

/* What the store makes of a score, made before. */
struct texts {
    char routing[ROWS_LAYERS + 1], logprob[128], metrics[64];
    uint8_t digest[32];
};

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

static double bare_send(struct bare *b, uint64_t from, uint64_t to)
{
    struct ready *x = mem_calloc(1, sizeof *x);
    struct texts *t = mem_calloc(GROUP, sizeof *t);
    double seconds = 0.0;

    for (uint64_t at = from; at < to; at += GROUP) {
        size_t n = (size_t)MIN((uint64_t)GROUP, to - at);
        double start;

        make_ready(b->rows, at, n, x);
        make_texts(x, n, t);
        start = store_seconds();
        run(b, b->begin);
        for (size_t i = 0; i < n; i++)
            bare_score(b, x, i, &t[i]);
        run(b, b->commit);
        seconds += store_seconds() - start;
    }
    free(t);
    free(x);
    return seconds;
}

void store_bench_vs_sqlite(struct bench *b)
{
    uint64_t total = b->quick ? 100000 : 1000000, step = total / (b->quick ? 10 : 25), at = 0;
    double ratio[PAIRS_MAX], own[PAIRS_MAX], other[PAIRS_MAX];
    struct rows *mine = mem_calloc(1, sizeof *mine), *theirs = mem_calloc(1, sizeof *theirs);
    struct bare bare;
    size_t n = 0;

    rows_open(mine, 10000);
    rows_open(theirs, 10000);
    bare_open(&bare, theirs);
    for (; at < total; at += step, n++) {
        own[n] = (double)step / store_send_rows(mine, at, at + step);
        other[n] = (double)step / bare_send(&bare, at, at + step);
        ratio[n] = own[n] / other[n];
    }
    bench_report(b, "store.scores.vs_sqlite", "ratio", bench_figure(ratio, n), BETTER_HIGHER, 0.8);
    bench_report(b, "store.scores.rows_per_s", "rows/s", bench_figure(own, n), BETTER_HIGHER, NAN);
    bench_report(b, "store.scores.bare_rows_per_s", "rows/s", bench_figure(other, n), BETTER_HIGHER,
                 NAN);
    bare_close(&bare);
    rows_close(theirs);
    rows_close(mine);
    free(theirs);
    free(mine);
}

/* The last tenth in turns with the first tenth of an empty store: what else the machine does meets
 * both. */
void store_bench_flatness(struct bench *b, struct rows *r)
{
    uint64_t tenth = r->examples * ROWS_FAMILIES / 10, step = tenth / 20;
    struct rows *fresh = mem_calloc(1, sizeof *fresh);
    double ratio[20], tenths[10];
    size_t n = 0;

    for (uint64_t k = 0; k < 9; k++)
        tenths[k] = (double)tenth / store_send_rows(r, k * tenth, (k + 1) * tenth);
    tenths[9] = 0.0;
    rows_open(fresh, r->examples);
    for (uint64_t at = 0; n < 20; at += step, n++) {
        double first = store_send_rows(fresh, at, at + step),
               last = store_send_rows(r, 9 * tenth + at, 9 * tenth + at + step);

        ratio[n] = first / last;
        tenths[9] += last;
    }
    rows_close(fresh);
    free(fresh);
    tenths[9] = (double)tenth / tenths[9];
    bench_report(b, "store.scores.flatness", "ratio", bench_figure(ratio, n), BETTER_HIGHER, 0.8);
    bench_report(b, "store.scores.tenths_rows_per_s", "rows/s", bench_figure(tenths, 10),
                 BETTER_HIGHER, NAN);
}
