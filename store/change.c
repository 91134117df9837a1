/* SPDX-License-Identifier: Apache-2.0 */
#include "store/change.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/sqlite.h"
#include "store/store_private.h"

int store_data_version(struct store *s, uint64_t *ret, struct err *err)
{
    int64_t version = 0;
    int rc = sqlite_number(s->db, "PRAGMA data_version", &version, err);

    *ret = (uint64_t)version;
    return rc;
}

int store_same_schema(struct store *s, struct err *err)
{
    int64_t version = 0;
    int rc = sqlite_number(s->db, "PRAGMA user_version", &version, err);

    if (rc == 0 && version != store_schema_version(s))
        return err_set(err, ERR_VERSION,
                       "%s has schema %" PRId64 " now, this program reads %d: stop it and start "
                       "the one of the newer drover",
                       s->path, version, store_schema_version(s));
    return rc;
}

unsigned store_rest(struct store *s)
{
    unsigned found = 0;

    for (sqlite3_stmt *st = sqlite3_next_stmt(s->db, NULL); st; st = sqlite3_next_stmt(s->db, st)) {
        if (sqlite3_stmt_busy(st)) {
            sqlite3_reset(st);
            found++;
        }
    }
    return found;
}

int store_log_open(const char *path)
{
    char name[STORE_PATH_MAX + 8];

    (void)snprintf(name, sizeof name, "%s-shm", path);
    return open(name, O_RDONLY | O_CLOEXEC);
}

/* The index's header, as SQLite's file format says (walformat.html): twice 48 bytes, in the first
 * the size of a page at 14 (1: 65536) and the last valid frame at 16; the frames that were written
 * back at 96. All in the byte order of this machine. */
void store_log_read(int fd, struct store_log *ret)
{
    enum { PAGE_AT = 14, FRAMES_AT = 16, WRITTEN_AT = 96, HEADER = 100, FRAME_HEADER = 24 };
    unsigned char header[HEADER];
    uint32_t frames, written;
    uint16_t page;

    *ret = (struct store_log){ 0 };
    if (fd < 0 || pread(fd, header, sizeof header, 0) != sizeof header)
        return;
    memcpy(&page, header + PAGE_AT, sizeof page);
    memcpy(&frames, header + FRAMES_AT, sizeof frames);
    memcpy(&written, header + WRITTEN_AT, sizeof written);
    const uint64_t frame = (page == 1 ? 65536u : page) + FRAME_HEADER;
    ret->bytes = frames * frame;
    ret->written = written * frame;
}

/* ---- turns ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t free;
    bool held;
} turn = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

void store_hold_readers(bool hold)
{
    pthread_mutex_lock(&turn.mutex);
    turn.held = hold;
    if (!hold)
        pthread_cond_broadcast(&turn.free);
    pthread_mutex_unlock(&turn.mutex);
}

void store_wait_turn(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (STORE_TURN_MS + 999) / 1000;
    pthread_mutex_lock(&turn.mutex);
    while (turn.held && pthread_cond_timedwait(&turn.free, &turn.mutex, &until) == 0)
        continue;
    pthread_mutex_unlock(&turn.mutex);
}
