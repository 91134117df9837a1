/* SPDX-License-Identifier: Apache-2.0 */
#include "store/frames.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "store/sqlite.h"
#include "store/store_private.h"

enum { LOG_HEADER = 32, FRAME_HEADER = 24, PAGE_MAX = 65536 };
/* The magic number's last bit: sums are over big-endian words. */
enum { MAGIC = 0x377f0682 };

struct log {
    int fd;
    uint32_t page_bytes;
    bool big_endian;
    unsigned char salt[8];
    uint32_t sum[2]; /* of all frames so far */
};

struct frame {
    uint32_t page;
    bool commits;
    unsigned char head[FRAME_HEADER];
};

static uint32_t big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void add_sum(struct log *log, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        log->sum[0] += (log->big_endian ? big32 : little32)(bytes + i) + log->sum[1];
        log->sum[1] += (log->big_endian ? big32 : little32)(bytes + i + 4) + log->sum[0];
    }
}

static bool sound_page_bytes(uint32_t bytes)
{
    return bytes >= 512 && bytes <= PAGE_MAX && (bytes & (bytes - 1)) == 0;
}

/* False: there is none, or SQLite would not begin with it. */
static bool log_open(struct log *log, const char *path)
{
    unsigned char head[LOG_HEADER];
    char name[STORE_PATH_MAX + 8];

    (void)snprintf(name, sizeof name, "%s-wal", path);
    *log = (struct log){ .fd = open(name, O_RDONLY | O_CLOEXEC) };
    if (log->fd < 0)
        return false;
    if (pread(log->fd, head, sizeof head, 0) == sizeof head && (big32(head) | 1) == (MAGIC | 1)) {
        log->big_endian = big32(head) & 1;
        log->page_bytes = big32(head + 8);
        memcpy(log->salt, head + 16, sizeof log->salt);
        add_sum(log, head, 24);
        if (sound_page_bytes(log->page_bytes) && log->sum[0] == big32(head + 24) &&
            log->sum[1] == big32(head + 28))
            return true;
    }
    (void)close(log->fd);
    return false;
}

static off_t offset_of(const struct log *log, uint64_t frame)
{
    return LOG_HEADER + (off_t)(frame * (FRAME_HEADER + log->page_bytes));
}

/* False: the log ends before frame I, or what stands there is from before it was begun anew. */
static bool frame_at(const struct log *log, uint64_t i, struct frame *ret)
{
    if (pread(log->fd, ret->head, FRAME_HEADER, offset_of(log, i)) != FRAME_HEADER ||
        memcmp(ret->head + 8, log->salt, sizeof log->salt) != 0)
        return false;
    ret->page = big32(ret->head);
    ret->commits = big32(ret->head + 4) != 0;
    return true;
}

static uint64_t sum_of(const unsigned char *page, uint32_t bytes)
{
    struct digest d = digest_of(page, bytes);

    return digest_u64(&d);
}

static bool read_page(const struct log *log, uint64_t frame, unsigned char *page)
{
    return pread(log->fd, page, log->page_bytes, offset_of(log, frame) + FRAME_HEADER) ==
           (ssize_t)log->page_bytes;
}

struct last_page frames_last_page(const char *path)
{
    struct last_page ret = { 0 }, last = { 0 };
    unsigned char page[PAGE_MAX];
    uint64_t at = 0, ret_at = 0;
    struct frame frame;
    struct log log;

    if (!log_open(&log, path))
        return ret;
    for (uint64_t i = 0; frame_at(&log, i, &frame); i++) {
        if (frame.page >= last.number) {
            last.number = frame.page;
            at = i;
        }
        if (frame.commits) {
            ret = last;
            ret_at = at;
        }
    }
    if (ret.number > 0 && read_page(&log, ret_at, page))
        ret.sum = sum_of(page, log.page_bytes);
    else
        ret.number = 0;
    (void)close(log.fd);
    return ret;
}

bool frames_in_file(struct sqlite3 *db, const struct last_page *page)
{
    unsigned char head[18], bytes[PAGE_MAX];

    if (page->number == 0 || !sqlite_file_bytes(db, 0, head, sizeof head))
        return false;
    uint32_t size = (uint32_t)head[16] << 8 | head[17];
    size = size == 1 ? PAGE_MAX : size;
    return sound_page_bytes(size) &&
           sqlite_file_bytes(db, (page->number - 1) * size, bytes, size) &&
           sum_of(bytes, size) == page->sum;
}

bool frames_readable(const char *path)
{
    unsigned char page[PAGE_MAX];
    bool readable = false, sound = true;
    struct frame frame;
    struct log log;

    if (!log_open(&log, path))
        return false;
    for (uint64_t i = 0; sound && !readable && frame_at(&log, i, &frame); i++) {
        add_sum(&log, frame.head, 8);
        sound = read_page(&log, i, page);
        if (sound)
            add_sum(&log, page, log.page_bytes);
        sound =
            sound && log.sum[0] == big32(frame.head + 16) && log.sum[1] == big32(frame.head + 20);
        readable = sound && frame.commits;
    }
    (void)close(log.fd);
    return readable;
}
