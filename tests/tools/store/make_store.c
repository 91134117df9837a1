/* SPDX-License-Identifier: Apache-2.0 */
/* make_store.c - drover-make-store: a store as a sweep of up to millions of runs leaves it. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/base/mem.h"
#include "store/sqlite.h"
#include "store/store.h"
#include "tests/tools/store/make.h"

static const char usage[] =
    "usage: drover-make-store --out FILE [options]\n"
    "Writes a store with one experiment of many runs; FILE must not exist.\n"
    "  --runs N      1..10000000 (10000)\n"
    "  --scores N    results of examples, over all runs (10 per run)\n"
    "  --points N    of metrics (20 per run); from 4000000 on some runs have long series: forty "
    "to\n"
    "                each model long-00, long-01...: 25,000 rewards each, a million together\n"
    "  --labels N    of searches, each with its tree (0.1 per run, at most 100000)\n"
    "  --seed N      (1)\n"
    "  --name TEXT   of the experiment (generated/sweep)\n"
    "  --end-ms N    when the last job ended, ms since 1970, or 'now' (1750000000000)\n"
    "  --ended       nothing is ready or waits: a coordinator that opens it has nothing to do\n"
    "  --check       compare the runs' summaries with the rows that they sum up\n"
    "  --hostile     every text that is somebody's holds HTML which would run a script\n"
    "  --quiet\n";

enum option_id {
    OUT = 1,
    RUNS,
    SCORES,
    POINTS,
    LABELS,
    SEED,
    NAME,
    END,
    ENDED,
    CHECK,
    HOSTILE,
    QUIET
};
static const struct option options[] = {
    { "out", 1, NULL, OUT },
    { "runs", 1, NULL, RUNS },
    { "scores", 1, NULL, SCORES },
    { "points", 1, NULL, POINTS },
    { "labels", 1, NULL, LABELS },
    { "seed", 1, NULL, SEED },
    { "name", 1, NULL, NAME },
    { "end-ms", 1, NULL, END },
    { "ended", 0, NULL, ENDED },
    { "check", 0, NULL, CHECK },
    { "hostile", 0, NULL, HOSTILE },
    { "quiet", 0, NULL, QUIET },
    { 0 },
};

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    uint64_t v = strtoull(text, &end, 10);

    if (end == text || *end || text[0] == '-' || v < min || v > max) {
        fprintf(stderr, "drover-make-store: '%s': a number %" PRIu64 "..%" PRIu64 " is needed\n",
                text, min, max);
        exit(2);
    }
    return v;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void parse(int argc, char **argv, struct make *m, bool *ret_check)
{
    uint64_t scores = UINT64_MAX, points = UINT64_MAX, labels = UINT64_MAX;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == OUT)
            m->path = optarg;
        else if (c == RUNS)
            m->runs = number(optarg, 1, 10000000);
        else if (c == SCORES)
            scores = number(optarg, 0, 1000000000);
        else if (c == POINTS)
            points = number(optarg, 0, 10000000000);
        else if (c == LABELS)
            labels = number(optarg, 0, 10000000);
        else if (c == SEED)
            m->seed = number(optarg, 0, UINT64_MAX);
        else if (c == NAME)
            m->name = optarg;
        else if (c == END)
            m->end_ms =
                strcmp(optarg, "now") == 0 ? now_ms() : (int64_t)number(optarg, 1, 1ull << 50);
        else if (c == ENDED)
            m->ended = true;
        else if (c == CHECK)
            *ret_check = true;
        else if (c == HOSTILE)
            m->hostile = true;
        else if (c == QUIET)
            m->quiet = true;
        else
            m->path = NULL, optind = argc + 1;
    }
    if (!m->path || optind != argc) {
        fputs(usage, stderr);
        exit(2);
    }
    m->scores = scores == UINT64_MAX ? 10 * m->runs : scores;
    m->points = points == UINT64_MAX ? 20 * m->runs : points;
    m->labels = labels == UINT64_MAX ? MIN(100000, m->runs / 10) : labels;
}

/* Take the triggers off; *TEXT is the SQL that puts them back. */
static void take_triggers(struct make *m, struct buf *text)
{
    struct stmt *st = make_stmt(m, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'");
    struct buf drop CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    int rc;

    while ((rc = stmt_step(st, &err)) > 0) {
        buf_printf(&drop, "DROP TRIGGER %s;\n", stmt_col_text(st, 0));
        buf_printf(text, "%s;\n", stmt_col_text(st, 1));
    }
    make_must(rc, &err, "triggers");
    make_must(sqlite_run(m->db, buf_str(&drop), &err), &err, "triggers");
}

/* Where the page would take a text for HTML, this would run. */
#define EVIL "'<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>&amp;'"

static const char evil[] =
    "UPDATE experiment SET name = name || " EVIL ";"
    "UPDATE revision SET recipe = recipe || '# ' || " EVIL ", path = " EVIL ", git = " EVIL ";"
    "UPDATE example SET question = question || " EVIL ", source_id = source_id || " EVIL
    ", gold = gold || " EVIL ", task = task || " EVIL ";"
    "UPDATE family SET task = task || " EVIL ";"
    "UPDATE label SET base_answer = base_answer || " EVIL ", label_answer = label_answer || " EVIL
    ";"
    "UPDATE search_log SET answer = answer || " EVIL ";"
    "UPDATE score SET answer = answer || " EVIL " WHERE id <= 1000;"
    "UPDATE attempt SET text = text || " EVIL ";"
    "UPDATE event SET text = text || " EVIL ";"
    "UPDATE log SET text = text || " EVIL ";"
    "UPDATE worker SET name = name || " EVIL ", host = host || " EVIL ", gone = gone || " EVIL
    ", environment = " EVIL ";"
    "UPDATE job SET params_text = params_text || " EVIL ";"
    "UPDATE param SET value = json_quote(trim(value, '\"') || " EVIL ") WHERE name IN ('model', "
    "'schedule');";

static void fill(struct make *m, bool check)
{
    /* A crash leaves nothing worth keeping. */
    static const char fast[] = "PRAGMA foreign_keys = OFF; PRAGMA journal_mode = OFF;"
                               "PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA cache_size = -524288; PRAGMA temp_store = MEMORY; BEGIN;";
    struct buf triggers CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    make_must(sqlite_connect(&m->db, m->path, CONNECT_WRITE, &err), &err, m->path);
    make_must(sqlite_run(m->db, fast, &err), &err, "settings");
    take_triggers(m, &triggers);
    make_base(m);
    make_labels(m);
    make_runs(m);
    struct stmt *st = make_stmt(m, "UPDATE meta SET value = :n WHERE name = 'attempt_reserved'");
    stmt_u64(st, ":n", m->next_attempt);
    make_run_stmt(st);
    make_release_stmts();
    if (m->hostile)
        make_must(sqlite_run(m->db, evil, &err), &err, "HTML");
    make_must(sqlite_run(m->db, buf_str(&triggers), &err), &err, "triggers");
    make_must(sqlite_run(m->db, "COMMIT", &err), &err, "commit");
    if (check)
        make_check(m);
    make_must(sqlite_run(m->db, "PRAGMA journal_mode = WAL", &err), &err, "WAL");
    sqlite_disconnect(m->db);
}

int main(int argc, char **argv)
{
    struct make m = {
        .name = "generated/sweep", .runs = 10000, .seed = 1, .end_ms = 1750000000000
    };
    struct store *s = NULL;
    struct err err = { 0 };
    bool check = false;
    double seconds;

    parse(argc, argv, &m, &check);
    if (access(m.path, F_OK) == 0) {
        fprintf(stderr, "drover-make-store: %s is there already; remove it first\n", m.path);
        return 1;
    }
    /* Training takes about 115 s, an evaluation 9 s; failures take several attempts. */
    seconds = (double)m.runs * 155.0 / (MAKE_WORKERS * MAKE_SLOTS);
    m.begin_ms = m.end_ms - (int64_t)(seconds * 1000.0);
    for (size_t i = 0; i < ARRAY_LEN(m.free_ms); i++)
        m.free_ms[i] = m.begin_ms;
    make_must(store_open(&s, m.path, "", &err), &err, m.path);
    store_close(s);
    fill(&m, check);
    if (m.points > 0)
        make_metrics(&m);
    free(m.attempt);
    make_forget_families();
    make_say(&m, "%s: %llu runs, %llu jobs, %llu attempts, %llu scores\n", m.path,
             (unsigned long long)m.runs, (unsigned long long)m.next_job,
             (unsigned long long)m.next_attempt, (unsigned long long)m.next_score);
    return 0;
}
