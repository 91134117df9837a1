/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/reading.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/cond.h"
#include "experiments/plan/keys_table.h"

/* Names become rows, file names and words on the command line. */
enum { NAME_BYTES_MAX = 100 };

char *recipe_place(const struct conf_value *v)
{
    struct buf b = { 0 };

    buf_printf(&b, "%s:%u", conf_file(v), conf_line(v));
    return buf_detach(&b);
}

int recipe_read_cond(const struct conf_value *v, struct recipe_cond *ret, struct err *err)
{
    struct buf where = { 0 };
    const char *text;
    int rc = conf_text(v, &text, err);

    if (rc)
        return rc;
    buf_printf(&where, "%s:%u: ", conf_file(v), conf_line(v));
    conf_key(v, &where);
    *ret = (struct recipe_cond){ .text = mem_strdup(text), .where = buf_detach(&where) };
    return 0;
}

void recipe_cond_release(struct recipe_cond *c)
{
    free(c->text);
    free(c->where);
    cond_free(c->cond);
    *c = (struct recipe_cond){ 0 };
}

/* WITH: further characters allowed in a name besides letters, digits, '_' and '-'. */
static int read_name(const struct conf_value *v, const char *with, char **ret, struct err *err)
{
    const char *text;
    int rc = conf_text(v, &text, err);

    if (rc)
        return rc;
    if (!*text || strlen(text) > NAME_BYTES_MAX)
        return conf_error(err, v, "must have 1 to %d characters", NAME_BYTES_MAX);
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-' && !strchr(with, *c))
            return iscntrl((unsigned char)*c) || !isascii((unsigned char)*c)
                       ? conf_error(err, v,
                                    "byte 0x%02x is not allowed in a name; use letters, "
                                    "digits, _, -%s%s",
                                    (unsigned char)*c, *with ? " and " : "", with)
                       : conf_error(err, v,
                                    "'%c' is not allowed in \"%s\"; use letters, digits, "
                                    "_, -%s%s",
                                    *c, text, *with ? " and " : "", with);
    *ret = mem_strdup(text);
    return 0;
}

/* ---- steps ---- */

static int read_entry(struct recipe_set *s, const struct conf_value *v, const char *name,
                      struct err *err)
{
    struct param_value value CLEANUP(param_value_release) = { 0 };
    char *where CLEANUP(mem_cleanup) = recipe_place(v);
    int rc = value_read(v, &value, err);

    return rc ? rc : set_put(s, name, &value, where, err);
}

/* A group inside a step: model = { path = "x"; } becomes "model.path". */
static int read_group(struct recipe_set *s, const struct conf_value *group, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < conf_len(group); i++) {
        struct buf name CLEANUP(buf_release) = { 0 };
        buf_printf(&name, "%s.%s", conf_name(group), conf_name(conf_at(group, i)));
        rc = read_entry(s, conf_at(group, i), buf_str(&name), err);
    }
    return rc;
}

static int read_kind(const struct conf_value *v, const struct kind **ret, struct err *err)
{
    const char *names[KINDS + 1] = { NULL };
    const char *text;
    int rc = conf_text(v, &text, err);

    if (rc)
        return rc;
    *ret = kind_find(text);
    if (*ret)
        return 0;
    struct buf list CLEANUP(buf_release) = { 0 };
    for (int i = 0, n = 0; i < KINDS; i++) {
        names[n] = kind_at((enum kind_id)i)->name;
        buf_printf(&list, "%s%s", n ? ", " : "", names[n]);
        n++;
    }
    const char *near = nearest_find(text, names);
    return near ? conf_error(err, v, "unknown job kind \"%s\"; did you mean \"%s\"? (%s)", text,
                             near, buf_str(&list))
                : conf_error(err, v, "unknown job kind \"%s\"; one of %s", text, buf_str(&list));
}

static int read_step(struct recipe *r, const struct conf_value *v, struct err *err)
{
    const struct conf_value *id, *job;
    struct recipe_step *s = &r->step[r->steps_len];
    int rc = conf_expect(v, CONF_GROUP, err);

    rc = rc ? rc : conf_need(v, "id", CONF_TEXT, &id, err);
    rc = rc ? rc : conf_need(v, "job", CONF_TEXT, &job, err);
    rc = rc ? rc : read_kind(job, &s->kind, err);
    rc = rc ? rc : read_name(id, "", &s->id, err);
    if (rc)
        return rc;
    s->index = r->steps_len;
    s->where = recipe_place(v);
    for (size_t i = 0; i < r->steps_len; i++)
        if (strcmp(r->step[i].id, s->id) == 0)
            return conf_error(err, id, "two steps are called \"%s\"", s->id);
    r->steps_len++;
    if (strcmp(s->id, "paths") == 0 || strcmp(s->id, "vars") == 0)
        return conf_error(err, id, "\"%s\" names variables; call the step something else", s->id);
    if (strcmp(s->id, "seed") == 0 || strcmp(s->id, "halving") == 0)
        return conf_error(err, id, "\"%s\" has a meaning of its own; call the step something else",
                          s->id);
    for (size_t i = 0; !rc && i < conf_len(v); i++) {
        const struct conf_value *entry = conf_at(v, i);
        if (entry == id || entry == job)
            continue;
        rc = conf_type(entry) == CONF_GROUP ? read_group(&s->set, entry, err)
                                            : read_entry(&s->set, entry, conf_name(entry), err);
    }
    return rc;
}

static int read_steps(struct recipe *r, const struct conf_value *root, struct err *err)
{
    const struct conf_value *steps;
    int rc = conf_need(root, "steps", CONF_LIST, &steps, err);

    if (rc)
        return rc;
    if (conf_len(steps) == 0)
        return conf_error(err, steps, "a recipe needs at least one step");
    if (conf_len(steps) > RECIPE_STEPS_MAX)
        return conf_error(err, steps, "%zu steps, at most %d are allowed", conf_len(steps),
                          RECIPE_STEPS_MAX);
    for (size_t i = 0; !rc && i < conf_len(steps); i++)
        rc = read_step(r, conf_at(steps, i), err);
    return rc;
}

/* ---- names ---- */

int recipe_target(const struct recipe *r, const char *target, const char *where, int *ret_step,
                  const char **ret_name, struct err *err)
{
    const char *ids[RECIPE_STEPS_MAX + 1] = { NULL };
    const char *dot = strchr(target, '.');
    char id[NAME_BYTES_MAX + 1] = "";

    if (!dot || !dot[1] || (size_t)(dot - target) >= sizeof(id))
        return err_set(err, ERR_INVALID, "%s: \"%s\" names no value; say STEP.PARAMETER or seed",
                       where, target);
    memcpy(id, target, (size_t)(dot - target));
    id[dot - target] = '\0';
    *ret_step = recipe_find(r, id);
    *ret_name = dot + 1;
    if (*ret_step >= 0)
        return 0;
    for (size_t i = 0; i < r->steps_len; i++)
        ids[i] = r->step[i].id;
    const char *near = nearest_find(id, ids);
    return near ? err_set(err, ERR_INVALID, "%s: no step is called \"%s\"; did you mean \"%s.%s\"?",
                          where, id, near, dot + 1)
                : err_set(err, ERR_INVALID, "%s: no step is called \"%s\"", where, id);
}

/* ---- the rest ---- */

static int read_variables(struct recipe_set *s, const struct conf_value *root, const char *name,
                          bool texts_only, struct err *err)
{
    const struct conf_value *group = conf_get(root, name);
    int rc = 0;

    if (!group)
        return 0;
    rc = conf_expect(group, CONF_GROUP, err);
    for (size_t i = 0; !rc && i < conf_len(group); i++) {
        const struct conf_value *v = conf_at(group, i);
        if (texts_only)
            rc = conf_expect(v, CONF_TEXT, err);
        rc = rc ? rc : read_entry(s, v, conf_name(v), err);
    }
    return rc;
}

static int read_priority(struct recipe *r, const struct conf_value *root, struct err *err)
{
    const struct conf_value *v = conf_get(root, "priority");
    int64_t priority = 0;

    if (!v)
        return 0;
    int rc = conf_int(v, -RECIPE_PRIORITY_MAX, RECIPE_PRIORITY_MAX, &priority, err);
    r->prioritised = true;
    r->priority = (int32_t)priority;
    return rc;
}

int recipe_read(struct recipe *r, const struct conf *c, struct err *err)
{
    const char *known[RECIPE_KEYS_MAX];
    const struct conf_value *root = conf_root(c), *name;
    int rc = conf_check_keys(root, recipe_key_names(KEYS_ROOT, known), err);

    rc = rc ? rc : conf_need(root, "name", CONF_TEXT, &name, err);
    rc = rc ? rc : read_name(name, "/.", &r->name, err);
    if (!rc && conf_get(root, "description"))
        rc = conf_expect(conf_get(root, "description"), CONF_TEXT, err);
    rc = rc ? rc : read_priority(r, root, err);
    rc = rc ? rc : read_variables(&r->paths, root, "paths", true, err);
    rc = rc ? rc : read_variables(&r->vars, root, "vars", false, err);
    rc = rc ? rc : read_steps(r, root, err);
    rc = rc ? rc : recipe_read_sweep(r, root, err);
    return rc ? rc : recipe_read_halving(r, root, err);
}
