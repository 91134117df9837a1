/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - "17", "job 5", "3f9a01c2": which run or job people mean. */
#include <ctype.h>
#include <string.h>

#include "store/reports/private.h"
#include "store/store_private.h"

enum { KEY_DIGITS_MIN = 6, NUMBER_DIGITS_MAX = 18 };

/* Digits only, and a row number. */
static bool read_number(const char *s, uint64_t *ret)
{
    uint64_t v = 0;

    if (!*s || strlen(s) > NUMBER_DIGITS_MAX)
        return false;
    for (; *s; s++) {
        if (!isdigit((unsigned char)*s))
            return false;
        v = 10 * v + (uint64_t)(*s - '0');
    }
    *ret = v;
    return v > 0;
}

/* Behind one of the words for it, and blanks, ':' or '/': where the number starts; else NULL. */
static const char *behind(const char *text, const char *word, const char *letter)
{
    const char *words[] = { word, letter };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const size_t len = strlen(words[i]);
        if (strncasecmp(text, words[i], len) != 0)
            continue;
        const char *rest = text + len;
        while (*rest == ' ' || *rest == ':' || *rest == '/')
            rest++;
        if (isdigit((unsigned char)*rest))
            return rest;
    }
    return NULL;
}

static int check_number(struct store *s, bool job, uint64_t id, struct err *err)
{
    struct stmt *st = job ? USE(s, REPORT_JOB_THERE) : USE(s, REPORT_RUN_THERE);
    const char *what = job ? "job" : "run";
    int64_t found, last = 0;
    int rc;

    stmt_u64(st, ":id", id);
    rc = stmt_get(st, &found, err);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = stmt_get(job ? USE(s, REPORT_JOB_LAST) : USE(s, REPORT_RUN_LAST), &last, err);
    if (rc)
        return rc;
    if (!last)
        return err_set(err, ERR_NOT_FOUND, "no %s %llu: %s holds no %ss yet", what,
                       (unsigned long long)id, store_path(s), what);
    return err_set(err, ERR_NOT_FOUND, "no %s %llu in %s: they go up to %lld%s", what,
                   (unsigned long long)id, store_path(s), (long long)last,
                   job ? "" : "; drover runs lists them, and a job is written j17");
}

static bool read_key(const char *hex, struct digest *first, struct digest *last)
{
    const size_t len = strlen(hex);

    if (len < KEY_DIGITS_MIN || len > 2 * DIGEST_BYTES)
        return false;
    memset(first->b, 0x00, DIGEST_BYTES);
    memset(last->b, 0xff, DIGEST_BYTES);
    for (size_t i = 0; i < len; i++) {
        const int c = tolower((unsigned char)hex[i]);
        const int shift = i % 2 ? 0 : 4;
        if (!isxdigit(c))
            return false;
        const int v = isdigit(c) ? c - '0' : c - 'a' + 10;
        first->b[i / 2] = (uint8_t)(first->b[i / 2] | v << shift);
        last->b[i / 2] = (uint8_t)((last->b[i / 2] & ~(0xf << shift)) | v << shift);
    }
    return true;
}

static int find_key(struct store *s, const char *hex, const struct digest *first,
                    const struct digest *last, uint64_t *ret, struct err *err)
{
    struct stmt *st = USE(s, REPORT_JOB_BY_KEY);
    struct buf all CLEANUP(buf_release) = { 0 };
    size_t found = 0;
    int rc;

    stmt_digest(st, ":first", first);
    stmt_digest(st, ":last", last);
    while ((rc = stmt_step(st, err)) > 0) {
        *ret = stmt_col_u64(st, 0);
        buf_printf(&all, "%s%.16s (j%llu)", found++ ? ", " : "", stmt_col_text(st, 1),
                   (unsigned long long)*ret);
    }
    if (rc < 0)
        return rc;
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "no job whose key begins with %.64s in %s", hex,
                       store_path(s));
    if (found > 1)
        return err_set(err, ERR_INVALID, "several keys begin with %.64s: %s; give more digits", hex,
                       buf_str(&all));
    return 0;
}

int report_target(struct store *s, const char *text, struct target *ret, struct err *err)
{
    struct digest first, last;
    const char *number;

    *ret = (struct target){ 0 };
    if ((number = behind(text, "job", "j")))
        ret->job = true;
    else if (!(number = behind(text, "run", "r")))
        number = text;
    if (read_number(number, &ret->id))
        return check_number(s, ret->job, ret->id, err);
    ret->job = true;
    if (read_key(text, &first, &last))
        return find_key(s, text, &first, &last, &ret->id, err);
    return err_set(
        err, ERR_INVALID,
        "\"%.60s\" is no run and no job: write a run as 17, a job as j17 or by the first "
        "%d or more digits of its key",
        text, KEY_DIGITS_MIN);
}

int report_target_run(struct store *s, const char *text, uint64_t *ret, struct err *err)
{
    struct target t;
    int rc = report_target(s, text, &t, err);

    if (!rc && t.job)
        rc = err_set(err, ERR_INVALID, "\"%.60s\" is a job; a run is wanted, e.g. 17", text);
    *ret = t.id;
    return rc;
}

int report_experiment(struct report_call *c, const char *name, uint64_t *ret, struct err *err)
{
    return store_find_experiment(c->s, arg_text(c, name, ""), ret, err);
}
