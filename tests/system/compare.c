/* SPDX-License-Identifier: Apache-2.0 */
/* compare STORE [OTHER] [--acked FILE] [--effects FILE] [--open]
 *
 * Do two stores of the same recipes hold the same results, bit by bit, whatever attempts, times and
 * workers made them? And is each of them sound by itself: every job done once, every result there
 * that a worker was told is safe?
 *
 *   FILE of --acked    what STORE's workers were told is durable, one per line: "example ATTEMPT
 * HEX-ID" or "result ATTEMPT" FILE of --effects  what programs (job kind exec) did, one line per
 * start: "ATTEMPT"
 *   --open             STORE's jobs need not have ended
 *
 * Prints one line per difference, at most MENTIONED_MAX of each kind and their number; exit code 0:
 * none, 1: some, 2: it could not look. Reads STORE as any SQLite tool does: run it when no
 * coordinator writes. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/macros.h"

enum { MENTIONED_MAX = 10, LINE_MAX_BYTES = 256 };

/* A query per fact: its name and what it is, both texts, ordered by name. No name may come twice.
 */
struct fact {
    const char *what, *sql;
};

static const struct fact facts[] = {
    { "job", "SELECT hex(key) || ' (' || kind || ' ' || step || ')' AS name, "
             "kind || ' v' || kind_version || ' ' || class || ' ' || state || ' diverged ' || "
             "diverged || ' ' || "
             "params_text FROM job ORDER BY name" },
    { "claim", "SELECT experiment.name || ' point ' || hex(run.digest) || ' ' || run_job.step || ' "
               "' || hex(job.key) AS name, "
               "run.seed || ' live ' || run_job.live FROM run_job JOIN run ON run.id = run_job.run "
               "JOIN experiment ON experiment.id = run.experiment JOIN job ON job.id = run_job.job "
               "ORDER BY name" },
    { "output", "SELECT hex(job.key) || ' (' || job.kind || ') ' || job_output.name AS name, "
                "hex(blob.digest) || ' ' || blob.size || ' bytes, folder ' || blob.folder "
                "FROM job_output JOIN job ON job.id = job_output.job JOIN blob ON blob.id = "
                "job_output.blob ORDER BY name" },
    { "family", "SELECT hex(key) AS name, kind || ' ' || task || ' ' || level || ' ' || split || ' "
                "complete ' || complete "
                "FROM family ORDER BY name" },
    { "example",
      "SELECT printf('%016x', number) || ' ' || task || ' ' || level || ' ' || split AS name, "
      "source_id || '|' || question || '|' || gold FROM example ORDER BY name" },
    { "label", "SELECT hex(family.key) || ' example ' || printf('%016x', number) AS name, "
               "label.idx || ' ' || base_correct || "
               "has_label || ' ' || coalesce(routing, 'none') || ' ' || layers || ' ' || "
               "label_layers || ' ' || simulations || "
               "'|' || base_answer || '|' || label_answer || '|' || hex(digest) FROM label "
               "JOIN family ON family.id = label.family JOIN example ON example.id = label.example "
               "ORDER BY name" },
    { "search_log", "SELECT hex(family.key) || ' example ' || printf('%016x', number) || printf(' "
                    "place %06d', place) AS name, "
                    "parent || ' ' || search_log.routing || ' ' || bits(reward) || ' ' || visits "
                    "|| ' ' || bits(value) || '|' || "
                    "answer FROM search_log JOIN label ON label.id = search_log.label JOIN family "
                    "ON family.id = label.family "
                    "JOIN example ON example.id = label.example ORDER BY name" },
    { "score", "SELECT hex(family.key) || ' example ' || printf('%016x', number) AS name, "
               "score.idx || ' ' || correct || "
               "correct_norm || ' ' || bits(layers) || ' ' || tokens || ' ' || coalesce(routing, "
               "'none') || ' ' || "
               "coalesce(logprob, 'none') || ' ' || coalesce(metrics, 'none') || ' ' || truncated "
               "|| ' ' || generated || '|' || "
               "answer || '|' || hex(digest) FROM score JOIN family ON family.id = score.family "
               "JOIN example ON example.id = score.example ORDER BY name" },
    /* Costs are not results: the time that training took, and what a search saved, of which an
     * attempt that goes on where another one was killed knows its own part only. */
    { "metric",
      "SELECT hex(job.key) || ' ' || series.name || printf(' step %010d', CASE WHEN steps IS NULL "
      "THEN metric_chunk.first_step + point.key * stride ELSE json_extract(steps, '$[' || "
      "point.key || ']') END) "
      "AS name, coalesce(bits(CAST(point.value AS REAL)), 'not a number') FROM job "
      "JOIN series ON series.attempt = job.attempt AND series.name NOT IN ('core_seconds', "
      "'hit_rate', 'rows_share') "
      "JOIN metric_chunk ON metric_chunk.series = series.id AND level = 0 "
      "JOIN json_each(metric_chunk.points) AS point ORDER BY name" },
    { "tally", "SELECT hex(family.key) || ' first ' || examples || printf(' part %05d', part) AS "
               "name, tally.n || ' ' || correct || "
               "' ' || correct_norm || ' ' || labelled || ' ' || preserved || ' ' || improved || ' "
               "' || bits(layers_label) || "
               "' ' || bits(layers_all) || ' ' || bits(layers_base) || ' ' || tokens || ' ' || "
               "generated || ' ' || truncated "
               "FROM tally JOIN family ON family.id = tally.family ORDER BY name" },
    { "summary",
      "SELECT hex(family.key) || ' first ' || examples || ' ' || metric AS name, summary.n || ' ' "
      "|| "
      "coalesce(bits(value), 'none') || ' ' || coalesce(bits(stderr), 'none') FROM summary "
      "JOIN family ON family.id = summary.family ORDER BY name" },
    { "run", "SELECT experiment.name || ' point ' || hex(run.digest) AS name, run_summary.jobs || "
             "' jobs, ' || done || ' done, ' || "
             "failed || ' failed, ' || skipped || ' skipped, ' || run_summary.diverged || ' "
             "diverged, ' || run_summary.n || ' ' || "
             "coalesce(bits(accuracy), 'none') || ' ' || coalesce(bits(base), 'none') || ' ' || "
             "coalesce(bits(oracle), 'none') || "
             "' ' || coalesce(bits(layers), 'none') || ' ' || tokens FROM run_summary JOIN run ON "
             "run.id = run_summary.run "
             "JOIN experiment ON experiment.id = run.experiment ORDER BY name" },
    { "decision",
      "SELECT hex(job.key) || ' point ' || hex(run.digest) AS name, coalesce(chosen, 'none') FROM "
      "candidate "
      "JOIN job ON job.id = candidate.selector JOIN run ON run.id = candidate.run ORDER BY name" },
};

/* What must be empty in a store by itself. */
static const struct fact wrongs[] = {
    { "integrity",
      "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'" },
    { "foreign key", "SELECT \"table\" || ' row ' || rowid FROM pragma_foreign_key_check" },
    /* All of a shard's examples were there when its plan was submitted: nothing had to run. */
    { "no effective attempt", "SELECT 'job ' || job.id || ' ' || kind || ' is DONE without one' "
                              "FROM job LEFT JOIN attempt ON attempt.id = job.attempt "
                              "WHERE state = 'DONE' AND attempt.id IS NULL AND (job.attempt IS NOT "
                              "NULL OR range_end = 0 OR range_end - range_begin > "
                              "(SELECT count(*) FROM job_family JOIN (SELECT family, idx FROM "
                              "label UNION ALL SELECT family, idx FROM score) AS made "
                              "ON made.family = job_family.family WHERE job_family.job = job.id "
                              "AND idx >= range_begin AND idx < range_end))" },
    { "effective attempt",
      "SELECT 'job ' || job.id || ': attempt ' || attempt.id || ' of job ' || attempt.job || ' is "
      "' || outcome "
      "FROM job JOIN attempt ON attempt.id = job.attempt WHERE state = 'DONE' AND "
      "(attempt.job <> job.id OR outcome NOT IN ('DONE', 'DIVERGED'))" },
    { "two effective results", "SELECT 'job ' || job.id || ' ' || kind || ': attempts ' || "
                               "group_concat(attempt.id) FROM job "
                               "JOIN attempt ON attempt.job = job.id AND outcome IN ('DONE', "
                               "'DIVERGED') AND compared IS NULL "
                               "AND (repeats = 0 OR attempt.id = job.attempt) WHERE kind <> 'exec' "
                               "GROUP BY job.id HAVING count(*) > 1" },
    { "other bits",
      "SELECT 'attempt ' || id || ' of job ' || job FROM attempt WHERE compared = 'DIFFERENT'" },
    { "incident", "SELECT text FROM event WHERE kind = 'incident'" },
    { "no file",
      "SELECT hex(digest) || ' of ' || size || ' bytes: ' || file_wrong(lower(hex(digest)), size) "
      "FROM blob "
      "WHERE path = '' AND NOT evicted AND file_wrong(lower(hex(digest)), size) IS NOT NULL" },
    { "result of another job", "SELECT 'example ' || example.id || ' of family ' || score.family "
                               "|| ' by attempt ' || score.attempt "
                               "FROM score JOIN example ON example.id = score.example JOIN attempt "
                               "ON attempt.id = score.attempt "
                               "WHERE NOT EXISTS (SELECT 1 FROM job_family WHERE job = attempt.job "
                               "AND family = score.family)" },
    { "acked, not there",
      "SELECT what || ' of attempt ' || acked.attempt || CASE what WHEN 'example' THEN printf(' "
      "%016x', number) "
      "ELSE '' END FROM temp.acked LEFT JOIN attempt ON attempt.id = acked.attempt WHERE CASE what "
      "WHEN 'result' THEN attempt.id IS NULL OR attempt.ended_ms IS NULL OR (outcome = 'LOST' AND "
      "repeats = 0 AND "
      "compared IS NULL) ELSE NOT EXISTS (SELECT 1 FROM job_family JOIN example ON example.number "
      "= acked.number "
      "JOIN (SELECT family, example, attempt, repeats FROM label UNION ALL SELECT family, example, "
      "attempt, repeats "
      "FROM score) AS made ON made.family = job_family.family AND made.example = example.id WHERE "
      "job_family.job = attempt.job AND (made.attempt <= acked.attempt OR made.repeats > 0)) END" },
    { "unknown effect", "SELECT 'a program ran as attempt ' || effect.attempt || ', of which the "
                        "store knows nothing' "
                        "FROM temp.effect WHERE attempt NOT IN (SELECT id FROM attempt)" },
};

/* Only of a store that has come to its end. */
static const struct fact unfinished[] = {
    { "not ended", "SELECT 'job ' || id || ' ' || kind || ' is ' || state FROM job WHERE state IN "
                   "('WAITING', 'READY')" },
    { "no effect", "SELECT 'job ' || id || ': attempt ' || attempt || ' never ran its program' "
                   "FROM job WHERE kind = 'exec' AND "
                   "state = 'DONE' AND EXISTS (SELECT 1 FROM temp.effect) AND attempt NOT IN "
                   "(SELECT attempt FROM temp.effect)" },
};

struct store {
    const char *path;
    sqlite3 *db;
};

static void die(struct store *s, const char *doing)
{
    fprintf(stderr, "compare: %s: %s: %s\n", s->path, doing, sqlite3_errmsg(s->db));
    exit(2);
}

static void bits(sqlite3_context *c, int n, sqlite3_value **v)
{
    double x = sqlite3_value_double(v[0]);
    uint64_t u;
    char text[64];

    (void)n;
    if (sqlite3_value_type(v[0]) == SQLITE_NULL)
        return;
    memcpy(&u, &x, sizeof(u));
    (void)snprintf(text, sizeof(text), "%.17g=%016" PRIx64, x, u);
    sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT);
}

/* NULL, or what is wrong with the file of a blob. */
static void file_wrong(sqlite3_context *c, int n, sqlite3_value **v)
{
    const struct store *s = sqlite3_user_data(c);
    const char *hex = (const char *)sqlite3_value_text(v[0]);
    char path[4096], found[DIGEST_HEX];
    struct digest d;
    struct err err = { 0 };
    uint64_t size = 0;

    (void)n;
    (void)snprintf(path, sizeof(path), "%s-blobs/%.2s/%s", s->path, hex, hex);
    if (digest_file(path, &d, &size, &err))
        sqlite3_result_text(c, err.text, -1, SQLITE_TRANSIENT);
    else if (size != (uint64_t)sqlite3_value_int64(v[1]) || strcmp(digest_hex(&d, found), hex) != 0)
        sqlite3_result_text(c, "its file has other bytes", -1, SQLITE_STATIC);
}

static void open_store(struct store *s)
{
    if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        die(s, "open");
    if (sqlite3_create_function(s->db, "bits", 1, SQLITE_UTF8, NULL, bits, NULL, NULL) ||
        sqlite3_create_function(s->db, "file_wrong", 2, SQLITE_UTF8, s, file_wrong, NULL, NULL) ||
        sqlite3_exec(s->db,
                     "PRAGMA temp_store = MEMORY; CREATE TEMP TABLE acked (what TEXT, attempt "
                     "INTEGER, number INTEGER);"
                     "CREATE TEMP TABLE effect (attempt INTEGER)",
                     NULL, NULL, NULL))
        die(s, "set up");
}

/* What cannot even be asked is a fault of the store: counted, said, and the next question is asked.
 */
static size_t unreadable;

static sqlite3_stmt *ask(struct store *s, const struct fact *f)
{
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(s->db, f->sql, -1, &st, NULL) != SQLITE_OK) {
        printf("%s: %s: %s\n", s->path, f->what, sqlite3_errmsg(s->db));
        unreadable++;
    }
    return st;
}

static bool next(struct store *s, const struct fact *f, sqlite3_stmt *st)
{
    int rc = st ? sqlite3_step(st) : SQLITE_DONE;

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        printf("%s: %s: %s\n", s->path, f->what, sqlite3_errmsg(s->db));
        unreadable++;
    }
    return rc == SQLITE_ROW;
}

static const char *text(sqlite3_stmt *st, int column)
{
    const char *t = (const char *)sqlite3_column_text(st, column);

    return t ? t : "NULL";
}

static void read_lines(struct store *s, const char *path, const char *sql)
{
    char line[LINE_MAX_BYTES], what[16], hex[32];
    unsigned long long attempt;
    sqlite3_stmt *st;
    FILE *f = fopen(path, "r");

    if (!f || sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
        die(s, path);
    while (fgets(line, sizeof(line), f)) {
        hex[0] = '0';
        hex[1] = '\0';
        if (sscanf(line, "%15s %llu %31s", what, &attempt, hex) < 2)
            die(s, line);
        sqlite3_bind_text(st, 1, what, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(st, 2, (sqlite3_int64)attempt);
        sqlite3_bind_int64(st, 3, (sqlite3_int64)strtoull(hex, NULL, 16));
        if (sqlite3_step(st) != SQLITE_DONE)
            die(s, path);
        sqlite3_reset(st);
    }
    sqlite3_finalize(st);
    (void)fclose(f);
}

static size_t look(struct store *s, const struct fact *list, size_t len)
{
    size_t all = 0;

    for (size_t i = 0; i < len; i++) {
        sqlite3_stmt *st = ask(s, &list[i]);
        size_t n = 0;

        while (next(s, &list[i], st))
            if (++n <= MENTIONED_MAX)
                printf("%s: %s: %s\n", s->path, list[i].what, text(st, 0));
        if (n > MENTIONED_MAX)
            printf("%s: %s: %zu in all\n", s->path, list[i].what, n);
        sqlite3_finalize(st);
        all += n;
    }
    return all;
}

/* Two ordered lists side by side. */
struct side {
    struct store *store;
    sqlite3_stmt *st;
    char *last;
    bool more;
    size_t rows, doubled;
};

static void advance(struct side *x, const struct fact *f)
{
    for (;;) {
        x->more = next(x->store, f, x->st);
        if (!x->more)
            break;
        x->rows++;
        if (!x->last || strcmp(x->last, text(x->st, 0)) != 0)
            break;
        if (++x->doubled <= MENTIONED_MAX)
            printf("%s: %s %s is there twice\n", x->store->path, f->what, x->last);
    }
    free(x->last);
    x->last = x->more ? strdup(text(x->st, 0)) : NULL;
}

static size_t compare(struct store *a, struct store *b, const struct fact *f, size_t *ret_rows)
{
    struct side x = { .store = a, .st = ask(a, f) }, y = { .store = b, .st = ask(b, f) };
    size_t n = 0;

    advance(&x, f);
    advance(&y, f);
    while (x.more || y.more) {
        int order = !x.more ? 1 : !y.more ? -1 : strcmp(x.last, y.last);
        bool same = order == 0 && strcmp(text(x.st, 1), text(y.st, 1)) == 0;

        if (!same && ++n <= MENTIONED_MAX) {
            if (order == 0)
                printf("%s %s differs:\n  %s: %s\n  %s: %s\n", f->what, x.last, a->path,
                       text(x.st, 1), b->path, text(y.st, 1));
            else
                printf("%s %s is missing in %s\n", f->what, order < 0 ? x.last : y.last,
                       order < 0 ? b->path : a->path);
        }
        if (order <= 0)
            advance(&x, f);
        if (order >= 0)
            advance(&y, f);
    }
    if (n > MENTIONED_MAX)
        printf("%s: %zu differences in all\n", f->what, n);
    *ret_rows += x.rows;
    sqlite3_finalize(x.st);
    sqlite3_finalize(y.st);
    return n + x.doubled + y.doubled;
}

int main(int argc, char **argv)
{
    struct store s[2] = { 0 };
    const char *acked = NULL, *effects = NULL;
    size_t stores = 0, n = 0, rows = 0;
    bool open = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--open") == 0)
            open = true;
        else if (strcmp(argv[i], "--acked") == 0 && i + 1 < argc)
            acked = argv[++i];
        else if (strcmp(argv[i], "--effects") == 0 && i + 1 < argc)
            effects = argv[++i];
        else if (stores < 2)
            s[stores++].path = argv[i];
    }
    if (stores == 0) {
        fprintf(stderr, "usage: compare STORE [OTHER] [--acked FILE] [--effects FILE] [--open]\n");
        return 2;
    }
    for (size_t k = 0; k < stores; k++)
        open_store(&s[k]);
    if (acked)
        read_lines(&s[0], acked, "INSERT INTO temp.acked VALUES (?1, ?2, ?3)");
    if (effects)
        read_lines(&s[0], effects,
                   "INSERT INTO temp.effect SELECT ?2 WHERE ?1 <> '' AND ?3 IS NOT NULL");
    for (size_t k = 0; k < stores; k++)
        n += look(&s[k], wrongs, ARRAY_LEN(wrongs)) +
             (open ? 0 : look(&s[k], unfinished, ARRAY_LEN(unfinished)));
    for (size_t i = 0; stores == 2 && i < ARRAY_LEN(facts); i++)
        n += compare(&s[0], &s[1], &facts[i], &rows);
    n += unreadable;
    if (n)
        printf("%zu differences\n", n);
    else
        printf("sound%s: %zu rows\n", stores == 2 ? " and the same" : "", rows);
    for (size_t k = 0; k < stores; k++)
        (void)sqlite3_close(s[k].db);
    return n ? 1 : 0;
}
