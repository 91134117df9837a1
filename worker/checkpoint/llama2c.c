/* SPDX-License-Identifier: Apache-2.0 */
/* llama2c.c - checkpoints of llama2.c's export.py, versions 0 and 1 (little-endian, float32).
 *
 * v0: 7 x i32 {dim, hidden, layers, heads, kv_heads, vocab (negative: own classifier), positions},
 * then embed, norm1[], wq[], wk[], wv[], wo[], norm2[], w1[], w2[], w3[], norm, two frequency
 * tables (skipped), [head]. v1: 256 bytes: u32 "ak42", i32 1, the 7 numbers, u8 shared classifier,
 * zeros; then norm1[], norm2[], norm, embed, wq[], wk[], wv[], wo[], w1[], w2[], w3[], [head].
 * Neither names eps (1e-5), theta (10000) or the end of text: BOS (1) delimits stories. Rotary
 * pairs are interleaved. */
#include <inttypes.h>
#include <string.h>

#include "worker/checkpoint/mapping.h"
#include "worker/checkpoint/views.h"

enum { V0_HEADER = 28, V1_HEADER = 256, V1_MAGIC = 0x616b3432 };

/* A part of the file: all tensors of one kind, or the frequency tables to skip. */
struct part {
    struct tensor_view *view; /* NULL: skip */
    size_t count, rows, cols;
};
enum { PARTS_MAX = 14 };

struct reader {
    struct mapping map;
    struct err *err;
};

static int32_t word_at(const uint8_t *p)
{
    return (int32_t)mapping_u32(p);
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
    c->eos_len = c->vocab > 2;
    c->eos[0] = 2;
    rc = model_conf_check(c, r->err);
    return rc ? err_wrap(r->err, ERR_CORRUPT, "%s: header is no llama2.c checkpoint's", r->map.path)
              : 0;
}

static int parse_v1(struct reader *r, const uint8_t *head, struct model_conf *c)
{
    int rc;

    if (word_at(head + 4) != 1)
        return err_set(r->err, ERR_VERSION,
                       "%s: llama2.c checkpoint of version %d; this version reads 0 and 1",
                       r->map.path, word_at(head + 4));
    if (r->map.size < V1_HEADER)
        return err_set(r->err, ERR_CORRUPT, "%s: truncated inside its header of %d bytes",
                       r->map.path, V1_HEADER);
    if (word_at(head + 8 + 20) < 0 || head[36] > 1)
        return err_set(r->err, ERR_CORRUPT, "%s: bad header at offset %d", r->map.path,
                       head[36] > 1 ? 36 : 28);
    rc = parse_numbers(r, head + 8, c);
    c->tied = head[36] == 1;
    return rc;
}

static int parse_header(struct reader *r, struct model_conf *c, int *ret_version)
{
    const uint8_t *head = r->map.data;
    int rc;

    if (r->map.size < V0_HEADER)
        return err_set(r->err, ERR_CORRUPT, "%s: %zu bytes are no llama2.c checkpoint", r->map.path,
                       r->map.size);
    *ret_version = mapping_u32(head) == V1_MAGIC;
    if (*ret_version)
        return parse_v1(r, head, c);
    rc = parse_numbers(r, head, c);
    c->tied = word_at(head + 20) > 0;
    return rc;
}

/* Parts in file order. */
static size_t file_parts(const struct checkpoint *m, int version, struct part part[PARTS_MAX])
{
    const struct model_conf *c = &m->conf;
    size_t l = c->layers, q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim, n = 0;
    const struct part embed = { m->embed, 1, c->vocab, c->dim }, norm = { m->norm, 1, 1, c->dim };
    const struct part norm1 = { m->norm1, l, 1, c->dim }, norm2 = { m->norm2, l, 1, c->dim };

    if (version == 0) {
        part[n++] = embed;
        part[n++] = norm1;
    } else {
        part[n++] = norm1;
        part[n++] = norm2;
        part[n++] = norm;
        part[n++] = embed;
    }
    part[n++] = (struct part){ m->wq, l, q, c->dim };
    part[n++] = (struct part){ m->wk, l, kv, c->dim };
    part[n++] = (struct part){ m->wv, l, kv, c->dim };
    part[n++] = (struct part){ m->wo, l, c->dim, q };
    if (version == 0)
        part[n++] = norm2;
    part[n++] = (struct part){ m->w1, l, c->hidden, c->dim };
    part[n++] = (struct part){ m->w2, l, c->dim, c->hidden };
    part[n++] = (struct part){ m->w3, l, c->hidden, c->dim };
    if (version == 0) {
        part[n++] = norm;
        part[n++] = (struct part){ NULL, 2, c->positions, c->head_dim / 2 };
    }
    if (!c->tied)
        part[n++] = (struct part){ m->head, 1, c->vocab, c->dim };
    return n;
}

static size_t part_bytes(const struct part *p)
{
    return p->count * p->rows * p->cols * sizeof(float);
}

static int check_size(const struct reader *r, const struct checkpoint *m, int version)
{
    const struct model_conf *c = &m->conf;
    struct part part[PARTS_MAX];
    size_t n = file_parts(m, version, part), expected = version ? V1_HEADER : V0_HEADER;

    for (size_t i = 0; i < n; i++)
        expected += part_bytes(&part[i]);
    if (r->map.size == expected)
        return 0;
    return err_set(r->err, ERR_CORRUPT,
                   "%s: %s: its header (version %d, %zu layers, dim %zu, vocab %zu) needs %zu "
                   "bytes, the file has %zu",
                   r->map.path, r->map.size < expected ? "truncated" : "too long", version,
                   c->layers, c->dim, c->vocab, expected, r->map.size);
}

static void view_parts(const struct reader *r, const struct checkpoint *m, int version)
{
    struct part part[PARTS_MAX];
    size_t n = file_parts(m, version, part), at = version ? V1_HEADER : V0_HEADER;

    for (size_t i = 0; i < n; i++) {
        const struct part *p = &part[i];

        for (size_t l = 0; p->view && l < p->count; l++)
            p->view[l] = (struct tensor_view){
                .data = r->map.data + at + l * p->rows * p->cols * sizeof(float),
                .type = WEIGHT_F32,
                .rows = p->rows,
                .cols = p->cols,
            };
        at += part_bytes(p);
    }
}

int llama2c_open(struct checkpoint *c, const char *path, struct err *err)
{
    struct reader r = { .err = err };
    int version = 0, rc = mapping_open(&r.map, path, err);

    c->format = "llama2.c";
    if (!rc)
        rc = parse_header(&r, &c->conf, &version);
    if (!rc)
        rc = check_size(&r, c, version);
    if (!rc) {
        checkpoint_alloc_views(c);
        view_parts(&r, c, version);
        checkpoint_keep(c, &r.map);
    }
    mapping_close(&r.map);
    return rc;
}
