/* SPDX-License-Identifier: Apache-2.0 */
/* read_config.c - what stands beside a vocabulary: tokenizer_config.json (class, BOS, EOS,
 * add_bos_token, added_tokens_decoder) and special_tokens_map.json (BOS, EOS where the first does
 * not say). Chat templates in it are not read: chat.h has them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

static int open_beside(const char *path, const char *name, char **ret_path, struct json **ret,
                       struct err *err)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(buf_release) struct buf full = { 0 };
    int rc;

    if (slash)
        buf_add(&full, path, (size_t)(slash + 1 - path));
    buf_adds(&full, name);
    if (access(full.data, F_OK))
        return 0;
    rc = json_parse_file(full.data, FILE_MAX, ret, err);
    if (!rc && !json_is_object(*ret))
        return err_set(err, ERR_INVALID, "%s: not an object", full.data);
    if (!rc && ret_path)
        *ret_path = buf_detach(&full);
    return rc;
}

int config_open(struct tokenizer_config *c, const char *path, struct err *err)
{
    int rc = open_beside(path, "tokenizer_config.json", &c->config_path, &c->config, err);

    return rc ? rc : open_beside(path, "special_tokens_map.json", NULL, &c->map, err);
}

void config_release(struct tokenizer_config *c)
{
    json_free(c->config);
    json_free(c->map);
    free(c->config_path);
    *c = (struct tokenizer_config){ 0 };
}

static bool class_is(const struct tokenizer_config *c, const char *start)
{
    const char *class = json_text(json_get(c->config, "tokenizer_class"));

    return class && !strncmp(class, start, strlen(start));
}

enum family config_family(const struct tokenizer_config *c)
{
    if (class_is(c, "GPT2Tokenizer"))
        return FAMILY_GPT2;
    return class_is(c, "Qwen2Tokenizer") ? FAMILY_QWEN2 : FAMILY_NONE;
}

struct decoder {
    const struct tokenizer_config *c;
    struct tokenizer *t;
    struct err *err;
};

static int add_entry(const char *key, struct json *value, void *arg)
{
    struct decoder *d = arg;
    char *end;
    long long id = strtoll(key, &end, 10);

    if (end == key || *end || *key < '0' || *key > '9')
        return err_set(d->err, ERR_INVALID, "%s: added_tokens_decoder: '%.40s' is no id",
                       d->c->config_path, key);
    return read_added(d->t, d->c->config_path, value, id, d->err);
}

/* The token that KEY names, a string or {"content": ...}. */
static int find_token(const struct tokenizer_config *c, const struct tokenizer *t, const char *key,
                      uint32_t *id, struct err *err)
{
    const struct json *v = json_get(c->config, key);
    const char *text;

    if (!v)
        v = json_get(c->map, key);
    text = json_text(json_is_object(v) ? json_get(v, "content") : v);
    if (!text)
        return 0;
    *id = tokenizer_id(t, text);
    if (*id == NO_ID)
        return err_set(err, ERR_INVALID, "%s: %s '%.40s' is not in the vocabulary",
                       c->config_path ? c->config_path : "special_tokens_map.json", key, text);
    return 0;
}

int config_apply(const struct tokenizer_config *c, struct tokenizer *t, struct err *err)
{
    struct decoder d = { .c = c, .t = t, .err = err };
    const struct json *tokens = json_get(c->config, "added_tokens_decoder");
    const struct json *add_bos = json_get(c->config, "add_bos_token");
    int rc = json_is_object(tokens) ? json_each(tokens, add_entry, &d) : 0;

    rc = rc ? rc : find_token(c, t, "bos_token", &t->bos, err);
    rc = rc ? rc : find_token(c, t, "eos_token", &t->eos, err);
    if (rc)
        return rc;
    /* A tokenizer.json's post_processor decides but for the Llama classes, which rebuild it. */
    if (add_bos && (json_is_null(add_bos) == false) &&
        (class_is(c, "LlamaTokenizer") || class_is(c, "CodeLlamaTokenizer") ||
         class_is(c, "GPT2Tokenizer") || t->form == FORM_PIECES)) {
        t->prefix[0] = t->bos;
        t->prefix_len = json_bool(add_bos, false) && t->bos != NO_ID;
    }
    return 0;
}
