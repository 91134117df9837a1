/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawn/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/mem.h"

/* The fixed part of an order; behind it path, cwd, arguments and environment, NUL-terminated. */
struct order_body {
    uint64_t memory_bytes, time_ms, grace_ms;
    uint32_t args, entries;
};

struct spawn_header spawn_header_of(enum spawn_message type, size_t len)
{
    return (struct spawn_header){ .magic = SPAWN_MAGIC, .type = type, .len = (uint32_t)len };
}

bool spawn_header_fits(const struct spawn_header *h, enum spawn_message type, size_t max)
{
    return h->magic == SPAWN_MAGIC && h->type == (uint32_t)type && h->len <= max && h->zero == 0;
}

static size_t add_list(struct buf *out, const char *const *list)
{
    size_t n = 0;

    for (; list[n] != NULL; n++)
        buf_add(out, list[n], strlen(list[n]) + 1);
    return n;
}

int spawn_order_encode(const struct spawn_order *o, struct buf *out, struct err *err)
{
    struct order_body body = { .memory_bytes = o->memory_bytes,
                               .time_ms = o->time_ms,
                               .grace_ms = o->grace_ms };
    struct buf text CLEANUP(buf_release) = { 0 };

    buf_add(&text, o->path, strlen(o->path) + 1);
    buf_add(&text, o->cwd, strlen(o->cwd) + 1);
    body.args = (uint32_t)add_list(&text, o->argv);
    body.entries = (uint32_t)add_list(&text, o->env);
    if (body.args > SPAWN_STRINGS_MAX || body.entries > SPAWN_STRINGS_MAX ||
        text.len + sizeof(body) > SPAWN_ORDER_MAX)
        return err_set(err, ERR_LIMIT,
                       "a command of %u arguments, %u variables and %zu bytes in all; allowed are "
                       "%d of each and %d bytes",
                       body.args, body.entries, text.len, SPAWN_STRINGS_MAX, SPAWN_ORDER_MAX);
    struct spawn_header h = spawn_header_of(SPAWN_MESSAGE_ORDER, sizeof(body) + text.len);
    buf_add(out, &h, sizeof(h));
    buf_add(out, &body, sizeof(body));
    buf_add(out, text.data, text.len);
    return 0;
}

/* The next text of [*AT, END), NULL when it has no end. */
static const char *next_text(const char **at, const char *end)
{
    const char *text = *at;
    const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

    if (nul == NULL)
        return NULL;
    *at = nul + 1;
    return text;
}

static const char **next_list(const char **at, const char *end, size_t n)
{
    const char **list = mem_calloc(n + 1, sizeof(*list));

    for (size_t i = 0; i < n; i++) {
        list[i] = next_text(at, end);
        if (list[i] == NULL) {
            free(list);
            return NULL;
        }
    }
    return list;
}

static bool environment_good(const char *const *env)
{
    for (size_t i = 0; env[i] != NULL; i++)
        if (env[i][0] == '=' || strchr(env[i], '=') == NULL)
            return false;
    return true;
}

int spawn_order_decode(const char *body, size_t len, struct spawn_order *ret, struct err *err)
{
    struct order_body fixed;
    const char *at = body + sizeof(fixed), *end = body + len;

    *ret = (struct spawn_order){ 0 };
    if (len < sizeof(fixed))
        return err_set(err, ERR_PROTO, "an order of %zu bytes", len);
    memcpy(&fixed, body, sizeof(fixed));
    if (fixed.args == 0 || fixed.args > SPAWN_STRINGS_MAX || fixed.entries > SPAWN_STRINGS_MAX)
        return err_set(err, ERR_PROTO, "an order with %u arguments and %u variables", fixed.args,
                       fixed.entries);
    ret->memory_bytes = fixed.memory_bytes;
    ret->time_ms = fixed.time_ms;
    ret->grace_ms = fixed.grace_ms;
    ret->path = next_text(&at, end);
    ret->cwd = next_text(&at, end);
    ret->argv = next_list(&at, end, fixed.args);
    ret->env = ret->argv != NULL ? next_list(&at, end, fixed.entries) : NULL;
    if (ret->env != NULL && at == end && ret->path[0] == '/' && ret->cwd[0] == '/' &&
        environment_good(ret->env))
        return 0;
    spawn_order_release(ret);
    return err_set(err, ERR_PROTO, "an order whose texts are cut, too many or no paths");
}

void spawn_order_release(struct spawn_order *o)
{
    free((void *)(uintptr_t)o->argv);
    free((void *)(uintptr_t)o->env);
    *o = (struct spawn_order){ 0 };
}

struct spawn_end_body spawn_end_encode(const struct spawn_end *e)
{
    return (struct spawn_end_body){ .cause = e->cause,
                                    .step = e->step,
                                    .left = e->left,
                                    .stuck = e->stuck,
                                    .kernel = e->kernel,
                                    .status = e->status,
                                    .peak_bytes = e->peak_bytes,
                                    .cpu_ms = e->cpu_ms,
                                    .wall_ms = e->wall_ms };
}

int spawn_end_decode(const struct spawn_end_body *b, struct spawn_end *ret, struct err *err)
{
    if (b->cause >= SPAWN_CAUSES || b->step >= SPAWN_STEPS || b->kernel > 1)
        return err_set(err, ERR_PROTO, "the end of a program with cause %u at step %u", b->cause,
                       b->step);
    *ret = (struct spawn_end){ .cause = (enum spawn_cause)b->cause,
                               .step = (enum spawn_step)b->step,
                               .status = b->status,
                               .left = b->left,
                               .stuck = b->stuck,
                               .kernel = b->kernel,
                               .peak_bytes = b->peak_bytes,
                               .cpu_ms = b->cpu_ms,
                               .wall_ms = b->wall_ms };
    return 0;
}

bool spawn_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool spawn_receive(int fd, void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool spawn_send_end(int fd, const struct spawn_end *e)
{
    const struct spawn_end_body body = spawn_end_encode(e);
    const struct spawn_header h = spawn_header_of(SPAWN_MESSAGE_END, sizeof(body));

    return spawn_send(fd, &h, sizeof(h)) && spawn_send(fd, &body, sizeof(body));
}
