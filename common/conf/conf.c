/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - checked loading of libconfig files. A struct conf_value is libconfig's config_setting_t
 * in disguise. */
#include "common/conf/conf.h"

#include <assert.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/source.h"

struct conf {
    config_t lib; /* first: settings point to it */
    struct source source;
    char *path;
};

static config_setting_t *theirs(const struct conf_value *v)
{
    return (config_setting_t *)(uintptr_t)v;
}

static const struct conf_value *ours(const config_setting_t *s)
{
    return (const struct conf_value *)s;
}

static const struct conf *conf_of(const struct conf_value *v)
{
    return (const struct conf *)theirs(v)->config;
}

static int parse(struct conf *c, struct err *err)
{
    unsigned line;

    if (config_read_string(&c->lib, buf_str(&c->source.text)) == CONFIG_TRUE)
        return 0;
    line = (unsigned)MAX(config_error_line(&c->lib), 1);
    return err_set(err, ERR_INVALID, "%s:%u: %s; a setting is written: key = value;",
                   source_file(&c->source, line), source_line(&c->source, line),
                   config_error_text(&c->lib));
}

static struct conf *new_conf(const char *path)
{
    struct conf *c = mem_calloc(1, sizeof(*c));

    config_init(&c->lib);
    c->path = mem_strdup(path);
    return c;
}

static int finish(struct conf *c, int rc, struct conf **ret, struct err *err)
{
    if (rc == 0)
        rc = parse(c, err);
    if (rc < 0) {
        conf_close(c);
        return rc;
    }
    *ret = c;
    return 0;
}

int conf_open(struct conf **ret, const char *path, struct err *err)
{
    struct conf *c = new_conf(path);

    return finish(c, source_read(&c->source, path, err), ret, err);
}

int conf_open_text(struct conf **ret, const char *name, const char *text, size_t len,
                   struct err *err)
{
    struct conf *c = new_conf(name);

    return finish(c, source_set(&c->source, name, text, len, err), ret, err);
}

void conf_close(struct conf *c)
{
    if (!c)
        return;
    config_destroy(&c->lib);
    source_release(&c->source);
    free(c->path);
    free(c);
}

void conf_cleanup(struct conf **c)
{
    conf_close(*c);
}

const struct conf_value *conf_root(const struct conf *c)
{
    return ours(config_root_setting(&c->lib));
}

const char *conf_source(const struct conf *c)
{
    return buf_str(&c->source.text);
}

const char *conf_path(const struct conf *c)
{
    return c->path;
}

enum conf_type conf_type(const struct conf_value *v)
{
    switch (config_setting_type(theirs(v))) {
    case CONFIG_TYPE_GROUP:
        return CONF_GROUP;
    case CONFIG_TYPE_LIST:
        return CONF_LIST;
    case CONFIG_TYPE_ARRAY:
        return CONF_ARRAY;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return CONF_INT;
    case CONFIG_TYPE_FLOAT:
        return CONF_REAL;
    case CONFIG_TYPE_BOOL:
        return CONF_BOOL;
    default:
        return CONF_TEXT;
    }
}

const char *conf_type_name(enum conf_type type)
{
    static const char *const names[CONF_TYPES] = {
        [CONF_GROUP] = "group { }",  [CONF_LIST] = "list ( )", [CONF_ARRAY] = "array [ ]",
        [CONF_INT] = "whole number", [CONF_REAL] = "number",   [CONF_BOOL] = "true or false",
        [CONF_TEXT] = "text \" \"",
    };

    assert(type < CONF_TYPES);
    return names[type];
}

const char *conf_name(const struct conf_value *v)
{
    const char *name = config_setting_name(theirs(v));

    return name ? name : "";
}

const char *conf_file(const struct conf_value *v)
{
    return source_file(&conf_of(v)->source, config_setting_source_line(theirs(v)));
}

unsigned conf_line(const struct conf_value *v)
{
    return source_line(&conf_of(v)->source, config_setting_source_line(theirs(v)));
}

const struct conf_value *conf_parent(const struct conf_value *v)
{
    return ours(config_setting_parent(theirs(v)));
}

void conf_key(const struct conf_value *v, struct buf *out)
{
    const struct conf_value *parent = conf_parent(v);

    if (!parent)
        return;
    conf_key(parent, out);
    if (*conf_name(v))
        buf_printf(out, "%s%s", conf_parent(parent) ? "." : "", conf_name(v));
    else
        buf_printf(out, "[%d]", config_setting_index(theirs(v)));
}

size_t conf_len(const struct conf_value *v)
{
    return config_setting_is_aggregate(theirs(v)) ? (size_t)config_setting_length(theirs(v)) : 0;
}

const struct conf_value *conf_at(const struct conf_value *v, size_t i)
{
    return i < conf_len(v) ? ours(config_setting_get_elem(theirs(v), (unsigned)i)) : NULL;
}

const struct conf_value *conf_get(const struct conf_value *group, const char *name)
{
    for (size_t i = 0; conf_type(group) == CONF_GROUP && i < conf_len(group); i++)
        if (strcmp(conf_name(conf_at(group, i)), name) == 0)
            return conf_at(group, i);
    return NULL;
}

int conf_error(struct err *err, const struct conf_value *v, const char *format, ...)
{
    struct buf key CLEANUP(buf_release) = { 0 };
    char text[400] = "";
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    conf_key(v, &key);
    if (key.len)
        buf_adds(&key, ": ");
    return err_set(err, ERR_INVALID, "%s:%u: %s%s", conf_file(v), conf_line(v), buf_str(&key),
                   text);
}

static bool fits(const struct conf_value *v, enum conf_type type)
{
    enum conf_type is = conf_type(v);

    if (is == type || (is == CONF_INT && type == CONF_REAL))
        return true;
    return conf_len(v) == 0 &&
           ((is == CONF_LIST && type == CONF_ARRAY) || (is == CONF_ARRAY && type == CONF_LIST));
}

static const char *article(enum conf_type type)
{
    return type == CONF_ARRAY ? "an " : type == CONF_BOOL ? "" : "a ";
}

int conf_expect(const struct conf_value *v, enum conf_type type, struct err *err)
{
    enum conf_type is = conf_type(v);

    if (fits(v, type))
        return 0;
    return conf_error(err, v, "is %s%s; write %s%s", article(is), conf_type_name(is), article(type),
                      conf_type_name(type));
}

int conf_need(const struct conf_value *group, const char *name, enum conf_type type,
              const struct conf_value **ret, struct err *err)
{
    static const char *const samples[CONF_TYPES] = {
        [CONF_GROUP] = "{ ... }",    [CONF_LIST] = "( ... )", [CONF_ARRAY] = "[ ... ]",
        [CONF_INT] = "WHOLE NUMBER", [CONF_REAL] = "NUMBER",  [CONF_BOOL] = "true",
        [CONF_TEXT] = "\"...\"",
    };
    const struct conf_value *v = conf_get(group, name);
    int rc;

    if (!v)
        return conf_error(err, group, "\"%s\" is missing; add %s = %s;", name, name, samples[type]);
    rc = conf_expect(v, type, err);
    if (rc == 0)
        *ret = v;
    return rc;
}

static int unknown_key(const struct conf_value *v, const char *const *known, struct err *err)
{
    struct buf all CLEANUP(buf_release) = { 0 };
    const char *near = nearest_find(conf_name(v), known);

    if (near)
        return conf_error(err, v, "unknown key; did you mean \"%s\"?", near);
    for (; *known; known++)
        buf_printf(&all, "%s%s", all.len ? ", " : "", *known);
    return conf_error(err, v, "unknown key; known are: %s", buf_str(&all));
}

int conf_check_keys(const struct conf_value *group, const char *const *known, struct err *err)
{
    for (size_t i = 0; i < conf_len(group); i++) {
        const struct conf_value *v = conf_at(group, i);
        size_t k = 0;

        while (known[k] && strcmp(known[k], conf_name(v)) != 0)
            k++;
        if (!known[k])
            return unknown_key(v, known, err);
    }
    return 0;
}

int conf_int(const struct conf_value *v, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
    int rc = conf_expect(v, CONF_INT, err);
    int64_t i;

    if (rc < 0)
        return rc;
    i = config_setting_type(theirs(v)) == CONFIG_TYPE_INT64 ? config_setting_get_int64(theirs(v))
                                                            : config_setting_get_int(theirs(v));
    if (min <= max && (i < min || i > max))
        return conf_error(err, v, "%lld is out of range; choose %lld to %lld", (long long)i,
                          (long long)min, (long long)max);
    *ret = i;
    return 0;
}

int conf_real(const struct conf_value *v, double min, double max, double *ret, struct err *err)
{
    int rc = conf_expect(v, CONF_REAL, err);
    int64_t i = 0;
    double r;

    if (rc < 0)
        return rc;
    if (conf_type(v) == CONF_INT) {
        rc = conf_int(v, 1, 0, &i, err);
        r = (double)i;
    } else {
        r = config_setting_get_float(theirs(v));
    }
    if (rc == 0 && min <= max && !(r >= min && r <= max))
        return conf_error(err, v, "%g is out of range; choose %g to %g", r, min, max);
    if (rc == 0)
        *ret = r;
    return rc;
}

int conf_bool(const struct conf_value *v, bool *ret, struct err *err)
{
    int rc = conf_expect(v, CONF_BOOL, err);

    if (rc == 0)
        *ret = config_setting_get_bool(theirs(v)) != 0;
    return rc;
}

int conf_text(const struct conf_value *v, const char **ret, struct err *err)
{
    int rc = conf_expect(v, CONF_TEXT, err);

    if (rc == 0)
        *ret = config_setting_get_string(theirs(v));
    return rc;
}

int conf_word(const struct conf_value *v, const char *const *words, size_t *ret, struct err *err)
{
    struct buf all CLEANUP(buf_release) = { 0 };
    const char *s = "", *near;
    int rc = conf_text(v, &s, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], s) == 0) {
            *ret = i;
            return 0;
        }
        buf_printf(&all, "%s%s", i ? ", " : "", words[i]);
    }
    near = nearest_find(s, words);
    if (near)
        return conf_error(err, v, "\"%s\" is unknown; did you mean \"%s\"?", s, near);
    return conf_error(err, v, "\"%s\" is unknown; choose one of %s", s, buf_str(&all));
}
