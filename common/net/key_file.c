/* SPDX-License-Identifier: Apache-2.0 */
/* key_file.c - files with one key: who may read them is checked, bytes of secrets are wiped. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/net/key.h"

/* The first line that is no comment; NULL: none. */
static const char *first_line(const char *text, size_t *len)
{
    const char *end = text + *len;

    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);

        if (n > 0 && *text != '#') {
            *len = n;
            return text;
        }
        text += n + 1;
    }
    return NULL;
}

/* At most KEY_FILE_MAX bytes of FD. */
static int read_all(int fd, const char *path, char *out, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    ssize_t got = 1;

    while (len < KEY_FILE_MAX && got > 0) {
        got = read(fd, out + len, KEY_FILE_MAX - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            return err_errno(err, errno, "read %s", path);
        else
            len += (size_t)got;
    }
    if (len == KEY_FILE_MAX)
        return err_set(err, ERR_INVALID, "%s: not a key file, it is too long", path);
    *ret_len = len;
    return 0;
}

static int open_error(int number, const char *path, struct err *err)
{
    if (number == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s: no such file", path);
    if (number == EACCES || number == EPERM)
        return err_set(err, ERR_DENIED, "%s: this user may not read it", path);
    return err_errno(err, number, "open %s", path);
}

static int check_mode(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "stat %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s is no file", path);
    /* What root laid for a group (a Kubernetes secret with fsGroup: root's, mode 440) is not ours
     * to close. */
    const bool lent = st.st_uid == 0 && geteuid() != 0;
    if (st.st_mode & (lent ? 037u : 077u))
        return err_set(
            err, ERR_DENIED,
            "%s: others may read this key (mode %03o): chmod 600 %s, and if somebody may "
            "have read it, make a new one",
            path, (unsigned)st.st_mode & 0777, path);
    if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
        return err_set(err, ERR_DENIED, "%s belongs to another user", path);
    return 0;
}

int key_read_file(const char *path, bool private, char text[KEY_FILE_MAX], size_t *ret_len,
                  struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;

    *ret_len = 0;
    if (fd < 0)
        return open_error(errno, path, err);
    if (private)
        rc = check_mode(fd, path, err);
    if (rc == 0)
        rc = read_all(fd, path, text, ret_len, err);
    (void)close(fd);
    return rc;
}

int key_load(const char *path, struct key_secret *ret, struct err *err)
{
    char text[KEY_FILE_MAX];
    const char *line;
    size_t len = 0;
    int rc = key_read_file(path, true, text, &len, err);

    if (rc == 0) {
        line = first_line(text, &len);
        rc = key_parse_secret(line ? line : "", line ? len : 0, ret, err);
        if (rc < 0)
            (void)err_wrap(err, rc, "%s", path);
    }
    sodium_memzero(text, sizeof(text));
    return rc;
}

int key_read(const char *line_or_file, struct key *ret, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    const char *line;
    size_t len = strlen(line_or_file);
    int rc;

    if (strncmp(line_or_file, "drover-", 7) == 0 && strchr(line_or_file, ' '))
        return key_parse(line_or_file, len, ret, err);
    rc = buf_read_file(&text, line_or_file, KEY_FILE_MAX, err);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, rc, "%.200s: no such file, and no line \"drover-key1 NAME KEY\"",
                       line_or_file);
    if (rc < 0)
        return rc;
    len = text.len;
    line = first_line(buf_str(&text), &len);
    rc = key_parse(line ? line : "", line ? len : 0, ret, err);
    sodium_memzero(text.data, text.data ? text.len : 0); /* it may have been a secret one */
    return rc < 0 ? err_wrap(err, rc, "%s", line_or_file) : 0;
}

static int sync_folder(const char *path, struct err *err)
{
    char *copy CLEANUP(mem_cleanup) = mem_strdup(path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

    if (fd < 0 || fsync(fd) < 0)
        rc = err_errno(err, errno, "sync %s", folder);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return fsync(fd);
}

int key_write_file(const char *path, bool replace, const char *text, size_t len, struct err *err)
{
    struct buf temporary CLEANUP(buf_release) = { 0 };
    int fd, rc = 0;

    buf_printf(&temporary, "%s.XXXXXX", path);
    fd = mkostemp(temporary.data, O_CLOEXEC); /* mode 600 */
    if (fd < 0)
        return err_errno(err, errno, "make %s", path);
    if (write_all(fd, text, len) < 0)
        rc = err_errno(err, errno, "write %s", path);
    (void)close(fd);
    /* A link is made only where nothing is. */
    if (rc == 0 && replace && rename(temporary.data, path) < 0)
        rc = err_errno(err, errno, "replace %s", path);
    else if (rc == 0 && !replace && link(temporary.data, path) < 0)
        rc = errno == EEXIST
                 ? err_set(err, ERR_CONFLICT,
                           "%s is there already; a key is never overwritten: name another file",
                           path)
                 : err_errno(err, errno, "make %s", path);
    (void)unlink(temporary.data);
    return rc < 0 ? rc : sync_folder(path, err);
}

int key_save(const char *path, const struct key_secret *s, struct err *err)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "# The secret key of %s: keep it to yourself. The line for others: drover "
                       "key show FILE\ndrover-secret1 %s %s %s\n",
                       s->key.name, s->key.name, s->key.text, s->secret);
    int rc = key_write_file(path, false, text, (size_t)len, err);

    sodium_memzero(text, sizeof(text));
    return rc;
}

int key_save_line(const char *path, const struct key *k, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    char line[KEY_LINE_MAX];

    buf_printf(&text, "%s\n", key_line(k, line));
    return buf_write_file(path, buf_str(&text), text.len, err);
}
