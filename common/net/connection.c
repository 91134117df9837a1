/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/connection.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char magic[] = "drover-connect1 ", public[] = "drover-key1 ",
                  secret[] = "drover-secret1 ", plaintext[] = "drover-plaintext1";

void connection_wipe(struct connection *c)
{
    sodium_memzero(c, sizeof(*c));
}

static bool begins(const char *line, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* "drover-connect1 ENDPOINT VERSION" */
static int take_place(const char *line, size_t len, struct connection *c, struct err *err)
{
    char text[TRANSPORT_ENDPOINT_MAX + 64], end;

    if (len >= sizeof(text))
        return err_set(err, ERR_INVALID, "the endpoint is too long");
    memcpy(text, line, len);
    text[len] = '\0';
    if (sscanf(text, "drover-connect1 %255s %31s %c", c->endpoint, c->version, &end) != 2 ||
        (strncmp(c->endpoint, "tcp://", 6) != 0 && strncmp(c->endpoint, "ipc://", 6) != 0))
        return err_set(err, ERR_INVALID, "drover-connect1 tcp://HOST:PORT VERSION was expected");
    return 0;
}

static int take_line(const char *line, size_t len, struct connection *c, bool *ret_plaintext,
                     struct err *err)
{
    if (len == 0 || *line == '#')
        return 0;
    if (len == strlen(plaintext) && begins(line, len, plaintext)) {
        *ret_plaintext = true;
        return 0;
    }
    if (begins(line, len, magic))
        return take_place(line, len, c, err);
    if (begins(line, len, public))
        return key_parse(line, len, &c->server, err);
    if (begins(line, len, secret))
        return key_parse_secret(line, len, &c->own, err);
    return err_set(err, ERR_INVALID, "no line of a connection file");
}

static int parse(const char *text, size_t len, const char *path, struct connection *c,
                 struct err *err)
{
    const char *end = text + len;
    bool insecure = false;

    for (int number = 1; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        int rc = take_line(text, n, c, &insecure, err);

        if (rc < 0)
            return err_wrap(err, rc, "%s:%d", path, number);
        text += n + 1;
    }
    if (!*c->endpoint || insecure == (*c->server.text != '\0'))
        return err_set(err, ERR_INVALID,
                       "%s is no connection file, or is torn; drover connect FILE writes one where "
                       "the coordinator runs",
                       path);
    return 0;
}

int connection_load(const char *path, struct connection *ret, struct err *err)
{
    char text[KEY_FILE_MAX];
    size_t len = 0;
    int rc = key_read_file(path, false, text, &len, err);

    *ret = (struct connection){ .version = "" };
    if (rc == 0)
        rc = parse(text, len, path, ret, err);
    if (rc == 0 && *ret->own.key.text)
        rc = key_read_file(path, true, text, &len, err);
    sodium_memzero(text, sizeof(text));
    if (rc < 0)
        connection_wipe(ret);
    return rc;
}

void connection_print(const struct connection *c, bool with_secret, struct buf *out)
{
    char line[KEY_LINE_MAX];

    buf_printf(out, "%s%s %s\n", magic, c->endpoint, c->version);
    if (*c->server.text)
        buf_printf(out, "%s\n", key_line(&c->server, line));
    else
        buf_printf(out, "%s\n", plaintext);
    if (with_secret && *c->own.key.text)
        buf_printf(out, "%s%s %s %s\n", secret, c->own.key.name, c->own.key.text, c->own.secret);
}

int connection_save(const char *path, const struct connection *c, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc;

    buf_printf(&text, "# Where a drover coordinator is%s.\n",
               *c->own.key.text ? "; who has this file may speak there as its key: keep it to "
                                  "yourself"
                                : "");
    connection_print(c, true, &text);
    rc = key_write_file(path, true, buf_str(&text), text.len, err);
    if (text.data)
        sodium_memzero(text.data, text.len);
    return rc;
}
