/* SPDX-License-Identifier: Apache-2.0 */
/* router_files.c - a router's folder. config.json is
 *   {"format":"drover-router","version":1,"kind":"labels","model":"64 hex","layers":12,"dim":128,
 *    "windows":8,"features":"windows","input":"layer","bottleneck":128,"depth":2}
 * and for kind "success" also "decide_layer":2,"members":1,"paths":["111111111111",...].
 * and, with a guard, "guard":{"limit":171.5,"rows_min":12,"rows_max":60}.
 * router.safetensors has router.LAYER.I.weight (out, in) and router.LAYER.I.bias (out), or
 * success.MEMBER.I.weight and .bias; success.guard.mean (width) and success.guard.factor (width,
 * width), lower triangular; all F32. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/json.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "worker/checkpoint/safetensors.h"
#include "worker/model/router_private.h"

enum { VERSION = 1, CONFIG_BYTES_MAX = 1 << 20, NAME_BYTES = 64 };
#define FORMAT "drover-router"

static const char *const kind_names[] = { "labels", "success", NULL };
static const char *const features_names[] = { "windows", "last", "joined", "tail", "both", NULL };
static const char *const input_names[] = { "layer", "embedding", NULL };

static void tensor_name(const struct router_conf *c, size_t head, size_t i, bool bias,
                        char out[NAME_BYTES])
{
    const char *part = bias ? "bias" : "weight";

    if (c->kind == ROUTER_SUCCESS)
        (void)snprintf(out, NAME_BYTES, "success.%zu.%zu.%s", head, i, part);
    else
        (void)snprintf(out, NAME_BYTES, "router.%zu.%zu.%s", head, i, part);
}

/* ---- reading config.json --------------------------------------------------------------------- */

struct reader {
    const char *path; /* of config.json */
    const struct json *json;
    struct router_conf conf;
    uint8_t *routing; /* [paths][layers] */
    bool guarded;     /* limit and rows are set: */
    struct router_guard guard;
};

static int read_number(const struct reader *r, const char *key, size_t *ret, struct err *err)
{
    const struct json *v = json_get(r->json, key);
    int64_t n = json_integer(v, -1);

    if (!json_is_integer(v) || n < 0)
        return err_set(err, ERR_INVALID, "%s: \"%s\" %s a number from 0", r->path, key,
                       v ? "is not" : "is missing;");
    *ret = (size_t)n;
    return 0;
}

/* The number of the text at KEY among NAMES. */
static int read_word(const struct reader *r, const char *key, const char *const *names, int *ret,
                     struct err *err)
{
    const char *text = json_text(json_get(r->json, key));
    struct buf known CLEANUP(buf_release) = { 0 };

    for (int i = 0; names[i]; i++) {
        if (text && strcmp(text, names[i]) == 0) {
            *ret = i;
            return 0;
        }
        buf_printf(&known, "%s%s", i ? ", " : "", names[i]);
    }
    return err_set(err, ERR_INVALID, "%s: \"%s\" is %s; one of %s is needed", r->path, key,
                   text ? text : "missing", buf_str(&known));
}

static int read_version(const struct reader *r, struct err *err)
{
    const char *format = json_text(json_get(r->json, "format"));
    int64_t version = json_integer(json_get(r->json, "version"), -1);

    if (!format || strcmp(format, FORMAT) != 0)
        return err_set(err, ERR_INVALID,
                       "%s: \"format\" is %s, not \"" FORMAT "\": this is no router's folder",
                       r->path, format ? format : "missing");
    if (version != VERSION)
        return err_set(err, ERR_VERSION, "%s: version %" PRId64 "; this program reads version %d",
                       r->path, version, VERSION);
    return 0;
}

static int read_path(struct reader *r, size_t p, const char *text, struct err *err)
{
    size_t layers = r->conf.layers;

    if (!text || strlen(text) != layers)
        return err_set(err, ERR_INVALID, "%s: \"paths\", entry %zu: %zu digits are needed", r->path,
                       p, layers);
    for (size_t l = 0; l < layers; l++) {
        if (text[l] < '0' || text[l] > '2')
            return err_set(err, ERR_INVALID,
                           "%s: \"paths\", entry %zu: \"%s\" has a digit other "
                           "than 0, 1 and 2",
                           r->path, p, text);
        r->routing[p * layers + l] = (uint8_t)(text[l] - '0');
    }
    return 0;
}

static int read_paths(struct reader *r, struct err *err)
{
    const struct json *list = json_get(r->json, "paths");
    int rc = read_number(r, "decide_layer", &r->conf.decide_layer, err);

    rc = rc ? rc : read_number(r, "members", &r->conf.members, err);
    if (rc)
        return rc;
    if (!json_is_array(list) || json_len(list) > ROUTER_PATHS_MAX)
        return err_set(err, ERR_INVALID, "%s: \"paths\" is not a list of 2 to %d texts", r->path,
                       ROUTER_PATHS_MAX);
    r->conf.paths = json_len(list);
    if (r->conf.layers == 0 || r->conf.layers > CONFIG_BYTES_MAX)
        return err_set(err, ERR_INVALID, "%s: \"layers\" is %zu", r->path, r->conf.layers);
    r->routing = mem_calloc(r->conf.paths + 1, r->conf.layers);
    for (size_t p = 0; rc == 0 && p < r->conf.paths; p++)
        rc = read_path(r, p, json_text(json_at(list, p)), err);
    return rc;
}

static int read_guard(struct reader *r, struct err *err)
{
    const struct json *whole = r->json, *guard = json_get(whole, "guard");
    const struct json *limit = json_get(guard, "limit");
    int rc;

    if (!guard)
        return 0;
    if (r->conf.kind != ROUTER_SUCCESS)
        return err_set(err, ERR_INVALID, "%s: \"guard\": only a router of kind success has one",
                       r->path);
    if (!json_is_object(guard) || !json_is_number(limit) || !isfinite(json_number(limit, 0.0)) ||
        json_number(limit, 0.0) < 0.0)
        return err_set(err, ERR_INVALID,
                       "%s: \"guard\": an object with a number \"limit\" from 0 is needed",
                       r->path);
    r->guarded = true;
    r->guard.limit = json_number(limit, 0.0);
    r->json = guard;
    rc = read_number(r, "rows_min", &r->guard.rows_min, err);
    rc = rc ? rc : read_number(r, "rows_max", &r->guard.rows_max, err);
    r->json = whole;
    if (rc == 0 && (r->guard.rows_min < 1 || r->guard.rows_max < r->guard.rows_min))
        rc =
            err_set(err, ERR_INVALID,
                    "%s: \"guard\": \"rows_min\" %zu and \"rows_max\" %zu; 1 to rows_max is needed",
                    r->path, r->guard.rows_min, r->guard.rows_max);
    return rc;
}

static int read_model(struct reader *r, struct err *err)
{
    const char *hex = json_text(json_get(r->json, "model"));
    int rc =
        hex ? digest_parse(hex, &r->conf.model, err) : err_set(err, ERR_INVALID, "it is missing");

    return rc ? err_wrap(err, rc, "%s: \"model\"", r->path) : 0;
}

static int read_conf(struct reader *r, struct err *err)
{
    int kind = 0, features = 0, input = 0, rc = read_version(r, err);

    rc = rc ? rc : read_word(r, "kind", kind_names, &kind, err);
    rc = rc ? rc : read_word(r, "features", features_names, &features, err);
    rc = rc ? rc : read_word(r, "input", input_names, &input, err);
    rc = rc ? rc : read_model(r, err);
    r->conf.kind = (enum router_kind)kind;
    r->conf.features = (enum router_features)features;
    r->conf.input = (enum router_input)input;
    rc = rc ? rc : read_number(r, "layers", &r->conf.layers, err);
    rc = rc ? rc : read_number(r, "dim", &r->conf.dim, err);
    rc = rc ? rc : read_number(r, "windows", &r->conf.windows, err);
    rc = rc ? rc : read_number(r, "bottleneck", &r->conf.bottleneck, err);
    rc = rc ? rc : read_number(r, "depth", &r->conf.depth, err);
    if (rc == 0 && kind == ROUTER_SUCCESS)
        rc = read_paths(r, err);
    return rc ? rc : read_guard(r, err);
}

/* ---- reading router.safetensors ---------------------------------------------------------------
 */

static int read_tensor(const struct safetensors *s, const struct router *r, size_t head, size_t i,
                       bool bias, struct err *err)
{
    const struct router_conf *c = &r->conf;
    size_t in = router_in(c, i), out = router_out(c, i);
    struct tensor_view view;
    char name[NAME_BYTES];
    struct safetensor *t;
    int rc;

    tensor_name(c, head, i, bias, name);
    t = safetensors_find(s, name);
    if (!t)
        return err_set(err, ERR_INVALID, "%s: there is no tensor %s", s->map.path, name);
    rc = safetensors_view(s, t, bias ? 1 : out, bias ? out : in, bias, &view, err);
    if (rc)
        return rc;
    t->used = true;
    float *wide CLEANUP(mem_cleanup) = mem_try_aligned(view.rows * view.cols, sizeof(float));
    if (!wide)
        return err_set(err, ERR_NOMEM, "%s: no memory for tensor %s", s->map.path, name);
    weight_widen(wide, view.data, view.type, view.rows * view.cols);
    if (bias)
        memcpy(r->head[head].bias[i], wide, out * sizeof(float));
    else
        packed_fill(&r->head[head].w[i], wide, in);
    return 0;
}

/* The factor is one: triangular, of full rank, finite. */
static int check_guard(const struct router_guard *g, const char *path, struct err *err)
{
    for (size_t i = 0; i < g->width; i++) {
        const float *row = g->factor + i * g->width;

        if (!isfinite(g->mean[i]))
            return err_set(err, ERR_INVALID, "%s: success.guard.mean, element %zu is not finite",
                           path, i);
        for (size_t k = 0; k < g->width; k++)
            if (!isfinite(row[k]) || (k > i && (row[k] < 0 || row[k] > 0)) ||
                (k == i && row[k] <= 0))
                return err_set(err, ERR_INVALID,
                               "%s: success.guard.factor, row %zu, column %zu: it must be lower "
                               "triangular and finite, above 0 on the diagonal",
                               path, i, k);
    }
    return 0;
}

static int read_guard_tensor(const struct safetensors *s, const char *name, size_t rows,
                             size_t cols, bool vector, float *ret, struct err *err)
{
    struct safetensor *t = safetensors_find(s, name);
    struct tensor_view view;
    int rc;

    if (!t)
        return err_set(err, ERR_INVALID, "%s: there is no tensor %s", s->map.path, name);
    rc = safetensors_view(s, t, rows, cols, vector, &view, err);
    if (rc)
        return rc;
    t->used = true;
    weight_widen(ret, view.data, view.type, rows * cols);
    return 0;
}

static int read_guard_tensors(const struct safetensors *s, const struct router *r, struct err *err)
{
    const struct router_guard *g = &r->guard;
    int rc;

    if (g->width == 0)
        return 0;
    rc = read_guard_tensor(s, "success.guard.mean", 1, g->width, true, g->mean, err);
    rc = rc ? rc
            : read_guard_tensor(s, "success.guard.factor", g->width, g->width, false, g->factor,
                                err);
    return rc ? rc : check_guard(g, s->map.path, err);
}

static int read_tensors(const struct router *r, const char *path, struct err *err)
{
    struct safetensors s;
    int rc = safetensors_open(&s, path, err);

    if (rc)
        return rc;
    for (size_t h = 0; rc == 0 && h < router_heads(&r->conf); h++)
        for (size_t i = 0; rc == 0 && i < 2 * r->conf.depth; i++)
            rc = read_tensor(&s, r, h, i / 2, i % 2 == 1, err);
    rc = rc ? rc : read_guard_tensors(&s, r, err);
    for (size_t i = 0; rc == 0 && i < s.len; i++)
        if (!s.tensor[i].used)
            rc = err_set(err, ERR_INVALID,
                         "%s: tensor %s has no place in a router of %zu layers "
                         "and depth %zu",
                         path, s.tensor[i].name, r->conf.layers, r->conf.depth);
    safetensors_close(&s);
    return rc;
}

int router_open(struct router **ret, const char *dir, const struct kernels *kern, struct err *err)
{
    struct buf config CLEANUP(buf_release) = { 0 }, tensors CLEANUP(buf_release) = { 0 };
    struct json *json CLEANUP(json_cleanup) = NULL;
    struct reader r = { 0 };
    int rc;

    *ret = NULL;
    buf_printf(&config, "%s/config.json", dir);
    buf_printf(&tensors, "%s/router.safetensors", dir);
    rc = json_parse_file(buf_str(&config), CONFIG_BYTES_MAX, &json, err);
    if (rc)
        return rc;
    r.path = buf_str(&config);
    r.json = json;
    rc = read_conf(&r, err);
    if (rc == 0) {
        rc = router_new(ret, &r.conf, r.routing, kern, err);
        rc = rc ? err_wrap(err, rc, "%s", r.path) : 0;
    }
    free(r.routing);
    if (rc == 0 && r.guarded) {
        rc = router_guard_new(*ret, err);
        (*ret)->guard.limit = r.guard.limit;
        (*ret)->guard.rows_min = r.guard.rows_min;
        (*ret)->guard.rows_max = r.guard.rows_max;
    }
    rc = rc ? rc : read_tensors(*ret, buf_str(&tensors), err);
    if (rc) {
        router_free(*ret);
        *ret = NULL;
    }
    return rc;
}

int router_check_model(const struct router *r, const char *router_name, const struct model_conf *m,
                       const struct digest *model, const char *model_name, struct err *err)
{
    const struct router_conf *c = &r->conf;
    char own[DIGEST_HEX], other[DIGEST_HEX];

    if (c->layers != m->layers || c->dim != m->dim)
        return err_set(
            err, ERR_INVALID,
            "router %s is for a model of %zu layers and width %zu; %s has %zu layers and "
            "width %zu: train a router on labels of this model",
            router_name, c->layers, c->dim, model_name, m->layers, m->dim);
    if (!digest_equal(&c->model, model))
        return err_set(
            err, ERR_INVALID,
            "router %s was trained on the model %.12s...; %s is %.12s...: train a router "
            "on labels of this model",
            router_name, digest_hex(&c->model, own), model_name, digest_hex(model, other));
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void print_config(const struct router *r, struct buf *out)
{
    const struct router_conf *c = &r->conf;
    struct jsonw w = { .to = out };
    char hex[DIGEST_HEX], path[512];

    jsonw_open(&w, '{');
    jsonw_text(&w, "format", FORMAT);
    jsonw_int(&w, "version", VERSION);
    jsonw_text(&w, "kind", kind_names[c->kind]);
    jsonw_text(&w, "model", digest_hex(&c->model, hex));
    jsonw_int(&w, "layers", (int64_t)c->layers);
    jsonw_int(&w, "dim", (int64_t)c->dim);
    jsonw_int(&w, "windows", (int64_t)c->windows);
    jsonw_text(&w, "features", features_names[c->features]);
    jsonw_text(&w, "input", input_names[c->input]);
    jsonw_int(&w, "bottleneck", (int64_t)c->bottleneck);
    jsonw_int(&w, "depth", (int64_t)c->depth);
    if (c->kind == ROUTER_SUCCESS) {
        jsonw_int(&w, "decide_layer", (int64_t)c->decide_layer);
        jsonw_int(&w, "members", (int64_t)c->members);
        jsonw_open_at(&w, "paths", '[');
        for (size_t p = 0; p < c->paths; p++) {
            for (size_t l = 0; l < c->layers; l++)
                path[l] = (char)('0' + r->path[p * c->layers + l]);
            jsonw_text_len(&w, NULL, path, c->layers);
        }
        jsonw_close(&w, ']');
    }
    if (r->guard.width) {
        jsonw_open_at(&w, "guard", '{');
        jsonw_real(&w, "limit", r->guard.limit);
        jsonw_int(&w, "rows_min", (int64_t)r->guard.rows_min);
        jsonw_int(&w, "rows_max", (int64_t)r->guard.rows_max);
        jsonw_close(&w, '}');
    }
    jsonw_close(&w, '}');
    buf_addc(out, '\n');
}

/* Tensors in an order that does not depend on how their names sort: networks, layers, weight before
 * bias, guard. */
static void print_header(const struct router *r, struct buf *out)
{
    const struct router_conf *c = &r->conf;
    size_t at = 0, width = r->guard.width, len;

    buf_add(out, &(uint64_t){ 0 }, 8);
    buf_adds(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t h = 0; h < router_heads(c); h++)
        for (size_t i = 0; i < 2 * c->depth; i++) {
            size_t rows = router_out(c, i / 2), cols = i % 2 ? 1 : router_in(c, i / 2);
            char name[NAME_BYTES];

            tensor_name(c, h, i / 2, i % 2 == 1, name);
            buf_printf(out, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", name, rows);
            if (i % 2 == 0)
                buf_printf(out, ",%zu", cols);
            buf_printf(out, "],\"data_offsets\":[%zu,%zu]}", at, at + 4 * rows * cols);
            at += 4 * rows * cols;
        }
    if (width)
        buf_printf(
            out,
            ",\"success.guard.mean\":{\"dtype\":\"F32\",\"shape\":[%zu],\"data_offsets\":[%zu,"
            "%zu]},\"success.guard.factor\":{\"dtype\":\"F32\",\"shape\":[%zu,%zu],"
            "\"data_offsets\":[%zu,%zu]}",
            width, at, at + 4 * width, width, width, at + 4 * width, at + 4 * width * (width + 1));
    buf_addc(out, '}');
    while (out->len % 8)
        buf_addc(out, ' ');
    len = out->len - 8;
    for (int i = 0; i < 8; i++)
        out->data[i] = (char)(len >> 8 * i & 255);
}

static void print_linear(const struct packed *w, const float *bias, struct buf *out)
{
    for (size_t n = 0; n < w->n; n++) {
        float *row = (float *)(void *)buf_reserve(out, w->k * sizeof(float));

        for (size_t k = 0; k < w->k; k++)
            memcpy((char *)row + k * sizeof(float), router_weight(w, n, k), sizeof(float));
        out->len += w->k * sizeof(float);
    }
    buf_add(out, bias, w->n * sizeof(float));
}

int router_save(const struct router *r, const char *dir, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 }, text CLEANUP(buf_release) = { 0 };
    int rc;

    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return err_errno(err, errno, "make folder %s", dir);
    print_header(r, &text);
    for (size_t h = 0; h < router_heads(&r->conf); h++)
        for (size_t i = 0; i < r->conf.depth; i++)
            print_linear(&r->head[h].w[i], r->head[h].bias[i], &text);
    if (r->guard.width) {
        buf_add(&text, r->guard.mean, r->guard.width * sizeof(float));
        buf_add(&text, r->guard.factor, r->guard.width * r->guard.width * sizeof(float));
    }
    buf_printf(&path, "%s/router.safetensors", dir);
    rc = buf_write_file(buf_str(&path), text.data, text.len, err);
    if (rc)
        return rc;
    buf_clear(&text);
    buf_clear(&path);
    print_config(r, &text);
    buf_printf(&path, "%s/config.json", dir);
    return buf_write_file(buf_str(&path), text.data, text.len, err);
}
