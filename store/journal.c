/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - incarnations, workers, events (store.h). */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store/store_private.h"

int store_event(struct store *s, const char *kind, uint64_t job, uint64_t attempt, const char *text,
                struct err *err)
{
    struct stmt *st;
    int rc = item_begin(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, EVENT_ADD);
    stmt_int(st, ":now", store_now());
    stmt_u64(st, ":incarnation", s->incarnation);
    stmt_text(st, ":kind", kind);
    stmt_u64(st, ":job", job);
    stmt_u64(st, ":attempt", attempt);
    stmt_text(st, ":text", text);
    return item_end(s, stmt_run(st, err), err);
}

int store_new_incarnation(struct store *s, uint64_t *ret, struct err *err)
{
    int64_t next;
    int rc = store_begin(s, err);

    if (rc < 0)
        return rc;
    rc = stmt_get(USE(s, INCARNATION_NEXT), &next, err);
    if (rc == 0) {
        s->incarnation = (uint64_t)next;
        rc = store_event(s, "started", 0, 0, "coordinator started", err);
    }
    if (rc < 0) {
        store_rollback(s);
        s->incarnation = 0;
        return rc;
    }
    *ret = s->incarnation;
    return store_commit(s, err);
}

int store_worker_seen(struct store *s, const struct store_worker *w, uint64_t *ret, struct err *err)
{
    struct stmt *st;
    int64_t id = 0;
    int rc = item_begin(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, WORKER_PUT);
    stmt_bytes(st, ":uid", w->uid, sizeof w->uid);
    stmt_text(st, ":name", w->name);
    stmt_text(st, ":host", w->host);
    stmt_int(st, ":pid", w->pid);
    stmt_text(st, ":version", w->version);
    stmt_text(st, ":classes", w->classes);
    stmt_int(st, ":slots", w->slots);
    stmt_int(st, ":threads", w->threads);
    stmt_int(st, ":now", store_now());
    stmt_text(st, ":environment", w->environment);
    rc = stmt_get(st, &id, err);
    *ret = (uint64_t)id;
    return item_end(s, rc, err);
}

int store_worker_gone(struct store *s, uint64_t worker, const char *why, struct err *err)
{
    struct stmt *st;
    int rc = item_begin(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, WORKER_GONE);
    stmt_u64(st, ":id", worker);
    stmt_text(st, ":why", why);
    return item_end(s, stmt_run(st, err), err);
}

/* Bytes of the beginning of TEXT that are at most MAX, no character cut in two. */
static size_t cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);

    if (len <= max)
        return len;
    for (len = max; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
        len--;
    return len;
}

int store_audit(struct store *s, const struct store_deed *d, struct err *err)
{
    enum { TEXT_MAX = 1000 };
    const char *text = d->text ? d->text : "";
    struct stmt *st;
    int rc = item_check(s, err); /* one row */

    if (rc < 0)
        return rc;
    st = USE(s, AUDIT_ADD);
    stmt_int(st, ":now", store_now());
    stmt_text(st, ":who", d->who ? d->who : "");
    stmt_text(st, ":role", d->role ? d->role : "");
    stmt_text(st, ":peer", d->peer ? d->peer : "");
    stmt_text(st, ":what", d->what);
    stmt_text_len(st, ":text", text, cut(text, TEXT_MAX));
    return stmt_run(st, err);
}
