/* SPDX-License-Identifier: Apache-2.0 */
/* keyring.c - a hash by public key behind a lock; the file is read outside of it. */
#include "common/net/keyring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "common/net/keylist_private.h"
#include "common/wire/roles.h"

struct holder {
    struct keylist_row row;
    UT_hash_handle hh;
};

struct keyring {
    char *path;
    pthread_mutex_t look; /* one looks at a time; taken before LOCK */
    struct stat seen;     /* of the file as it was read, under LOOK */
    bool broken;          /* under LOOK: this was told */
    pthread_mutex_t lock;
    struct keylist list; /* owns the rows; under LOCK */
    struct holder *holders;
    struct keyring_news news[KEYRING_NEWS_MAX];
    size_t news_first, news_len;
    atomic_uint_fast64_t generation;
};

static void drop_holders(struct keyring *r)
{
    struct holder *h, *tmp;

    HASH_ITER(hh, r->holders, h, tmp)
    {
        HASH_DEL(r->holders, h);
        free(h);
    }
}

/* LOCK is held, as for the next three. The oldest is forgotten when nobody takes them. */
static void tell(struct keyring *r, enum keyring_what what, const struct keylist_row *row,
                 const char *text)
{
    struct keyring_news *n;
    char roles[ROLES_TEXT_MAX];

    if (r->news_len == KEYRING_NEWS_MAX) {
        r->news_first = (r->news_first + 1) % KEYRING_NEWS_MAX;
        r->news_len--;
    }
    n = &r->news[(r->news_first + r->news_len++) % KEYRING_NEWS_MAX];
    *n = (struct keyring_news){ .what = what };
    if (row)
        n->row = *row;
    if (text)
        (void)snprintf(n->text, sizeof(n->text), "%s", text);
    else
        (void)snprintf(n->text, sizeof(n->text), "%s (%s) %s", row->key.name,
                       roles_text(row->roles, roles),
                       what == KEYRING_REVOKED   ? "revoked"
                       : what == KEYRING_ALLOWED ? "allowed"
                                                 : "has other roles");
}

static void compare(struct keyring *r, const struct keylist *next)
{
    for (size_t i = 0; i < r->list.len; i++)
        if (!keylist_find(next, r->list.v[i].key.text))
            tell(r, KEYRING_REVOKED, &r->list.v[i], NULL);
    for (size_t i = 0; i < next->len; i++) {
        const struct keylist_row *before = keylist_find(&r->list, next->v[i].key.text);

        if (!before)
            tell(r, KEYRING_ALLOWED, &next->v[i], NULL);
        else if (before->roles != next->v[i].roles)
            tell(r, KEYRING_ROLES, &next->v[i], NULL);
    }
}

/* Takes over what NEXT holds. */
static void replace(struct keyring *r, struct keylist *next)
{
    drop_holders(r);
    keylist_release(&r->list);
    r->list = *next;
    *next = (struct keylist){ 0 };
    for (size_t i = 0; i < r->list.len; i++) {
        struct holder *h = mem_calloc(1, sizeof(*h));

        h->row = r->list.v[i];
        HASH_ADD_STR(r->holders, row.key.text, h);
    }
    atomic_fetch_add(&r->generation, 1);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* LOOK is held. The state of the file is taken before its content: what is written in between is
 * read again. */
static int load(struct keyring *r, const struct stat *now, bool quiet, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct keylist next CLEANUP(keylist_release) = { 0 };
    int rc = buf_read_file(&text, r->path, KEYLIST_BYTES_MAX, err);

    if (rc == 0)
        rc = keylist_parse(buf_str(&text), text.len, r->path, &next, err);
    r->seen = *now;
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&r->lock);
    if (!quiet)
        compare(r, &next);
    replace(r, &next);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

static void tell_broken(struct keyring *r, const char *text)
{
    if (r->broken)
        return;
    r->broken = true;
    pthread_mutex_lock(&r->lock);
    tell(r, KEYRING_BROKEN, NULL, text);
    pthread_mutex_unlock(&r->lock);
}

void keyring_look(struct keyring *r)
{
    struct stat now;
    struct err err = { 0 };

    pthread_mutex_lock(&r->look); /* who waits for it finds what the other one read */
    if (stat(r->path, &now) < 0) {
        (void)err_errno(&err, errno, "stat %s", r->path);
        tell_broken(r, err.text);
        memset(&r->seen, 0, sizeof(r->seen));
    } else if (!same_file(&now, &r->seen)) {
        if (load(r, &now, false, &err) == 0) {
            r->broken = false;
        } else {
            r->broken = false; /* another fault than before, perhaps */
            tell_broken(r, err.text);
        }
    }
    pthread_mutex_unlock(&r->look);
}

int keyring_open(struct keyring **ret, const char *path, struct err *err)
{
    struct keyring *r = mem_calloc(1, sizeof(*r));
    struct stat now;
    int rc;

    r->path = mem_strdup(path);
    pthread_mutex_init(&r->look, NULL);
    pthread_mutex_init(&r->lock, NULL);
    rc = stat(path, &now) < 0 ? err_errno(err, errno, "stat %s", path) : load(r, &now, true, err);
    if (rc < 0) {
        keyring_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void keyring_free(struct keyring *r)
{
    if (!r)
        return;
    drop_holders(r);
    keylist_release(&r->list);
    pthread_mutex_destroy(&r->look);
    pthread_mutex_destroy(&r->lock);
    free(r->path);
    free(r);
}

bool keyring_find(struct keyring *r, const char *text, struct keylist_row *ret)
{
    struct holder *h;

    pthread_mutex_lock(&r->lock);
    HASH_FIND_STR(r->holders, text, h);
    if (h)
        *ret = h->row;
    pthread_mutex_unlock(&r->lock);
    return h != NULL;
}

uint64_t keyring_generation(const struct keyring *r)
{
    return atomic_load(&((struct keyring *)(uintptr_t)r)->generation);
}

bool keyring_take(struct keyring *r, struct keyring_news *ret)
{
    bool any;

    pthread_mutex_lock(&r->lock);
    any = r->news_len > 0;
    if (any) {
        *ret = r->news[r->news_first];
        r->news_first = (r->news_first + 1) % KEYRING_NEWS_MAX;
        r->news_len--;
    }
    pthread_mutex_unlock(&r->lock);
    return any;
}
