/* SPDX-License-Identifier: Apache-2.0 */
/* operate.c - what an administrator asks for: that workers leave, and copies of the store. */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "coordinator/shell.h"
#include "store/backup.h"

static void send_controlled(struct server *s, uint64_t peer, uint64_t request, uint32_t jobs,
                            const struct buf *text, bool unfinished)
{
    Drover__Controlled m = DROVER__CONTROLLED__INIT;

    m.jobs = jobs;
    m.text = (char *)(uintptr_t)buf_str(text);
    m.unfinished = unfinished;
    shell_send(s, peer, DROVER__ENVELOPE__BODY_CONTROLLED, &m, request);
}

/* ---- drain ---- */

/* Nobody has the NAME that was asked for. */
static void refuse_name(struct server *s, const char *name, uint64_t request)
{
    const char **names CLEANUP(mem_cleanup) =
        mem_calloc(HASH_COUNT(s->workers) + 1, sizeof(*names));
    struct buf text CLEANUP(buf_release) = { 0 };
    const char *near;
    size_t n = 0;

    for (const struct shell_worker *w = s->workers; w; w = w->hh.next)
        names[n++] = w->name;
    near = nearest_find(name, names);
    buf_printf(&text, "no worker is called \"%s\"%s%s%s; drover workers lists them", name,
               near ? ", did you mean \"" : "", near ? near : "", near ? "\"" : "");
    shell_refuse(s, s->peer, request, ERR_NOT_FOUND, buf_str(&text));
}

void shell_drain(struct server *s, const Drover__Control *m, uint64_t request)
{
    uint64_t *ids CLEANUP(mem_cleanup) = mem_calloc(HASH_COUNT(s->workers) + 1, sizeof(*ids));
    struct buf text CLEANUP(buf_release) = { 0 };
    const uint64_t peer = s->peer;
    size_t n = 0;

    for (const struct shell_worker *w = s->workers; w; w = w->hh.next)
        if (!*m->worker || strcmp(w->name, m->worker) == 0)
            ids[n++] = w->id;
    if (n == 0 && *m->worker) {
        refuse_name(s, m->worker, request);
        return;
    }
    buf_printf(&text, "%zu worker%s told to leave", n, n == 1 ? "" : "s");
    log_info("drain", "worker=\"%s\" workers=%zu", m->worker, n);
    for (size_t i = 0; i < n && !s->failed; i++) {
        struct sched_event e = { .kind = EV_DRAIN, .drain = { .worker = ids[i] } };

        s->message = NULL; /* the event is not the message's */
        shell_step(s, &e);
    }
    if (!s->failed)
        send_controlled(s, peer, request, (uint32_t)n, &text, false);
}

/* ---- backup ---- */

struct backup_work {
    struct shell_backup *state; /* lives longer than the thread */
    char *path;
    bool blobs;
};

static void work_free(void *arg)
{
    struct backup_work *w = arg;

    free(w->path);
    free(w);
}

static bool on_progress(uint64_t done, uint64_t total, void *arg)
{
    struct shell_backup *b = arg;

    atomic_store(&b->done, done);
    atomic_store(&b->all, total);
    return !atomic_load(&b->stop);
}

static void describe(const struct backup_work *w, const struct store_backup_done *d,
                     struct buf *text)
{
    buf_printf(text, "%s: %.1f MiB, checked", w->path, (double)d->bytes / (1 << 20));
    if (w->blobs)
        buf_printf(text, "; %s-blobs: %llu files of %.1f MiB, %llu of them linked", w->path,
                   (unsigned long long)d->files, (double)d->file_bytes / (1 << 20),
                   (unsigned long long)d->links);
}

/* On the thread. */
static int make_backup(struct store *store, void *arg, struct buf *ret, struct err *err)
{
    struct backup_work *w = arg;
    const struct store_backup how = { w->path, w->blobs, on_progress, w->state };
    struct buf text CLEANUP(buf_release) = { 0 };
    Drover__Controlled m = DROVER__CONTROLLED__INIT;
    struct store_backup_done done;
    int rc = store_backup(store, &how, &done, err);

    if (rc < 0) {
        log_warn("backup_failed", "path=\"%s\" reason=\"%s\"", w->path, err->text);
        return rc;
    }
    describe(w, &done, &text);
    log_info("backup", "path=\"%s\" bytes=%llu files=%llu file_bytes=%llu", w->path,
             (unsigned long long)done.bytes, (unsigned long long)done.files,
             (unsigned long long)done.file_bytes);
    m.text = (char *)(uintptr_t)buf_str(&text);
    ret->len += drover__controlled__pack(
        &m, (uint8_t *)buf_reserve(ret, drover__controlled__get_packed_size(&m)));
    return 0;
}

static void wake_loop(void *arg)
{
    loop_wake(arg);
}

static int enqueue(struct server *s, const Drover__Control *m, uint64_t request, struct err *err)
{
    struct backup_work *w;
    int rc = 0;

    if (*m->path != '/')
        return err_set(err, ERR_INVALID,
                       "\"%s\": name the whole path of a file on the coordinator's machine",
                       m->path);
    if (s->backup.on)
        return err_set(err, ERR_CONFLICT, "a backup is being made; try again when it is done");
    if (!s->backup_asker)
        rc = asker_start(&s->backup_asker, s->options.store_path, wake_loop, s->loop, err);
    if (rc < 0)
        return rc;
    atomic_store(&s->backup.done, 0);
    atomic_store(&s->backup.all, 0);
    s->backup.peer = s->peer;
    s->backup.request = request;
    w = mem_calloc(1, sizeof(*w));
    w->state = &s->backup;
    w->path = mem_strdup(m->path);
    w->blobs = m->blobs;
    const struct asker_work work = { DROVER__ENVELOPE__BODY_CONTROLLED, make_backup, work_free, w };
    rc = asker_do(s->backup_asker, s->peer, request, &work, err);
    s->backup.on = rc == 0;
    return rc;
}

void shell_backup(struct server *s, const Drover__Control *m, uint64_t request)
{
    const uint64_t peer = s->peer;
    struct err err = { 0 };
    int rc;

    shell_flush(s); /* what is there by now is in it */
    if (s->failed)
        return;
    s->peer = peer;
    rc = enqueue(s, m, request, &err);
    if (rc < 0)
        shell_refuse(s, peer, request, rc, err.text);
}

void shell_backup_tell(struct server *s)
{
    const double mib = 1 << 20;
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!s->backup.on || s->failed)
        return;
    buf_printf(&text, "%.0f of %.0f MiB", (double)atomic_load(&s->backup.done) / mib,
               (double)atomic_load(&s->backup.all) / mib);
    send_controlled(s, s->backup.peer, s->backup.request, 0, &text, true);
    shell_flush(s);
}

void shell_backup_stop(struct server *s)
{
    atomic_store(&s->backup.stop, true);
    asker_stop(s->backup_asker);
    s->backup_asker = NULL;
}
