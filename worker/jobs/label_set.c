/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/label_set.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/wire.h"
#include "worker/jobs/implement.h"

void label_set_release(struct label_set *s)
{
    free(s->row);
    free(s->family);
    free(s->path);
    free(s->seen);
    *s = (struct label_set){ 0 };
}

const struct label_row *label_set_find(const struct label_set *s, uint64_t id)
{
    size_t low = 0, high = s->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->row[middle].id == id)
            return &s->row[middle];
        if (s->row[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const uint8_t *label_path(const struct label_set *s, uint32_t path)
{
    assert(path < s->paths_len);
    return s->path + path * s->layers;
}

const uint8_t *label_routing(const struct label_set *s, const struct label_row *r)
{
    return r->routing < 0 ? NULL : label_path(s, (uint32_t)r->routing);
}

const uint32_t *label_seen(const struct label_set *s, const struct label_row *r)
{
    return s->seen + r->seen;
}

int label_set_check(const struct label_set *s, const struct job *j, const char *input,
                    size_t layers, struct err *err)
{
    const Drover__Lease *m = j->lease;
    char of[DIGEST_HEX], is[DIGEST_HEX];

    if (s->families_len == 0)
        return 0;
    if (s->layers != layers)
        return err_set(err, ERR_INVALID,
                       "%s: the labels are for %zu layers; the model has %zu layers: search labels "
                       "with this model, or name the model of the labels",
                       job_input_name(j, input), s->layers, layers);
    for (size_t i = 0; i < m->n_inputs; i++) {
        struct digest model;

        if (strcmp(m->inputs[i]->name, "model") != 0)
            continue;
        model = wire_digest(m->inputs[i]->digest);
        if (!digest_equal(&model, &s->model))
            return err_set(err, ERR_INVALID,
                           "%s: this label set is of another model: it was made with %.16s..., the "
                           "step's model is %.16s...; search labels with this model, or name the "
                           "model of the labels",
                           job_input_name(j, input), digest_hex(&s->model, of),
                           digest_hex(&model, is));
    }
    return 0;
}

int label_set_open(struct label_set *ret, const struct job *j, size_t layers, struct err *err)
{
    char path[PATH_MAX] = "";
    int rc = j->services->input(j->services->arg, "labels", path, sizeof(path), err);

    *ret = (struct label_set){ 0 };
    rc = rc == 0 ? label_set_read(ret, path, err) : rc;
    rc = rc == 0 ? label_set_check(ret, j, "labels", layers, err) : rc;
    if (rc < 0)
        label_set_release(ret);
    return rc;
}

static void print_header(const struct label_family *f, struct buf *out)
{
    char key[DIGEST_HEX], model[DIGEST_HEX];

    buf_printf(out, "{\"family\":\"%s\",\"kind\":\"%s\",\"task\":\"%s\",\"level\":%" PRId64,
               digest_hex(&f->key, key), f->kind, f->task, f->level);
    buf_printf(out, ",\"split\":\"%s\",\"prompts\":\"%s\",\"fewshot\":%" PRId64, f->split,
               f->prompts, f->fewshot);
    buf_printf(out, ",\"model\":\"%s\",\"layers\":%u}\n", digest_hex(&f->model, model), f->layers);
}

static void print_path(const struct label_set *s, uint32_t path, struct buf *out)
{
    const uint8_t *routing = label_path(s, path);
    char *text = buf_reserve(out, s->layers + 2);

    *text++ = '"';
    for (size_t i = 0; i < s->layers; i++)
        *text++ = (char)('0' + routing[i]);
    *text = '"';
    out->len += s->layers + 2;
}

static void print_paths(const struct label_set *s, const char *name, const uint32_t *path,
                        size_t len, struct buf *out)
{
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < len; i++) {
        if (i > 0)
            buf_addc(out, ',');
        print_path(s, path[i], out);
    }
    buf_addc(out, ']');
}

/* Task names are identifiers and routings digits: nothing needs escaping. */
static void print_row(const struct label_set *s, const struct label_row *r, struct buf *out)
{
    const struct label_family *f = &s->family[r->family];
    const uint32_t *seen = label_seen(s, r);

    buf_printf(out, "{\"id\":\"%016" PRIx64 "\",\"task\":\"%s\",\"level\":%" PRId64, r->id, f->task,
               f->level);
    buf_printf(out,
               ",\"split\":\"%s\",\"index\":%" PRIu64 ",\"base_correct\":%s,\"routing\":", f->split,
               r->index, r->base_correct ? "true" : "false");
    if (r->routing >= 0)
        print_path(s, (uint32_t)r->routing, out);
    else
        buf_adds(out, "null");
    buf_printf(out, ",\"simulations\":%u,\"evaluations\":%u", r->simulations, r->evaluations);
    print_paths(s, "right", seen, r->right_len, out);
    print_paths(s, "wrong", seen + r->right_len, r->seen_len - r->right_len, out);
    buf_adds(out, "}\n");
}

size_t label_set_print(const struct label_set *s, const bool *leave_out, struct buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < s->families_len; i++)
        print_header(&s->family[i], out);
    for (size_t i = 0; i < s->len; i++) {
        if (leave_out && leave_out[i])
            continue;
        print_row(s, &s->row[i], out);
        n++;
    }
    return n;
}
