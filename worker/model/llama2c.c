/* SPDX-License-Identifier: Apache-2.0 */
/* llama2c.c - checkpoints of llama2.c's export.py, versions 0 and 1 (little-endian, float32).
 *
 * v0: 7 x i32 {dim, hidden, layers, heads, kv_heads, vocab (negative: own classifier), positions},
 * then embed, norm1[], wq[], wk[], wv[], wo[], norm2[], w1[], w2[], w3[], norm, two frequency
 * tables (skipped), [head]. v1: 256 bytes: u32 "ak42", i32 1, the 7 numbers, u8 shared classifier,
 * zeros; then norm1[], norm2[], norm, embed, wq[], wk[], wv[], wo[], w1[], w2[], w3[], [head].
 * Neither names eps (1e-5), theta (10000) or the end of text: BOS (1) delimits stories. Rotary
 * pairs are interleaved. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/model/formats.h"

enum { V0_HEADER = 28, V1_HEADER = 256, V1_MAGIC = 0x616b3432 };

/* A part of the file: all tensors of one kind, or the frequency tables to skip. */
struct part {
    float **tensor; /* NULL: skip */
    size_t count, floats;
};
enum { PARTS_MAX = 14 };

struct reader {
    const char *path;
    int fd;
    uint64_t offset;
    struct err *err;
};

static int read_bytes(struct reader *r, void *out, size_t len)
{
    char *at = out;

    while (len) {
        ssize_t n = pread(r->fd, at, MIN(len, (size_t)1 << 30), (off_t)r->offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(r->err, errno, "%s: read at offset %" PRIu64, r->path, r->offset);
        if (n == 0)
            return err_set(r->err, ERR_CORRUPT, "%s: truncated at offset %" PRIu64, r->path,
                           r->offset);
        at += n;
        r->offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static int32_t word_at(const uint8_t *p)
{
    uint32_t v = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    int32_t i;

    memcpy(&i, &v, sizeof(i));
    return i;
}

/* The seven numbers at P; the sign of vocab is looked at by the caller. */
static int parse_numbers(struct reader *r, const uint8_t *p, struct model_conf *c)
{
    size_t *field[] = { &c->dim,      &c->hidden, &c->layers,   &c->heads,
                        &c->kv_heads, &c->vocab,  &c->positions };
    int rc;

    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        int32_t v = word_at(p + 4 * i);

        *field[i] = v < 0 ? 0 : (size_t)v; /* 0 is out of range everywhere */
    }
    if (word_at(p + 20) < 0)
        c->vocab = (size_t) - (int64_t)word_at(p + 20);
    c->head_dim = c->heads && c->dim % c->heads == 0 ? c->dim / c->heads : 0;
    c->rms_eps = 1e-5f;
    c->rope_theta = 10000.0f;
    c->rope_interleaved = true;
    c->bos = c->vocab > 2 ? 1 : UINT32_MAX;
    c->eos = c->vocab > 2 ? 2 : UINT32_MAX;
    rc = model_conf_check(c, r->err);
    return rc ? err_wrap(r->err, ERR_CORRUPT, "%s: header is no llama2.c checkpoint's", r->path)
              : 0;
}

static int parse_header(struct reader *r, uint64_t size, struct model_conf *c, int *ret_version)
{
    uint8_t head[V1_HEADER] = { 0 };
    int rc;

    if (size < V0_HEADER)
        return err_set(r->err, ERR_CORRUPT, "%s: %" PRIu64 " bytes are no llama2.c checkpoint",
                       r->path, size);
    rc = read_bytes(r, head, (size_t)MIN(size, V1_HEADER));
    if (rc)
        return rc;
    *ret_version = (uint32_t)word_at(head) == V1_MAGIC;
    if (!*ret_version) {
        rc = parse_numbers(r, head, c);
        c->tied = word_at(head + 20) > 0;
        r->offset = V0_HEADER;
        return rc;
    }
    if (word_at(head + 4) != 1)
        return err_set(r->err, ERR_VERSION,
                       "%s: llama2.c checkpoint of version %d; this version reads 0 and 1", r->path,
                       word_at(head + 4));
    if (size < V1_HEADER)
        return err_set(r->err, ERR_CORRUPT, "%s: truncated inside its header of %d bytes", r->path,
                       V1_HEADER);
    if (word_at(head + 8 + 20) < 0 || head[36] > 1)
        return err_set(r->err, ERR_CORRUPT, "%s: bad header at offset %d", r->path,
                       head[36] > 1 ? 36 : 28);
    c->tied = false;
    rc = parse_numbers(r, head + 8, c);
    c->tied = head[36] == 1;
    return rc;
}

/* Parts in file order; W's pointers may be NULL while only sizes are asked. */
static size_t file_parts(const struct model_conf *c, const struct model_weights *w, int version,
                         struct part part[PARTS_MAX])
{
    size_t l = c->layers, q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim, n = 0;
    const struct part embed = { w->embed, 1, c->vocab * c->dim };
    const struct part norm1 = { w->norm1, l, c->dim }, norm2 = { w->norm2, l, c->dim };
    const struct part norm = { w->norm, 1, c->dim }, w1 = { w->w1, l, c->hidden * c->dim };
    const struct part w2 = { w->w2, l, c->hidden * c->dim }, w3 = { w->w3, l, c->hidden * c->dim };

    if (version == 0) {
        part[n++] = embed;
        part[n++] = norm1;
    } else {
        part[n++] = norm1;
        part[n++] = norm2;
        part[n++] = norm;
        part[n++] = embed;
    }
    part[n++] = (struct part){ w->wq, l, q * c->dim };
    part[n++] = (struct part){ w->wk, l, kv * c->dim };
    part[n++] = (struct part){ w->wv, l, kv * c->dim };
    part[n++] = (struct part){ w->wo, l, q * c->dim };
    if (version == 0)
        part[n++] = norm2;
    part[n++] = w1;
    part[n++] = w2;
    part[n++] = w3;
    if (version == 0) {
        part[n++] = norm;
        part[n++] = (struct part){ NULL, 2, c->positions * (c->head_dim / 2) };
    }
    if (!c->tied)
        part[n++] = (struct part){ w->head, 1, c->vocab * c->dim };
    return n;
}

static int check_size(const struct reader *r, const struct model_conf *c, int version,
                      uint64_t size)
{
    struct part part[PARTS_MAX];
    size_t n = file_parts(c, &(struct model_weights){ 0 }, version, part);
    uint64_t expected = version ? V1_HEADER : V0_HEADER;

    for (size_t i = 0; i < n; i++)
        expected += (uint64_t)part[i].count * part[i].floats * sizeof(float);
    if (size == expected)
        return 0;
    return err_set(r->err, ERR_CORRUPT,
                   "%s: %s: its header (version %d, %zu layers, dim %zu, vocab %zu) needs %" PRIu64
                   " bytes, the file has %" PRIu64,
                   r->path, size < expected ? "truncated" : "too long", version, c->layers, c->dim,
                   c->vocab, expected, size);
}

static int read_weights(struct reader *r, const struct model_conf *c, struct model_weights *w,
                        int version)
{
    struct part part[PARTS_MAX];
    size_t n = file_parts(c, w, version, part);
    int rc = 0;

    r->offset = version ? V1_HEADER : V0_HEADER;
    for (size_t i = 0; i < n; i++) {
        if (!part[i].tensor)
            r->offset += (uint64_t)part[i].count * part[i].floats * sizeof(float);
        for (size_t l = 0; part[i].tensor && l < part[i].count && !rc; l++)
            rc = read_bytes(r, part[i].tensor[l], part[i].floats * sizeof(float));
    }
    return rc;
}

static int load(struct reader *r, struct model_conf *c, struct model_weights *w)
{
    struct stat st;
    int version = 0, rc;

    if (fstat(r->fd, &st) < 0)
        return err_errno(r->err, errno, "stat %s", r->path);
    if (!S_ISREG(st.st_mode))
        return err_set(r->err, ERR_INVALID, "%s is no file", r->path);
    rc = parse_header(r, (uint64_t)st.st_size, c, &version);
    if (!rc)
        rc = check_size(r, c, version, (uint64_t)st.st_size);
    if (!rc)
        rc = model_weights_alloc(w, c, r->err);
    if (rc)
        return rc;
    rc = read_weights(r, c, w, version);
    if (rc)
        model_weights_release(w);
    return rc;
}

int llama2c_load(const char *path, struct model_conf *c, struct model_weights *w, struct err *err)
{
    struct reader r = { .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC), .err = err };
    int rc;

    memset(w, 0, sizeof(*w));
    if (r.fd < 0)
        return err_errno(err, errno, "open %s", path);
    rc = load(&r, c, w);
    close(r.fd);
    return rc;
}
