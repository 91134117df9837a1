/* SPDX-License-Identifier: Apache-2.0 */
/* read_json_parts.c - normalizer, pre_tokenizer and post_processor of a tokenizer.json. What is not
 * known is refused by its name: a text would get other ids. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "worker/tokenizer/tokenizer_private.h"

struct parts {
    struct tokenizer *t;
    const char *path;
    struct err *err;
    bool byte_level; /* seen: nothing may come behind it */
};

static int refuse(const struct parts *p, const char *what, const char *value)
{
    return err_set(p->err, ERR_INVALID, "%s: %s '%.60s' is not supported", p->path, what,
                   value ? value : "(none)");
}

static const char *type_of(const struct json *v)
{
    const char *type = json_text(json_get(v, "type"));

    return type ? type : "";
}

static bool is_text(const struct json *v, const char *s)
{
    return json_text(v) && !strcmp(json_text(v), s);
}

/* Members LIST of a Sequence, each given to FN; V itself when it is none. */
static int each_part(struct parts *p, const struct json *v, const char *list,
                     int (*fn)(struct parts *p, const struct json *v))
{
    const struct json *members;
    int rc = 0;

    if (!v || json_is_null(v))
        return 0;
    if (strcmp(type_of(v), "Sequence") != 0)
        return fn(p, v);
    members = json_get(v, list);
    for (size_t i = 0; i < json_len(members) && !rc; i++)
        rc = fn(p, json_at(members, i));
    return rc;
}

static int normalizer(struct parts *p, const struct json *v)
{
    const char *type = type_of(v);
    bool pieces = p->t->form == FORM_PIECES;

    if (!strcmp(type, "NFC") && !pieces)
        p->t->nfc = true;
    else if (!strcmp(type, "Prepend") && pieces && is_text(json_get(v, "prepend"), "\xe2\x96\x81"))
        p->t->dummy_prefix = true;
    else if (strcmp(type, "Replace") != 0 || !pieces ||
             !is_text(json_get(json_get(v, "pattern"), "String"), " ") ||
             !is_text(json_get(v, "content"), "\xe2\x96\x81"))
        return refuse(p, "normalizer", type);
    return 0;
}

static int add_stage(struct parts *p, const char *pattern)
{
    struct tokenizer *t = p->t;
    int rc;

    if (t->stages == STAGES_MAX)
        return err_set(p->err, ERR_LIMIT, "%s: more than %d splits in pre_tokenizer", p->path,
                       STAGES_MAX);
    rc = regex_new(&t->stage[t->stages], pattern, p->err);
    if (rc)
        return err_wrap(p->err, rc, "%s: pre_tokenizer", p->path);
    t->stages++;
    return 0;
}

static int add_split(struct parts *p, const struct json *v)
{
    const struct json *pattern = json_get(v, "pattern"), *regex = json_get(pattern, "Regex");
    const char *literal = json_text(json_get(pattern, "String"));
    CLEANUP(buf_release) struct buf quoted = { 0 };

    if (!is_text(json_get(v, "behavior"), "Isolated") || json_bool(json_get(v, "invert"), false))
        return refuse(p, "pre_tokenizer Split with invert or with behavior",
                      json_text(json_get(v, "behavior")));
    if (json_text(regex))
        return add_stage(p, json_text(regex));
    if (!literal || !*literal)
        return refuse(p, "pre_tokenizer", "Split without a pattern");
    for (; *literal; literal++) {
        if ((unsigned char)*literal < 0x80 && ispunct((unsigned char)*literal))
            buf_addc(&quoted, '\\');
        buf_addc(&quoted, *literal);
    }
    return add_stage(p, buf_str(&quoted));
}

static int byte_level(struct parts *p, const struct json *v)
{
    if (json_bool(json_get(v, "add_prefix_space"), true)) {
        if (p->t->stages)
            return refuse(p, "pre_tokenizer", "ByteLevel with add_prefix_space behind a Split");
        p->t->add_prefix_space = true;
    }
    p->byte_level = true;
    return json_bool(json_get(v, "use_regex"), true) ? family_apply(p->t, FAMILY_GPT2, p->err) : 0;
}

static int metaspace(struct parts *p, const struct json *v)
{
    const struct json *scheme = json_get(v, "prepend_scheme");

    if (!is_text(json_get(v, "replacement"), "\xe2\x96\x81") ||
        json_bool(json_get(v, "split"), true))
        return refuse(p, "pre_tokenizer", "Metaspace that splits, or with another mark");
    p->t->dummy_prefix =
        scheme ? !is_text(scheme, "never") : json_bool(json_get(v, "add_prefix_space"), true);
    return 0;
}

static int pre_tokenizer(struct parts *p, const struct json *v)
{
    const char *type = type_of(v);

    if (p->byte_level)
        return refuse(p, "pre_tokenizer behind ByteLevel", type);
    if (p->t->form == FORM_PIECES)
        return strcmp(type, "Metaspace") ? refuse(p, "pre_tokenizer", type) : metaspace(p, v);
    if (!strcmp(type, "Split"))
        return add_split(p, v);
    if (!strcmp(type, "Digits"))
        return add_stage(p,
                         json_bool(json_get(v, "individual_digits"), false) ? "\\p{N}" : "\\p{N}+");
    if (!strcmp(type, "ByteLevel"))
        return byte_level(p, v);
    return refuse(p, "pre_tokenizer", type);
}

/* The ids of special token NAME in the template V. */
static int template_ids(struct parts *p, const struct json *v, const char *name)
{
    const struct json *ids =
        json_get(json_get(json_get(v, "special_tokens"), name ? name : ""), "ids");

    if (!json_len(ids))
        return refuse(p, "post_processor TemplateProcessing without the ids of", name);
    for (size_t i = 0; i < json_len(ids); i++) {
        int64_t id = json_integer(json_at(ids, i), -1);

        if (id < 0 || id >= NO_ID || p->t->prefix_len == PREFIX_MAX)
            return refuse(p, "post_processor", "TemplateProcessing with such ids");
        p->t->prefix[p->t->prefix_len++] = (uint32_t)id;
    }
    return 0;
}

static int template(struct parts *p, const struct json *v)
{
    const struct json *single = json_get(v, "single");
    bool text = false;
    int rc = 0;

    for (size_t i = 0; i < json_len(single) && !rc; i++) {
        const struct json *part = json_at(single, i);
        const struct json *special = json_get(part, "SpecialToken");

        if (json_get(part, "Sequence"))
            text = true;
        else if (text)
            rc = refuse(p, "post_processor TemplateProcessing with a token behind the text",
                        json_text(json_get(special, "id")));
        else
            rc = template_ids(p, v, json_text(json_get(special, "id")));
    }
    return rc;
}

static int post_processor(struct parts *p, const struct json *v)
{
    const char *type = type_of(v);

    if (!strcmp(type, "TemplateProcessing"))
        return template(p, v);
    return strcmp(type, "ByteLevel") ? refuse(p, "post_processor", type) : 0;
}

/* "llama3", "qwen2", ... when the patterns are a family's, for people. */
static void name_kind(struct tokenizer *t)
{
    if (t->form == FORM_PIECES)
        snprintf(t->kind, sizeof(t->kind), "BPE with byte fallback (tokenizer.json)");
    else if (!t->kind[0])
        snprintf(t->kind, sizeof(t->kind), "byte-level BPE (tokenizer.json%s)",
                 t->nfc ? ", NFC" : "");
}

int read_parts(struct tokenizer *t, const char *path, const struct json *root, struct err *err)
{
    struct parts p = { .t = t, .path = path, .err = err };
    bool nfc;
    int rc = each_part(&p, json_get(root, "normalizer"), "normalizers", normalizer);

    nfc = t->nfc;
    rc = rc ? rc : each_part(&p, json_get(root, "pre_tokenizer"), "pretokenizers", pre_tokenizer);
    rc = rc ? rc : each_part(&p, json_get(root, "post_processor"), "processors", post_processor);
    t->nfc = nfc; /* the file decides, not the family whose pattern ByteLevel takes */
    name_kind(t);
    return rc;
}
