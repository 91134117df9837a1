/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

int sink_open(struct sink *s, const char *path, const struct maker *m, struct err *err)
{
    const struct model_conf *c = &m->conf;
    size_t widest = MAX(MAX(c->dim, c->hidden), c->heads * c->head_dim);

    *s = (struct sink){ .file = fopen(path, "wb"), .path = path, .m = m };
    if (!s->file)
        return err_errno(err, errno, "create %s", path);
    (void)setvbuf(s->file, NULL, _IOFBF, 1 << 22);
    s->row = mem_aligned(2 * widest, sizeof(float));
    s->narrow = mem_aligned(widest, sizeof(float));
    return 0;
}

int sink_close(struct sink *s, int rc, struct err *err)
{
    bool failed = ferror(s->file);

    failed |= fclose(s->file) != 0;
    free(s->row);
    free(s->narrow);
    return rc || !failed ? rc : err_errno(err, errno, "write %s", s->path);
}

void sink_bytes(struct sink *s, const void *bytes, size_t len)
{
    (void)!fwrite(bytes, 1, len, s->file);
    s->at += len;
}

void sink_number(struct sink *s, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        sink_bytes(s, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

void sink_zeros_to(struct sink *s, uint64_t at)
{
    while (s->at < at)
        sink_number(s, 0, 1);
}

/* Where row J of interleaved pairs is in rotate-half order: new[2i] = old[i],
 * new[2i + 1] = old[i + e/2]. */
static size_t half_row(size_t j, size_t head_dim)
{
    size_t in_head = j % head_dim;

    return j - in_head + in_head / 2 + (in_head % 2) * (head_dim / 2);
}

void sink_tensor(struct sink *s, const char *name, size_t rows, size_t cols, enum weight_type type,
                 bool turned)
{
    size_t e = s->m->conf.head_dim;
    bool vector = rows == 1 && (strstr(name, ".bias") || strstr(name, "norm"));
    float *row = s->row, *other = s->row + cols;

    for (size_t i = 0; i < rows; i++) {
        maker_row(row, s->m, name, turned && !vector ? half_row(i, e) : i, cols);
        for (size_t j = 0; turned && vector && j < cols; j++)
            other[j] = row[half_row(j, e)];
        maker_narrow(s->narrow, turned && vector ? other : row, type, cols);
        sink_bytes(s, s->narrow, cols * weight_type_bytes(type));
    }
}
