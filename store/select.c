/* SPDX-License-Identifier: Apache-2.0 */
/* select.c - halving: among whom a select job chooses, and what its decision does (gate.h). */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "store/gate.h"

/* A survivor takes 81 bytes: room for the 100,000 runs of the largest plan. */
enum { SURVIVORS_BYTES_MAX = 16 << 20 };

static int run_of(struct store *s, enum stmt_id what, uint64_t job, struct err *err)
{
    struct stmt *st = store_use(s, what);

    stmt_u64(st, ":selector", job);
    return stmt_run(st, err);
}

static int put_candidate(struct store *s, uint64_t job, const struct store_candidate *c,
                         struct err *err)
{
    struct stmt *st = USE(s, CANDIDATE_PUT);

    stmt_u64(st, ":selector", job);
    stmt_u64(st, ":run", c->run);
    stmt_digest(st, ":digest", &c->candidate);
    return stmt_run(st, err);
}

static int count_open(struct store *s, uint64_t job, int64_t *ret, struct err *err)
{
    struct stmt *st = USE(s, CANDIDATES_OPEN);

    stmt_u64(st, ":selector", job);
    return stmt_get(st, ret, err);
}

static int read_survivors(struct store *s, const struct digest *digest, struct buf *ret,
                          struct err *err)
{
    uint64_t size = 0;
    size_t len = 0;

    if (!blobs_have(s->blobs, digest, &size))
        return err_set(err, ERR_NOT_FOUND, "the survivors that a select job named are gone");
    if (size > SURVIVORS_BYTES_MAX)
        return err_set(err, ERR_INVALID, "survivors: %llu bytes, at most %d are taken",
                       (unsigned long long)size, SURVIVORS_BYTES_MAX);
    int rc = blobs_read(s->blobs, digest, 0, (size_t)size, buf_reserve(ret, (size_t)size + 1), &len,
                        NULL, err);
    ret->len = rc == 0 ? len : 0;
    return rc;
}

static int choose_line(struct store *s, uint64_t job, const char *line, size_t len, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    struct digest candidate;
    int64_t known = 0;
    int rc = json_parse(line, len, &root, err);

    if (rc < 0)
        return rc;
    const char *hex = json_text(json_get(root, "candidate"));
    if (hex == NULL || digest_parse(hex, &candidate, NULL) < 0)
        return err_set(err, ERR_INVALID, "\"candidate\" must be 64 hex digits");
    struct stmt *st = USE(s, CANDIDATES_CHOOSE);
    stmt_u64(st, ":selector", job);
    stmt_digest(st, ":digest", &candidate);
    rc = stmt_run(st, err);
    if (rc == 0)
        rc = stmt_get(USE(s, CHANGES), &known, err);
    if (rc == 0 && known == 0)
        rc = err_set(err, ERR_INVALID, "%s is no candidate", hex);
    return rc;
}

/* Candidates of JOB: chosen or not. */
static int read_decision(struct store *s, uint64_t job, const struct digest *survivors,
                         struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    size_t number = 0;
    int rc = read_survivors(s, survivors, &text, err);

    if (rc == 0)
        rc = run_of(s, STMT_CANDIDATES_REFUSE, job, err);
    for (size_t at = 0; rc == 0 && at < text.len;) {
        const char *line = text.data + at, *end = memchr(line, '\n', text.len - at);
        const size_t len = end ? (size_t)(end - line) : text.len - at;

        at += len + 1;
        number++;
        if (len > 0)
            rc = choose_line(s, job, line, len, err);
        if (rc < 0)
            return err_wrap(err, rc, "survivors, line %zu", number);
    }
    return rc;
}

int select_decide(struct store *s, uint64_t job, const struct digest *survivors,
                  struct store_ids *ready, struct err *err)
{
    int rc = read_decision(s, job, survivors, err);

    if (rc == 0)
        rc = run_of(s, STMT_CLAIMS_SHUT, job, err);
    if (rc == 0)
        rc = run_of(s, STMT_FAMILIES_SHUT, job, err);
    return rc == 0 ? gate_settle_behind(s, job, ready, err) : rc;
}

/* The decision of the DONE job JOB for candidates that were not there when it was made. */
static int decision_of_before(struct store *s, uint64_t job, bool *ret_known, struct err *err)
{
    struct digest survivors = { { 0 } };
    struct stmt *st;
    int64_t open;
    int rc = run_of(s, STMT_CANDIDATES_COPY, job, err);

    if (rc == 0)
        rc = count_open(s, job, &open, err);
    if (rc < 0 || open == 0) {
        *ret_known = rc == 0;
        return rc;
    }
    st = USE(s, JOB_OUTPUT_GET);
    stmt_u64(st, ":job", job);
    stmt_text(st, ":name", "survivors");
    rc = stmt_step(st, err);
    if (rc > 0) {
        survivors = stmt_col_digest(st, 0);
        stmt_reset(st);
    }
    *ret_known = rc > 0 && blobs_have(s->blobs, &survivors, NULL);
    if (rc < 0 || !*ret_known)
        return rc < 0 ? rc : 0;
    return read_decision(s, job, &survivors, err);
}

int select_put_candidates(struct store *s, uint64_t job, const char *state,
                          const struct store_job_spec *spec, bool *ret_done, struct err *err)
{
    int rc = 0;

    *ret_done = false;
    for (size_t i = 0; rc == 0 && i < spec->candidates_len; i++)
        rc = put_candidate(s, job, &spec->candidates[i], err);
    if (rc == 0 && strcmp(state, "DONE") == 0)
        rc = decision_of_before(s, job, ret_done, err);
    if (rc == 0 && !*ret_done)
        rc = run_of(s, STMT_CANDIDATES_REOPEN, job, err);
    return rc;
}
