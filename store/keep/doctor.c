/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - the checks of the file itself and of where it lies; rows and blobs have files of their
 * own. */
#include "store/keep/doctor.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "common/base/buf.h"
#include "store/keep/doctor_private.h"
#include "store/lock.h"
#include "store/sqlite.h"
#include "store/store_private.h"

#define MIB(BYTES) ((double)(BYTES) / (1 << 20))

static const char restore_remedy[] =
    "stop the coordinator, keep a copy of the files, and go back to a backup; without one: "
    "sqlite3 FILE .recover";

const char *doctor_state_name(enum doctor_state state)
{
    static const char *const names[] = { "ok", "warning", "bad" };

    return names[state];
}

void doctor_tell(struct doctor *d, const char *check, enum doctor_state state, const char *remedy,
                 const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (state > d->worst)
        d->worst = state;
    d->fn(&(struct doctor_finding){ check, state, text, remedy }, d->arg);
}

/* ---- where it lies ---- */

/* File systems of other machines, by the numbers of statfs(2). WAL needs shared memory between all
 * processes that have the file open. */
static const char *network_name(long type)
{
    switch ((unsigned long)type) {
    case 0x6969:
        return "NFS";
    case 0xff534d42:
    case 0xfe534d42:
    case 0x517b:
        return "SMB";
    case 0x0bd00bd0:
        return "Lustre";
    case 0x47504653:
        return "GPFS";
    case 0x00c36400:
        return "Ceph";
    case 0x19830326:
        return "BeeGFS";
    case 0x65735546:
        return "FUSE";
    default:
        return NULL;
    }
}

static void check_place(struct doctor *d)
{
    struct statfs fs;
    struct statvfs space;
    const char *network = NULL;

    if (statfs(d->path, &fs) == 0)
        network = network_name((long)fs.f_type);
    if (network)
        doctor_tell(d, "place", DOCTOR_WARNING,
                    "keep the store on a disk of the coordinator's machine",
                    "it lies on %s; SQLite's log is not safe over a network", network);
    else
        doctor_tell(d, "place", DOCTOR_OK, "", "on a local file system");
    if (statvfs(d->path, &space) != 0)
        return;
    uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
    bool low = free_bytes < (uint64_t)1 << 30;
    doctor_tell(d, "space", low ? DOCTOR_WARNING : DOCTOR_OK,
                low ? "make room, or run drover gc: a full disk stops the coordinator" : "",
                "%.0f MiB are free", MIB(free_bytes));
}

static void check_log(struct doctor *d)
{
    enum { WAL_BYTES_WARN = 256 << 20 };
    struct buf wal CLEANUP(buf_release) = { 0 };
    struct stat st;

    buf_printf(&wal, "%s-wal", d->path);
    if (stat(buf_str(&wal), &st) != 0) {
        doctor_tell(d, "wal", DOCTOR_OK, "", "no write-ahead log: the last writer closed it");
        return;
    }
    bool large = st.st_size > WAL_BYTES_WARN;
    doctor_tell(d, "wal", large ? DOCTOR_WARNING : DOCTOR_OK,
                large ? "some reader keeps an old snapshot: end long queries and open sqlite3 "
                        "shells"
                      : "",
                "the write-ahead log has %.1f MiB", MIB(st.st_size));
}

static void check_writer(struct doctor *d, bool *ret_here)
{
    char endpoint[STORE_ENDPOINT_MAX] = "";
    struct err err = { 0 };
    int pid = 0, rc = lock_holder(d->path, &pid, endpoint, sizeof endpoint, &err);

    *ret_here = rc == 0;
    if (rc == 0)
        doctor_tell(d, "coordinator", DOCTOR_OK, "", "process %d has it%s%s", pid,
                    *endpoint ? " and listens at " : "", endpoint);
    else
        doctor_tell(d, "coordinator", DOCTOR_OK, "", "none is running");
}

/* ---- the file ---- */

/* The lines that a PRAGMA says: the first few in TEXT, their number in *RET_N. "ok" counts none. */
static int pragma_lines(struct doctor *d, const char *sql, struct buf *text, uint64_t *ret_n,
                        struct err *err)
{
    enum { SHOWN = 5 };
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, d->s->db, sql, NULL, err);

    *ret_n = 0;
    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        const char *line = stmt_col_text(&st, 0);

        rc = 0;
        if (line && strcmp(line, "ok") == 0)
            continue;
        if ((*ret_n)++ < SHOWN)
            buf_printf(text, "%s%s", text->len ? "; " : "", line ? line : "?");
    }
    stmt_release(&st);
    return rc;
}

static int check_structure(struct doctor *d, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    uint64_t n = 0;
    int rc = pragma_lines(d, d->deep ? "PRAGMA integrity_check(100)" : "PRAGMA quick_check(100)",
                          &text, &n, err);

    if (rc == ERR_CORRUPT) {
        doctor_tell(d, "structure", DOCTOR_BAD, restore_remedy, "%s", err->text);
        return rc;
    }
    if (rc == 0 && n > 0)
        doctor_tell(d, "structure", DOCTOR_BAD, restore_remedy, "%llu faults: %s",
                    (unsigned long long)n, buf_str(&text));
    else if (rc == 0)
        doctor_tell(d, "structure", DOCTOR_OK, "", "%s",
                    d->deep ? "pages, rows and indexes agree" : "pages and rows are sound");
    return rc;
}

static int check_references(struct doctor *d, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    uint64_t n = 0;
    int rc = pragma_lines(
        d, "SELECT \"table\" || ' names a missing ' || parent FROM pragma_foreign_key_check", &text,
        &n, err);

    if (rc < 0)
        return rc;
    if (n > 0)
        doctor_tell(d, "references", DOCTOR_BAD, restore_remedy, "%llu rows: %s",
                    (unsigned long long)n, buf_str(&text));
    else
        doctor_tell(d, "references", DOCTOR_OK, "", "every row that is named is there");
    return 0;
}

static int check_open_attempts(struct doctor *d, bool writer, struct err *err)
{
    int64_t n = 0;
    int rc =
        sqlite_number(d->s->db, "SELECT count(*) FROM attempt WHERE outcome = 'RUNNING'", &n, err);

    if (rc == 0 && n > 0 && !writer)
        doctor_tell(d, "attempts", DOCTOR_WARNING,
                    "start a coordinator on the store: it waits for their workers, then gives the "
                    "jobs out again",
                    "%lld attempts have begun and not ended, and no coordinator runs",
                    (long long)n);
    else if (rc == 0)
        doctor_tell(d, "attempts", DOCTOR_OK, "", "%lld are running", (long long)n);
    return rc;
}

int store_doctor(const char *path, bool deep, doctor_fn fn, void *arg, enum doctor_state *ret,
                 struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct doctor d = { .path = path, .deep = deep, .fn = fn, .arg = arg };
    bool writer = false;
    int rc = store_open_read(&s, path, err);

    *ret = DOCTOR_OK;
    if (rc == ERR_CORRUPT) {
        doctor_tell(&d, "structure", DOCTOR_BAD, restore_remedy, "%s", err->text);
        *ret = d.worst;
        return 0;
    }
    if (rc < 0)
        return rc;
    d.s = s;
    check_place(&d);
    check_log(&d);
    check_writer(&d, &writer);
    rc = check_structure(&d, err);
    if (rc == 0)
        rc = check_references(&d, err);
    if (rc == 0)
        rc = check_open_attempts(&d, writer, err);
    if (rc == 0)
        rc = doctor_rows(&d, err);
    if (rc == 0)
        rc = doctor_blobs(&d, err);
    *ret = d.worst;
    if (rc == ERR_CORRUPT) {
        if (d.worst < DOCTOR_BAD)
            doctor_tell(&d, "structure", DOCTOR_BAD, restore_remedy, "%s", err->text);
        *ret = DOCTOR_BAD;
        return 0;
    }
    return rc;
}
