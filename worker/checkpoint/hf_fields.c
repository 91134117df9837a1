/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkpoint/hf_fields.h"

#include <math.h>
#include <string.h>

static const struct json *member(const struct fields *f, const char *key)
{
    const struct json *v = json_get(f->root, key);

    return json_is_null(v) ? NULL : v;
}

int fields_size(const struct fields *f, const char *key, size_t fallback, size_t *ret)
{
    const struct json *v = member(f, key);

    *ret = fallback;
    if (!v && fallback == SIZE_MAX)
        return err_set(f->err, ERR_INVALID, "%s: %s is missing", f->path, key);
    if (!v)
        return 0;
    if (!json_is_integer(v) || json_integer(v, -1) < 0)
        return err_set(f->err, ERR_INVALID, "%s: %s must be a whole number, 0 or more", f->path,
                       key);
    *ret = (size_t)json_integer(v, -1);
    return 0;
}

int fields_float(const struct fields *f, const char *key, double fallback, float *ret)
{
    const struct json *v = member(f, key);

    if (!v && isnan(fallback))
        return err_set(f->err, ERR_INVALID, "%s: %s is missing", f->path, key);
    if (v && !json_is_number(v))
        return err_set(f->err, ERR_INVALID, "%s: %s must be a number", f->path, key);
    *ret = (float)json_number(v, fallback);
    return 0;
}

int fields_bool(const struct fields *f, const char *key, bool fallback, bool *ret)
{
    const struct json *v = member(f, key);

    *ret = json_bool(v, fallback);
    if (v && json_bool(v, false) != json_bool(v, true))
        return err_set(f->err, ERR_INVALID, "%s: %s must be true or false", f->path, key);
    return 0;
}

static bool is_token(const struct json *v)
{
    return json_is_integer(v) && json_integer(v, -1) >= 0 && json_integer(v, -1) < UINT32_MAX;
}

int fields_token(const struct fields *f, const char *key, uint32_t *ret)
{
    const struct json *v = member(f, key);

    *ret = UINT32_MAX;
    if (!v)
        return 0;
    if (!is_token(v))
        return err_set(f->err, ERR_INVALID, "%s: %s must be a token id", f->path, key);
    *ret = (uint32_t)json_integer(v, -1);
    return 0;
}

int fields_eos(const struct fields *f, struct model_conf *c)
{
    const struct json *v = member(f, "eos_token_id");
    size_t n = json_is_array(v) ? json_len(v) : v ? 1 : 0;

    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_is_array(v) ? json_at(v, i) : v;

        if (!is_token(item))
            return err_set(f->err, ERR_INVALID,
                           "%s: eos_token_id must be a token id or a list of them", f->path);
        if (model_conf_is_eos(c, (uint32_t)json_integer(item, -1)))
            continue;
        if (c->eos_len == MODEL_EOS_MAX)
            return err_set(f->err, ERR_INVALID,
                           "%s: eos_token_id: more than %d ids end a text; this version takes %d",
                           f->path, MODEL_EOS_MAX, MODEL_EOS_MAX);
        c->eos[c->eos_len++] = (uint32_t)json_integer(item, -1);
    }
    return 0;
}
