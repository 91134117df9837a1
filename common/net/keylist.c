/* SPDX-License-Identifier: Apache-2.0 */
/* keylist.c - the list as text. */
#include "common/net/keylist.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/net/keylist_private.h"
#include "common/wire/roles.h"

void keylist_release(struct keylist *l)
{
    free(l->v);
    *l = (struct keylist){ 0 };
}

struct keylist_row *keylist_add(struct keylist *l)
{
    if (l->len == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->v = mem_realloc(l->v, l->cap, sizeof(*l->v));
    }
    memset(&l->v[l->len], 0, sizeof(l->v[0]));
    return &l->v[l->len++];
}

struct keylist_row *keylist_find(const struct keylist *l, const char *name_or_key)
{
    for (size_t i = 0; i < l->len; i++)
        if (strcmp(l->v[i].key.text, name_or_key) == 0 ||
            strcmp(l->v[i].key.name, name_or_key) == 0)
            return &l->v[i];
    return NULL;
}

/* The word at *TEXT, at most MAX - 1 bytes into OUT; false: none, or too long. */
static bool next_word(const char **text, const char *end, char *out, size_t max)
{
    const char *start;
    size_t len;

    while (*text < end && (**text == ' ' || **text == '\t' || **text == '\r'))
        ++*text;
    start = *text;
    while (*text < end && **text != ' ' && **text != '\t' && **text != '\r')
        ++*text;
    len = (size_t)(*text - start);
    if (len == 0 || len >= max || memchr(start, '\0', len))
        return false;
    memcpy(out, start, len);
    out[len] = '\0';
    return true;
}

/* "2026-11-22T13:20:00Z" and the like: for display, so only its characters matter. */
static bool plain_time(const char *text)
{
    return text[strspn(text, "0123456789-:.TZ")] == '\0';
}

static int parse_line(const char *line, const char *end, struct keylist_row *ret, struct err *err)
{
    char roles[ROLES_TEXT_MAX];
    const char *rest = line, *key;
    int rc;

    if (!next_word(&rest, end, roles, sizeof(roles)))
        return err_set(err, ERR_INVALID, "a line is \"ROLES drover-key1 NAME KEY [SINCE]\"");
    rc = roles_parse(roles, &ret->roles, err);
    if (rc < 0)
        return rc;
    key = rest;
    for (int i = 0; i < 3; i++) {
        char word[KEY_LINE_MAX];

        if (!next_word(&rest, end, word, sizeof(word)))
            return err_set(err, ERR_INVALID, "a line is \"ROLES drover-key1 NAME KEY [SINCE]\"");
    }
    rc = key_parse(key, (size_t)(rest - key), &ret->key, err);
    if (rc == 0 && next_word(&rest, end, ret->since, sizeof(ret->since)) && !plain_time(ret->since))
        rc = err_set(err, ERR_INVALID, "what follows the key is no time");
    return rc;
}

static bool blank(const char *line, const char *end)
{
    while (line < end && (*line == ' ' || *line == '\t' || *line == '\r'))
        line++;
    return line == end || *line == '#';
}

/* Keys that are in the list twice would make revoking one of them say too much. */
static int check_unique(const struct keylist *l, struct err *err)
{
    const struct keylist_row *last = &l->v[l->len - 1];

    for (size_t i = 0; i + 1 < l->len; i++) {
        if (strcmp(l->v[i].key.text, last->key.text) == 0)
            return err_set(err, ERR_INVALID, "this key is in the list already, as %s",
                           l->v[i].key.name);
        if (strcmp(l->v[i].key.name, last->key.name) == 0)
            return err_set(err, ERR_INVALID, "the name %s is in the list already", last->key.name);
    }
    return 0;
}

int keylist_parse(const char *text, size_t len, const char *name, struct keylist *ret,
                  struct err *err)
{
    const char *end = text + len;
    unsigned number = 1;

    *ret = (struct keylist){ 0 };
    for (; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = stop ? stop : end;
        int rc = 0;

        if (!blank(text, line_end)) {
            rc = ret->len < KEYLIST_MAX ? parse_line(text, line_end, keylist_add(ret), err)
                                        : err_set(err, ERR_LIMIT, "more than %d keys", KEYLIST_MAX);
            if (rc == 0)
                rc = check_unique(ret, err);
        }
        if (rc < 0) {
            keylist_release(ret);
            return err_wrap(err, rc, "%s:%u", name, number);
        }
        text = line_end + 1;
    }
    return 0;
}

void keylist_print(const struct keylist *l, struct buf *out)
{
    buf_adds(out, "# Who may do what. Change it with drover key allow and drover key revoke; a "
                  "coordinator that runs sees changes.\n");
    for (size_t i = 0; i < l->len; i++) {
        const struct keylist_row *r = &l->v[i];
        char roles[ROLES_TEXT_MAX], line[KEY_LINE_MAX];

        buf_printf(out, "%s %s%s%s\n", roles_text(r->roles, roles), key_line(&r->key, line),
                   *r->since ? " " : "", r->since);
    }
}
