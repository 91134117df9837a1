/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - a job's committed result against one made again in a scratch store (keep.h). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "store/keep/keep_private.h"
#include "store/store_private.h"

enum { DIFFERENCES_MAX = 20, CHUNK = 1 << 20 };

/* ---- choosing ---- */

struct choice {
    uint64_t job;
    struct digest order; /* of the seed and the key: the same sample in every copy of a store */
};

static int by_order(const void *a, const void *b)
{
    return memcmp(((const struct choice *)a)->order.b, ((const struct choice *)b)->order.b,
                  DIGEST_BYTES);
}

static int by_job(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;

    return x->job < y->job ? -1 : x->job > y->job;
}

static struct digest order_of(uint64_t seed, const struct digest *key)
{
    struct digester d;

    digest_begin(&d);
    digest_add_u64(&d, seed);
    digest_add_bytes(&d, key->b, DIGEST_BYTES);
    return digest_end(&d);
}

int replay_choose(struct store *s, uint64_t experiment, uint64_t run, uint64_t sample,
                  uint64_t seed, struct store_ids *ret, struct err *err)
{
    struct stmt *st = run ? USE(s, REPLAY_JOBS_OF_RUN) : USE(s, REPLAY_JOBS_OF_EXPERIMENT);
    CLEANUP(mem_cleanup) struct choice *list = NULL;
    size_t n = 0, cap = 0;
    int rc;

    stmt_u64(st, run ? ":run" : ":experiment", run ? run : experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        struct digest key = stmt_col_digest(st, 1);

        if (n == cap) {
            cap = MAX(256, 2 * cap);
            list = mem_realloc(list, cap, sizeof *list);
        }
        list[n++] = (struct choice){ stmt_col_u64(st, 0), order_of(seed, &key) };
    }
    if (rc < 0)
        return rc;
    if (!run && sample > 0 && sample < n) {
        qsort(list, n, sizeof *list, by_order);
        n = (size_t)sample;
        qsort(list, n, sizeof *list, by_job);
    }
    for (size_t i = 0; i < n; i++)
        store_ids_add(ret, list[i].job);
    return 0;
}

/* ---- putting a job into the scratch store ---- */

struct head {
    char state[16];
    bool diverged;
    uint64_t attempt, begin, end, family;
};

static int load_head(struct store *s, uint64_t job, struct replay_job *j, struct head *ret,
                     struct err *err)
{
    struct stmt *st = USE(s, JOB_HEAD);
    int rc;

    stmt_u64(st, ":id", job);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)job);
    *ret = (struct head){ .diverged = stmt_col(st, 5) != 0,
                          .attempt = stmt_col_u64(st, 6),
                          .begin = stmt_col_u64(st, 7),
                          .end = stmt_col_u64(st, 8),
                          .family = stmt_col_u64(st, 9) };
    stmt_copy_text(st, 4, ret->state, sizeof ret->state);
    if (j) {
        j->key = stmt_col_digest(st, 0);
        stmt_copy_text(st, 1, j->kind, sizeof j->kind);
        stmt_copy_text(st, 2, j->step, sizeof j->step);
        stmt_copy_text(st, 3, j->class, sizeof j->class);
    }
    stmt_reset(st);
    return 0;
}

/* The bytes of blob D of FROM become a blob of TO: the same file, or else a copy. */
static int hand_over(struct blobs *from, struct blobs *to, const struct digest *d, uint64_t size,
                     struct err *err)
{
    CLEANUP(mem_cleanup) char *bytes = mem_calloc(1, CHUNK);
    uint64_t have = 0;
    bool complete = false;
    size_t len = 0;
    int rc = blobs_write_chunk(to, d, size, 0, NULL, 0, &have, &complete, err);

    while (rc == 0 && !complete) {
        rc = blobs_read(from, d, have, CHUNK, bytes, &len, NULL, err);
        if (rc == 0 && len == 0)
            return err_set(err, ERR_CORRUPT, "a blob is shorter than its row says");
        if (rc == 0)
            rc = blobs_write_chunk(to, d, size, have, bytes, len, &have, &complete, err);
    }
    return rc;
}

/* The files that manifest D names: ours are handed over, the user's are used where they are. */
static int hand_over_members(struct store *s, struct store *scratch, const struct digest *d,
                             struct err *err)
{
    CLEANUP(mem_cleanup) struct store_member *members = NULL;
    size_t len = 0;
    int rc = store_members(s->blobs, d, &members, &len, err);

    for (size_t i = 0; rc == 0 && i < len; i++) {
        const struct store_member *m = &members[i];
        struct store_blob user;

        if (blobs_have(s->blobs, &m->digest, NULL)) {
            rc = hand_over(s->blobs, scratch->blobs, &m->digest, m->size, err);
            continue;
        }
        rc = store_blob_find(s, &m->digest, &user, err);
        if (rc == 0)
            rc = store_submit_file(scratch, &m->digest, m->size, user.path, false, err);
    }
    return rc;
}

/* Input IN of job J as a blob of SCRATCH. */
static int put_input(struct store *s, struct store *scratch, uint64_t job, struct store_input *in,
                     struct err *err)
{
    CLEANUP(buf_release) struct buf rows = { 0 };
    uint64_t size = in->size_bytes;
    int rc;

    if (in->source == STORE_RESULTS) {
        rc = store_collect(s, job, &rows, err);
        if (rc == 0)
            rc = blobs_put(scratch->blobs, buf_str(&rows), rows.len, &in->digest, err);
        in->size_bytes = rows.len;
        in->source = STORE_BLOB;
        in->folder = false;
        return rc;
    }
    in->source = STORE_BLOB;
    if (!blobs_have(s->blobs, &in->digest, &size)) {
        if (in->path[0] && access(in->path, R_OK) == 0)
            return 0; /* the user's file, used in place */
        return err_set(err, ERR_NOT_FOUND,
                       "its input \"%s\" is gone; submit the recipe again to make it", in->name);
    }
    in->size_bytes = size;
    rc = hand_over(s->blobs, scratch->blobs, &in->digest, size, err);
    return rc == 0 && in->folder ? hand_over_members(s, scratch, &in->digest, err) : rc;
}

static int put_families(struct store *scratch, const struct store_job *j,
                        struct store_job_family *ret, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < j->families_len; i++) {
        struct store_family f = j->families[i];

        ret[i].examples = f.examples;
        rc = store_submit_family(scratch, &f, &ret[i].family, err);
    }
    return rc;
}

/* What a select job chooses among: a run of SCRATCH for each. */
static int put_candidates(struct store *s, struct store *scratch,
                          const struct store_submission *sub, const struct store_job *j,
                          struct store_candidate **ret, size_t *ret_len, struct err *err)
{
    struct stmt *st = USE(s, REPLAY_CANDIDATES);
    int rc;

    stmt_u64(st, ":job", j->id);
    while ((rc = stmt_step(st, err)) > 0) {
        *ret = mem_realloc(*ret, *ret_len + 1, sizeof **ret);
        (*ret)[(*ret_len)++] = (struct store_candidate){ .candidate = stmt_col_digest(st, 0) };
    }
    for (size_t i = 0; rc == 0 && i < *ret_len; i++) {
        struct digester d;
        struct digest point;

        digest_begin(&d);
        digest_add_bytes(&d, j->key.b, DIGEST_BYTES);
        digest_add_bytes(&d, (*ret)[i].candidate.b, DIGEST_BYTES);
        point = digest_end(&d);
        rc = store_submit_run(scratch, sub, &point, 0, NULL, 0, &(*ret)[i].run, err);
    }
    return rc;
}

static int submit(struct store *s, struct store *scratch, struct store_submission *sub,
                  uint64_t run, struct store_job *j, struct err *err)
{
    CLEANUP(mem_cleanup)
    struct store_job_family *families = mem_calloc(MAX(j->families_len, 1), sizeof *families);
    struct store_job_spec spec = { .key = j->key,
                                   .kind = j->kind,
                                   .numeric_class = j->numeric_class,
                                   .step = j->step,
                                   .kind_version = j->kind_version,
                                   .params = j->params,
                                   .params_len = j->params_len,
                                   .begin = j->begin,
                                   .end = j->end,
                                   .seed = j->seed,
                                   .inputs = j->inputs,
                                   .inputs_len = j->inputs_len,
                                   .runs = &run,
                                   .runs_len = 1,
                                   .families = families,
                                   .families_len = j->families_len };
    CLEANUP(mem_cleanup) struct store_candidate *candidates = NULL;
    uint64_t id;
    int rc = put_families(scratch, j, families, err);

    if (rc == 0)
        rc = put_candidates(s, scratch, sub, j, &candidates, &spec.candidates_len, err);
    spec.candidates = candidates;
    for (size_t i = 0; rc == 0 && i < j->inputs_len; i++)
        rc = put_input(s, scratch, j->id, &j->inputs[i], err);
    return rc == 0 ? store_submit_job(scratch, sub, &spec, &id, err) : rc;
}

static void release_job(struct store_job *j)
{
    store_job_release(j);
}

static bool offered(const char *classes, const char *class)
{
    size_t n = strlen(class);

    for (const char *line = classes; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, class, n) == 0 && (line[n] == '\n' || line[n] == '\0'))
            return true;
    }
    return false;
}

/* Can it be replayed at all? Else *WHY. */
static bool can_replay(const struct replay_job *job, const struct head *head, const char *classes,
                       struct err *why)
{
    if (strcmp(head->state, "DONE") != 0)
        err_set(why, ERR_NOT_FOUND, "it has no result, it is %s", head->state);
    else if (head->attempt == 0)
        err_set(why, ERR_NOT_FOUND, "other jobs gave all of its examples");
    else if (!offered(classes, job->class))
        err_set(why, ERR_NOT_FOUND,
                "its bits can only be made where `drover worker --classes` lists %.100s",
                job->class);
    else
        return true;
    return false;
}

int replay_put(struct store *s, struct store *scratch, struct store_submission *sub, uint64_t run,
               const char *classes, struct replay_job *job, struct err *err)
{
    CLEANUP(release_job) struct store_job j = { 0 };
    struct head head;
    struct err why = { 0 };
    int rc = load_head(s, job->job, job, &head, err);

    if (rc < 0)
        return rc;
    job->ready = false;
    if (can_replay(job, &head, classes, &why)) {
        rc = store_job_load(s, job->job, &j, &why);
        if (rc == 0)
            rc = submit(s, scratch, sub, run, &j, &why);
        job->ready = rc == 0;
    }
    snprintf(job->why, sizeof job->why, "%.290s", why.text);
    return rc == ERR_FULL || rc == ERR_IO ? err_set(err, (enum err_code)rc, "%s", why.text) : 0;
}

/* ---- comparing ---- */

struct comparing {
    struct store *s, *scratch;
    struct head here, there; /* s, scratch */
    uint64_t job_here, job_there;
    struct buf *out;
    uint64_t found;
};

static void tell(struct comparing *c, const char *format, ...) PRINTF_LIKE(2, 3);
static void tell(struct comparing *c, const char *format, ...)
{
    char line[400];
    va_list args;

    if (c->found++ >= DIFFERENCES_MAX)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_printf(c->out, "%s\n", line);
}

/* Two listings side by side, each ordered by what comes before its last column's value. */
static struct stmt *output_rows(struct store *s, uint64_t job)
{
    struct stmt *st = USE(s, JOB_OUTPUTS);

    stmt_u64(st, ":job", job);
    return st;
}

static int compare_outputs(struct comparing *c, struct err *err)
{
    struct stmt *a = output_rows(c->s, c->job_here), *b = output_rows(c->scratch, c->job_there);
    int x = stmt_step(a, err), y = stmt_step(b, err);

    while (x > 0 || y > 0) {
        const char *p = x > 0 ? stmt_col_text(a, 0) : NULL;
        const char *q = y > 0 ? stmt_col_text(b, 0) : NULL;
        int order = !p ? 1 : !q ? -1 : strcmp(p, q);
        struct digest d = { { 0 } }, e = { { 0 } };
        char hex[2][DIGEST_HEX];

        if (order <= 0)
            d = stmt_col_digest(a, 1);
        if (order >= 0)
            e = stmt_col_digest(b, 1);
        if (order < 0)
            tell(c, "output \"%s\": the replay has none", p);
        else if (order > 0)
            tell(c, "output \"%s\": only the replay has it", q);
        else if (!digest_equal(&d, &e))
            tell(c, "output \"%s\": committed %s, replay %s", p, digest_hex(&d, hex[0]),
                 digest_hex(&e, hex[1]));
        if (order <= 0)
            x = stmt_step(a, err);
        if (order >= 0)
            y = stmt_step(b, err);
    }
    stmt_reset(a);
    stmt_reset(b);
    return x < 0 ? x : y;
}

static struct stmt *example_rows(struct store *s, const char *kind, const struct head *h)
{
    struct stmt *st =
        kind_is_search(kind) ? USE(s, REPLAY_DIGESTS_LABELS) : USE(s, REPLAY_DIGESTS_SCORES);

    stmt_u64(st, ":family", h->family);
    stmt_u64(st, ":range_begin", h->begin);
    stmt_u64(st, ":range_end", h->end);
    return st;
}

static int compare_examples(struct comparing *c, const char *kind, struct err *err)
{
    struct stmt *a, *b;
    int x, y;

    if (c->here.end <= c->here.begin)
        return 0;
    a = example_rows(c->s, kind, &c->here);
    b = example_rows(c->scratch, kind, &c->there);
    x = stmt_step(a, err);
    y = stmt_step(b, err);
    while (x > 0 && y > 0) {
        struct digest d = stmt_col_digest(a, 1), e = stmt_col_digest(b, 1);
        char hex[2][DIGEST_HEX];

        if (stmt_col(a, 0) != stmt_col(b, 0) || stmt_col(a, 2) != stmt_col(b, 2))
            tell(c, "example %lld: committed %016llx, replay %016llx is another example",
                 (long long)stmt_col(a, 0), (unsigned long long)stmt_col_u64(a, 2),
                 (unsigned long long)stmt_col_u64(b, 2));
        else if (!digest_equal(&d, &e))
            tell(c, "example %016llx (index %lld): committed %.16s, replay %.16s",
                 (unsigned long long)stmt_col_u64(a, 2), (long long)stmt_col(a, 0),
                 digest_hex(&d, hex[0]), digest_hex(&e, hex[1]));
        else if (strcmp(stmt_col_text(a, 3), stmt_col_text(b, 3)) != 0)
            tell(c,
                 "example %016llx (index %lld): the row was altered: it says %.300s, replay %.300s",
                 (unsigned long long)stmt_col_u64(a, 2), (long long)stmt_col(a, 0),
                 stmt_col_text(a, 3), stmt_col_text(b, 3));
        x = stmt_step(a, err);
        y = stmt_step(b, err);
    }
    if (x > 0 || y > 0)
        tell(c, "the number of examples differs");
    stmt_reset(a);
    stmt_reset(b);
    return x < 0 ? x : MIN(y, 0);
}

/* Points of the effective attempt, whatever their chunks. */
static const char points[] =
    "SELECT series.name, CASE WHEN chunk.steps IS NULL THEN chunk.first_step + point.key * "
    "chunk.stride ELSE json_extract(chunk.steps, '$[' || point.key || ']') END, CAST(point.value "
    "AS REAL) FROM series JOIN metric_chunk AS chunk ON chunk.series = series.id AND chunk.level = "
    "0 JOIN json_each(chunk.points) AS point WHERE series.attempt = :attempt ORDER BY 1, 2";

static int compare_points(struct comparing *c, struct stmt *a, struct stmt *b, struct err *err)
{
    int x = stmt_step(a, err), y = stmt_step(b, err);

    while (x > 0 && y > 0) {
        double v = stmt_col_real(a, 2), w = stmt_col_real(b, 2);
        bool same_name = strcmp(stmt_col_text(a, 0), stmt_col_text(b, 0)) == 0;

        if (!same_name || stmt_col(a, 1) != stmt_col(b, 1)) {
            tell(c, "metric \"%s\" at step %lld: the replay has \"%s\" at step %lld there",
                 stmt_col_text(a, 0), (long long)stmt_col(a, 1), stmt_col_text(b, 0),
                 (long long)stmt_col(b, 1));
            return 0; /* from here on everything is shifted */
        }
        if (stmt_is_null(a, 2) != stmt_is_null(b, 2) || memcmp(&v, &w, sizeof v) != 0)
            tell(c, "metric \"%s\" at step %lld: committed %.17g, replay %.17g",
                 stmt_col_text(a, 0), (long long)stmt_col(a, 1), v, w);
        x = stmt_step(a, err);
        y = stmt_step(b, err);
    }
    if (x > 0 || y > 0)
        tell(c, "the number of metric values differs");
    return x < 0 ? x : MIN(y, 0);
}

static int compare_metrics(struct comparing *c, struct err *err)
{
    struct stmt a = { 0 }, b = { 0 };
    int rc = stmt_prepare(&a, c->s->db, points, NULL, err);

    if (rc == 0)
        rc = stmt_prepare(&b, c->scratch->db, points, NULL, err);
    if (rc == 0) {
        stmt_u64(&a, ":attempt", c->here.attempt);
        stmt_u64(&b, ":attempt", c->there.attempt);
        rc = compare_points(c, &a, &b, err);
    }
    stmt_release(&a);
    stmt_release(&b);
    return rc;
}

static int environment_of(struct store *s, uint64_t attempt, struct buf *out, struct err *err)
{
    struct stmt *st = USE(s, ATTEMPT_ENVIRONMENT);
    int rc;

    stmt_u64(st, ":id", attempt);
    rc = stmt_step(st, err);
    if (rc > 0)
        buf_adds(out, stmt_col_text(st, 0));
    stmt_reset(st);
    return rc < 0 ? rc : 0;
}

/* The replay did not come to a result: why? */
static int tell_failure(struct comparing *c, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, c->scratch->db,
                          "SELECT outcome, coalesce(text, '') FROM attempt WHERE job = :job ORDER "
                          "BY epoch DESC LIMIT 1",
                          NULL, err);

    if (rc == 0) {
        stmt_u64(&st, ":job", c->job_there);
        rc = stmt_step(&st, err);
    }
    if (rc > 0)
        tell(c, "the replay gave no result: %s %s", stmt_col_text(&st, 0), stmt_col_text(&st, 1));
    else if (rc == 0)
        tell(c, "the replay gave no result: the job is %s", c->there.state);
    stmt_release(&st);
    return rc < 0 ? rc : 0;
}

static int compare(struct comparing *c, struct replay_job *job, struct err *err)
{
    int rc;

    if (strcmp(c->there.state, "DONE") != 0)
        return tell_failure(c, err);
    job->ended = true;
    if (c->here.diverged != c->there.diverged)
        tell(c, "diverged: committed %s, replay %s", c->here.diverged ? "yes" : "no",
             c->there.diverged ? "yes" : "no");
    rc = compare_outputs(c, err);
    if (rc == 0)
        rc = compare_examples(c, job->kind, err);
    if (rc == 0)
        rc = compare_metrics(c, err);
    if (rc == 0)
        rc = environment_of(c->scratch, c->there.attempt, &job->here, err);
    return rc;
}

int replay_compare(struct store *s, struct store *scratch, struct replay_job *job, struct err *err)
{
    struct comparing c = {
        .s = s, .scratch = scratch, .job_here = job->job, .out = &job->differences
    };
    int rc = load_head(s, job->job, NULL, &c.here, err);

    if (rc == 0)
        rc = store_job_find(scratch, &job->key, &c.job_there, err);
    if (rc == 0)
        rc = load_head(scratch, c.job_there, NULL, &c.there, err);
    if (rc == 0)
        rc = environment_of(s, c.here.attempt, &job->committed, err);
    if (rc == 0)
        rc = compare(&c, job, err);
    if (c.found > DIFFERENCES_MAX)
        buf_printf(&job->differences, "... %llu differences in all\n", (unsigned long long)c.found);
    job->same = rc == 0 && c.found == 0;
    return rc;
}

int replay_record(struct store *s, const struct replay_job *job, struct err *err)
{
    struct stmt *st;
    int rc = store_begin(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, REPLAY_PUT);
    stmt_u64(st, ":job", job->job);
    stmt_int(st, ":now", store_now());
    stmt_text(st, ":verdict", job->same ? "SAME" : "DIFFERENT");
    stmt_text(st, ":text", buf_str(&job->differences));
    stmt_text(st, ":environment", buf_str(&job->here));
    rc = stmt_run(st, err);
    if (rc < 0) {
        store_rollback(s);
        return rc;
    }
    return store_commit(s, err);
}

void replay_job_release(struct replay_job *job)
{
    buf_release(&job->differences);
    buf_release(&job->committed);
    buf_release(&job->here);
}
