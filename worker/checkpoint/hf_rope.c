/* SPDX-License-Identifier: Apache-2.0 */
/* hf_rope.c - rotary positions in config.json: rope_theta with rope_scaling, or rope_parameters of
 * Transformers 5. */
#include <math.h>
#include <string.h>

#include "worker/checkpoint/hf_fields.h"

/* Number I of list KEY. */
static int list_number(const struct fields *f, const char *key, size_t i, size_t len, float *ret)
{
    const struct json *list = json_get(f->root, key);

    if (!json_is_array(list) || json_len(list) != len || !json_is_number(json_at(list, i)))
        return err_set(f->err, ERR_INVALID, "%s: %s must be a list of %zu numbers (head_dim / 2)",
                       f->path, key, len);
    *ret = (float)json_number(json_at(list, i), 0.0);
    return 0;
}

/* longrope has one list of divisors for short texts and another for long ones, and a factor for
 * attention. With equal lists and factor 1 it is a plain table: what checkpoint_save writes. */
static int read_table(const struct fields *f, size_t head_dim, struct rope_scaling *ret)
{
    bool equal = true;
    float attention = 0.0f, other = 0.0f;
    int rc = fields_float(f, "attention_factor", 0.0, &attention);

    ret->kind = ROPE_TABLE;
    for (size_t i = 0; i < MIN(head_dim, MODEL_HEAD_DIM_MAX) / 2 && !rc; i++) {
        rc = list_number(f, "short_factor", i, head_dim / 2, &ret->table[i]);
        if (!rc)
            rc = list_number(f, "long_factor", i, head_dim / 2, &other);
        equal &= !(ret->table[i] < other) && !(ret->table[i] > other);
    }
    if (!rc && (!equal || attention < 1.0f || attention > 1.0f))
        rc =
            err_set(f->err, ERR_INVALID,
                    "%s: rope_scaling of type 'longrope' is supported only with short_factor equal "
                    "to long_factor and attention_factor 1",
                    f->path);
    return rc;
}

static int read_llama3(const struct fields *f, struct rope_scaling *ret)
{
    int rc = fields_float(f, "factor", NAN, &ret->factor);

    ret->kind = ROPE_LLAMA3;
    if (!rc)
        rc = fields_float(f, "low_freq_factor", NAN, &ret->low_freq);
    if (!rc)
        rc = fields_float(f, "high_freq_factor", NAN, &ret->high_freq);
    return rc ? rc : fields_size(f, "original_max_position_embeddings", SIZE_MAX, &ret->original);
}

/* The object F->root; IMPLIED: it need not name its type. */
static int read_scaling(const struct fields *f, bool implied, size_t head_dim,
                        struct rope_scaling *ret)
{
    const struct json *type = json_get(f->root, "rope_type");
    const char *name;

    memset(ret, 0, sizeof(*ret));
    if (!type || json_is_null(type))
        type = json_get(f->root, "type");
    name = json_text(type);
    if (name ? !strcmp(name, "default") : implied && (!type || json_is_null(type)))
        return 0;
    if (name && !strcmp(name, "linear")) {
        ret->kind = ROPE_LINEAR;
        return fields_float(f, "factor", NAN, &ret->factor);
    }
    if (name && !strcmp(name, "llama3"))
        return read_llama3(f, ret);
    if (name && !strcmp(name, "longrope"))
        return read_table(f, head_dim, ret);
    return err_set(f->err, ERR_INVALID,
                   "%s: rope_scaling of type '%.32s' is not supported; this version reads default, "
                   "linear and llama3",
                   f->path, name ? name : "(none)");
}

static int check_partial(const struct fields *f)
{
    float part = 1.0f;
    int rc = fields_float(f, "partial_rotary_factor", 1.0, &part);

    if (!rc && (part < 1.0f || part > 1.0f))
        rc = err_set(f->err, ERR_INVALID, "%s: partial_rotary_factor is %g; this version takes 1",
                     f->path, (double)part);
    return rc;
}

int hf_rope_read(const struct fields *f, struct model_conf *c)
{
    const struct json *parameters = json_get(f->root, "rope_parameters");
    const struct json *scaling = json_get(f->root, "rope_scaling");
    const struct fields new = { f->path, parameters, f->err }, old = { f->path, scaling, f->err };
    struct rope_scaling other;
    int rc = fields_float(f, "rope_theta", 10000.0, &c->rope_theta);

    for (size_t i = 0; i < 2 && !rc; i++) {
        const struct json *v = i ? scaling : parameters;

        if (v && !json_is_null(v) && !json_is_object(v))
            rc = err_set(f->err, ERR_INVALID, "%s: %s must be an object", f->path,
                         i ? "rope_scaling" : "rope_parameters");
    }
    if (!rc)
        rc = check_partial(f);
    if (!rc && json_is_object(scaling))
        rc = read_scaling(&old, false, c->head_dim, &c->rope_scaling);
    if (rc || !json_is_object(parameters))
        return rc;
    rc = read_scaling(&new, true, c->head_dim, &other);
    if (!rc && json_is_object(scaling) && memcmp(&other, &c->rope_scaling, sizeof(other)) != 0)
        rc = err_set(f->err, ERR_INVALID,
                     "%s: rope_parameters and rope_scaling disagree; remove one of them", f->path);
    if (rc)
        return rc;
    c->rope_scaling = other;
    rc = check_partial(&new);
    return rc ? rc : fields_float(&new, "rope_theta", (double)c->rope_theta, &c->rope_theta);
}
