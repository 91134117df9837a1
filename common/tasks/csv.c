/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/tasks/records.h"

int csv_row(const char *text, size_t len, size_t at, size_t line, struct row *ret, size_t *ret_next,
            size_t *ret_next_line, struct err *err)
{
    bool quoted = false, start = true;
    size_t i = at, lines = line;

    for (; i < len && (quoted || text[i] != '\n'); i++) {
        lines += text[i] == '\n';
        if (text[i] == '"' && quoted) {
            if (i + 1 < len && text[i + 1] == '"') {
                i++;
                continue;
            }
            quoted = false;
            if (i + 1 < len && !strchr(",\r\n", text[i + 1]))
                return err_set(err, ERR_INVALID,
                               "a quoted field goes on after its closing quote; write a quote "
                               "inside as two");
        } else if (text[i] == '"' && start) {
            quoted = true;
        }
        start = !quoted && text[i] == ',';
    }
    if (quoted)
        return err_set(err, ERR_INVALID, "the row that starts here has a quote that never closes");
    *ret = (struct row){ .offset = at, .len = i - at, .line = line };
    if (ret->len > 0 && text[i - 1] == '\r')
        ret->len--;
    *ret_next = i < len ? i + 1 : len;
    *ret_next_line = lines + 1;
    return 0;
}

bool csv_field(const char *row, size_t len, size_t *at, bool *more, struct buf *out)
{
    size_t i = *at;

    if (!*more)
        return false;
    if (i < len && row[i] == '"') {
        for (i++; i < len; i++) {
            if (row[i] == '"' && i + 1 < len && row[i + 1] == '"')
                i++;
            else if (row[i] == '"')
                break;
            buf_addc(out, row[i]);
        }
        i += i < len;
    }
    for (; i < len && row[i] != ','; i++)
        buf_addc(out, row[i]);
    *more = i < len;
    *at = i + 1;
    return true;
}

bool tsv_field(const char *row, size_t len, size_t *at, bool *more, struct buf *out)
{
    size_t i = *at;

    if (!*more)
        return false;
    const char *tab = i < len ? memchr(row + i, '\t', len - i) : NULL;
    size_t end = tab ? (size_t)(tab - row) : len;
    if (end > i)
        buf_add(out, row + i, end - i);
    *more = tab != NULL;
    *at = end + 1;
    return true;
}
