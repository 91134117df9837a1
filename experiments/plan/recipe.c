/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/reading.h"

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = mem_strdup(slash ? path : ".");

    if (slash)
        dir[slash == path ? 1 : slash - path] = '\0';
    return dir;
}

/* What the store keeps: the text with its includes, and what the command line changed. */
static char *text_of(const struct conf *c, const char *const *sets, size_t sets_len)
{
    struct buf text = { 0 };

    buf_adds(&text, conf_source(c));
    for (size_t i = 0; i < sets_len; i++) {
        buf_printf(&text, "%s# --set ",
                   i || !text.len || text.data[text.len - 1] == '\n' ? "" : "\n");
        for (const char *s = sets[i]; *s; s++)
            buf_addc(&text, *s == '\n' || *s == '\r' ? ' ' : *s);
        buf_addc(&text, '\n');
    }
    return buf_detach(&text);
}

static int make(const struct conf *c, const char *path, char *dir, const char *const *sets,
                size_t sets_len, struct recipe **ret, struct err *err)
{
    struct recipe *r = mem_calloc(1, sizeof(*r));
    int rc;

    r->path = mem_strdup(path);
    r->dir = dir;
    r->text = text_of(c, sets, sets_len);
    rc = recipe_read(r, c, err);
    for (size_t i = 0; !rc && i < sets_len; i++)
        rc = recipe_override(r, sets[i], err);
    rc = rc ? rc : recipe_substitute(r, err);
    for (size_t i = 0; !rc && i < r->axes_len; i++)
        rc = recipe_check_axis(r, &r->axis[i], err);
    rc = rc ? rc : recipe_compile(r, err);
    rc = rc ? rc : recipe_check_halving(r, err);
    if (rc) {
        recipe_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

int recipe_load(const char *path, const char *const *sets, size_t sets_len, struct recipe **ret,
                struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    int rc = conf_open(&c, path, err);

    *ret = NULL;
    return rc ? rc : make(c, path, folder_of(path), sets, sets_len, ret, err);
}

int recipe_parse(const char *text, const char *name, const char *const *sets, size_t sets_len,
                 struct recipe **ret, struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    int rc = conf_open_text(&c, name, text, strlen(text), err);

    *ret = NULL;
    return rc ? rc : make(c, "", mem_strdup("."), sets, sets_len, ret, err);
}

static void free_axis(struct recipe_axis *a)
{
    recipe_axis_clear(a);
    free(a->target);
    free(a->where);
    free(a->name);
}

static void free_halving(struct recipe_halving *h)
{
    for (size_t i = 0; i < h->rungs_len; i++) {
        free(h->rung[i].step);
        free(h->rung[i].score);
        free(h->rung[i].where);
    }
    free(h->where);
    set_release(&h->set);
}

static void free_sweep(struct recipe *r)
{
    for (size_t i = 0; i < r->axes_len; i++)
        free_axis(&r->axis[i]);
    for (size_t i = 0; i < r->entries_len; i++) {
        free(r->entry[i].where);
        recipe_cond_release(&r->entry[i].when);
    }
    for (size_t i = 0; i < r->excludes_len; i++)
        recipe_cond_release(&r->exclude[i]);
}

void recipe_free(struct recipe *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < RECIPE_STEPS_MAX; i++) {
        free(r->step[i].id);
        free(r->step[i].where);
        set_release(&r->step[i].set);
        recipe_cond_release(&r->step[i].when);
    }
    free_sweep(r);
    free_halving(&r->halving);
    set_release(&r->paths);
    set_release(&r->vars);
    free(r->name);
    free(r->path);
    free(r->dir);
    free(r->text);
    free(r);
}

void recipe_cleanup(struct recipe **r)
{
    recipe_free(*r);
}

int recipe_find(const struct recipe *r, const char *id)
{
    for (size_t i = 0; i < r->steps_len; i++)
        if (strcmp(r->step[i].id, id) == 0)
            return (int)i;
    return -1;
}
