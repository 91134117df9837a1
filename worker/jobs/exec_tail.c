/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/exec_tail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void cut(struct exec_tail *t)
{
    struct buf *b = &t->bytes;

    if (b->len <= EXEC_TAIL_BYTES)
        return;
    const char *from = b->data + b->len - EXEC_TAIL_BYTES;
    const char *line = memchr(from, '\n', EXEC_TAIL_BYTES);
    from = line != NULL ? line + 1 : from;
    b->len = (size_t)(b->data + b->len - from);
    memmove(b->data, from, b->len);
}

void exec_tail_add(struct exec_tail *t, const char *bytes, size_t len)
{
    t->total += len;
    if (len > 2 * (size_t)EXEC_TAIL_BYTES) {
        bytes += len - 2 * (size_t)EXEC_TAIL_BYTES;
        len = 2 * (size_t)EXEC_TAIL_BYTES;
        buf_clear(&t->bytes);
    }
    buf_add(&t->bytes, bytes, len);
    if (t->bytes.len > 2 * (size_t)EXEC_TAIL_BYTES)
        cut(t);
}

/* The line [FROM, END) as a terminal would show it. */
static void print_line(const char *from, const char *end, struct buf *out)
{
    while (end > from && end[-1] == '\r')
        end--;
    const char *last = memrchr(from, '\r', (size_t)(end - from));
    for (const char *c = last != NULL ? last + 1 : from; c < end; c++)
        buf_addc(out, ((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f ? '?' : *c);
}

void exec_tail_print(const struct exec_tail *t, struct buf *out)
{
    struct exec_tail whole CLEANUP(exec_tail_release) = { .total = t->total };

    if (t->bytes.len == 0)
        return;
    buf_add(&whole.bytes, t->bytes.data, t->bytes.len);
    cut(&whole);
    if (t->total > whole.bytes.len)
        buf_printf(out, "... %" PRIu64 " bytes before\n", t->total - whole.bytes.len);
    const char *at = whole.bytes.data, *end = at + whole.bytes.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        print_line(at, stop != NULL ? stop : end, out);
        buf_addc(out, '\n');
        at = stop != NULL ? stop + 1 : end;
    }
}

void exec_tail_last(const struct exec_tail *t, char *out, size_t size)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    exec_tail_print(t, &text);
    while (text.len > 0 && strchr(" \t\n?", text.data[text.len - 1]) != NULL)
        text.len--;
    const char *line = text.len > 0 ? memrchr(text.data, '\n', text.len) : NULL;
    const char *from = line != NULL ? line + 1 : text.data;
    const size_t len = text.len > 0 ? (size_t)(text.data + text.len - from) : 0;
    (void)snprintf(out, size, "%.*s", (int)MIN(len, size - 1), len > 0 ? from : "");
}

void exec_tail_release(struct exec_tail *t)
{
    buf_release(&t->bytes);
}
