/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - the folder STORE-keys. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/net/keylist.h"
#include "common/net/keylist_private.h"
#include "common/wire/roles.h"

const char *keys_path(const char *store, const char *name, struct buf *out)
{
    buf_printf(out, "%s-keys/%s", store, name);
    return buf_str(out);
}

static int denied(const char *store, struct err *err)
{
    return err_set(err, ERR_DENIED,
                   "%s-keys belongs to another user; ask its owner for access: drover key new NAME "
                   "prints a line for drover key allow LINE --role ROLE, then use --coordinator",
                   store);
}

/* ---- one writer at a time ---- */

static void unlock(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* The folder, made when it is missing, and locked. */
static int lock_folder(const char *store, int *ret_fd, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct stat st;
    int fd;

    buf_printf(&path, "%s-keys", store);
    if (mkdir(buf_str(&path), 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make the folder %s", buf_str(&path));
    fd = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? denied(store, err)
                               : err_errno(err, errno, "open %s", buf_str(&path));
    if (fstat(fd, &st) == 0 && (st.st_mode & 077)) {
        (void)close(fd);
        return err_set(err, ERR_DENIED,
                       "others may look into %s (mode %03o): chmod 700 %s, and make new keys if "
                       "somebody may have read them",
                       buf_str(&path), (unsigned)st.st_mode & 0777, buf_str(&path));
    }
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            int rc = err_errno(err, errno, "lock %s", buf_str(&path));

            (void)close(fd);
            return rc;
        }
    *ret_fd = fd;
    return 0;
}

/* ---- the list ---- */

static int read_list(const char *store, struct keylist *ret, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc;

    *ret = (struct keylist){ 0 };
    (void)keys_path(store, "allowed", &path);
    if (access(buf_str(&path), R_OK) < 0 && errno == EACCES)
        return denied(store, err);
    rc = buf_read_file(&text, buf_str(&path), KEYLIST_BYTES_MAX, err);
    return rc < 0 ? rc : keylist_parse(buf_str(&text), text.len, buf_str(&path), ret, err);
}

static int write_list(const char *store, const struct keylist *l, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };

    keylist_print(l, &text);
    return buf_write_file(keys_path(store, "allowed", &path), buf_str(&text), text.len, err);
}

/* Give K the roles. */
static int put(struct keylist *l, const struct key *k, unsigned roles, struct err *err)
{
    struct keylist_row *row = keylist_find(l, k->text), *named = keylist_find(l, k->name);

    if (named && named != row)
        return err_set(err, ERR_CONFLICT,
                       "another key is called %s; revoke it first, or make the new one with "
                       "another name",
                       k->name);
    if (!row) {
        if (l->len == KEYLIST_MAX)
            return err_set(err, ERR_LIMIT, "there are %d keys already", KEYLIST_MAX);
        row = keylist_add(l);
    }
    if (!*row->since)
        (void)clock_iso(clock_wall_ms(), row->since);
    row->key = *k;
    row->roles = roles;
    return 0;
}

/* ---- what a coordinator has ---- */

/* STORE-keys/NAME.key, made when it is missing. */
static int make_key(const char *store, const char *name, struct key *ret, struct err *err)
{
    struct key_secret s CLEANUP(key_wipe) = { .secret = "" };
    struct buf path CLEANUP(buf_release) = { 0 };
    int rc;

    buf_printf(&path, "%s-keys/%s.key", store, name);
    rc = key_load(buf_str(&path), &s, err);
    if (rc == ERR_NOT_FOUND) {
        rc = key_new(name, &s, err);
        if (rc == 0)
            rc = key_save(buf_str(&path), &s, err);
    }
    *ret = s.key;
    return rc;
}

static int make_list(const char *store, const struct key *local, struct err *err)
{
    struct keylist l CLEANUP(keylist_release) = { 0 };
    struct keylist_row *row;
    int rc = read_list(store, &l, err);

    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    row = keylist_find(&l, KEYS_LOCAL);
    if (row && strcmp(row->key.text, local->text) == 0 && row->roles == (ROLE_ADMIN | ROLE_WORK))
        return 0;
    if (row) /* local.key was removed to have a new one */
        *row = l.v[--l.len];
    rc = put(&l, local, ROLE_ADMIN | ROLE_WORK, err);
    return rc < 0 ? rc : write_list(store, &l, err);
}

/* The folder is locked. */
static int make_all(const char *store, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct key server, local, there;
    int rc = make_key(store, "coordinator", &server, err);

    if (rc < 0)
        return rc;
    (void)keys_path(store, "coordinator.pub", &path);
    if (key_read(buf_str(&path), &there, NULL) < 0 || strcmp(there.text, server.text) != 0)
        rc = key_save_line(buf_str(&path), &server, err);
    if (rc == 0)
        rc = make_key(store, KEYS_LOCAL, &local, err);
    return rc < 0 ? rc : make_list(store, &local, err);
}

int keys_make(const char *store, struct err *err)
{
    int fd CLEANUP(unlock) = -1;
    int rc = lock_folder(store, &fd, err);

    return rc < 0 ? rc : make_all(store, err);
}

/* ---- what an administrator does ---- */

int keys_list(const char *store, struct keylist *ret, struct err *err)
{
    int rc = read_list(store, ret, err);

    if (rc == ERR_NOT_FOUND)
        return err_set(err, rc,
                       "%s has no keys yet: a coordinator makes them when it starts, and "
                       "so does drover key allow",
                       store);
    return rc;
}

int keys_allow(const char *store, const struct key *k, unsigned roles, struct err *err)
{
    struct keylist l CLEANUP(keylist_release) = { 0 };
    int fd CLEANUP(unlock) = -1;
    int rc = lock_folder(store, &fd, err);

    if (rc == 0)
        rc = make_all(store, err);
    if (rc == 0)
        rc = read_list(store, &l, err);
    if (rc == 0 && strcmp(k->name, KEYS_LOCAL) == 0)
        rc = err_set(err, ERR_INVALID,
                     "the name " KEYS_LOCAL " is for the commands on the "
                     "coordinator's computer; make a key with another name");
    if (rc == 0)
        rc = put(&l, k, roles, err);
    return rc < 0 ? rc : write_list(store, &l, err);
}

static int no_key(const struct keylist *l, const char *name, const char *store, struct err *err)
{
    const char **names CLEANUP(mem_cleanup) = mem_calloc(l->len + 1, sizeof(*names));
    const char *near;

    for (size_t i = 0; i < l->len; i++)
        names[i] = l->v[i].key.name;
    near = nearest_find(name, names);
    return err_set(err, ERR_NOT_FOUND, "no key %.100s is allowed at %s%s%s%s", name, store,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int keys_revoke(const char *store, const char *name_or_key, struct keylist_row *ret,
                struct err *err)
{
    struct keylist l CLEANUP(keylist_release) = { 0 };
    struct keylist_row *row;
    struct key k;
    int fd CLEANUP(unlock) = -1;
    int rc = lock_folder(store, &fd, err);

    if (rc == 0)
        rc = read_list(store, &l, err);
    if (rc < 0)
        return rc;
    if (key_parse(name_or_key, strlen(name_or_key), &k, NULL) == 0)
        name_or_key = k.text;
    row = keylist_find(&l, name_or_key);
    if (!row)
        return no_key(&l, name_or_key, store, err);
    if (strcmp(row->key.name, KEYS_LOCAL) == 0)
        return err_set(err, ERR_INVALID,
                       "%s is what commands on this computer use; to have a new one remove "
                       "%s-keys/local.key and start the coordinator again",
                       KEYS_LOCAL, store);
    if (ret)
        *ret = *row;
    memmove(row, row + 1, (size_t)(&l.v[l.len] - (row + 1)) * sizeof(*row));
    l.len--;
    return write_list(store, &l, err);
}
