/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that run programs. inputs = { data = "step.output"; } and parameters = { lr = 0.1; } are
 * entries "inputs.data" and "parameters.lr", so that a sweep can set each. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/kinds/command.h"
#include "experiments/plan/step.h"

enum { ENTRIES_MAX = PARAM_LIST_MAX };

struct entries {
    const char *name[ENTRIES_MAX]; /* whole: "inputs.data" */
    size_t len;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_entry(struct entries *e, const char *prefix, const char *name)
{
    if (strncmp(name, prefix, strlen(prefix)) != 0 || e->len == ENTRIES_MAX)
        return;
    for (size_t i = 0; i < e->len; i++)
        if (strcmp(e->name[i], name) == 0)
            return;
    e->name[e->len++] = name;
}

/* The step's entries that begin with PREFIX, those of the sweep too, sorted. */
static void find_entries(const struct point *p, const struct recipe_step *s, const char *prefix,
                         struct entries *ret)
{
    ret->len = 0;
    for (size_t i = 0; i < s->set.values.len; i++)
        add_entry(ret, prefix, s->set.values.entry[i].name);
    for (size_t a = 0; a < p->r->axes_len; a++)
        if (p->r->axis[a].step >= 0 && &p->r->step[p->r->axis[a].step] == s && p->value[a] != NULL)
            add_entry(ret, prefix, p->r->axis[a].name);
    qsort(ret->name, ret->len, sizeof(ret->name[0]), by_name);
}

static void print_parameter(const char *name, const struct param_value *v, struct buf *out)
{
    buf_printf(out, "%s=", name);
    if (v->type == PARAM_TEXT)
        buf_adds(out, v->s);
    else
        param_print(v, out);
}

/* "parameters.lr" and the like become the list that the job has. */
static int take_parameters(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *own = params_get(&st->params, "parameters");
    char *text[ENTRIES_MAX];
    struct entries e;
    size_t len = 0;

    find_entries(p, st->from, "parameters.", &e);
    if (e.len == 0)
        return 0;
    for (size_t i = 0; own != NULL && i < own->len && len < ENTRIES_MAX; i++)
        text[len++] = mem_strdup(own->texts[i]);
    for (size_t i = 0; i < e.len && len < ENTRIES_MAX; i++) {
        struct buf out = { 0 };
        print_parameter(e.name[i] + strlen("parameters."), step_value(p, st->from, e.name[i], NULL),
                        &out);
        text[len++] = buf_detach(&out);
    }
    qsort(text, len, sizeof(text[0]), by_name);
    const struct param_value list = { .type = PARAM_TEXTS, .texts = text, .len = len };
    int rc = params_set(&st->params, "parameters", &list, err);
    for (size_t i = 0; i < len; i++)
        free(text[i]);
    return rc;
}

bool step_exec_output(const struct point *p, const char *id, int *ret_step, char output[32])
{
    const char *dot = strchr(id, '.');
    char name[128];

    if (dot == NULL || strchr(id, '/') != NULL || (size_t)(dot - id) >= sizeof(name) ||
        strlen(dot + 1) >= 32)
        return false;
    memcpy(name, id, (size_t)(dot - id));
    name[dot - id] = '\0';
    const int step = recipe_find(p->r, name);
    if (step < 0 || p->r->step[step].kind->id != KIND_EXEC)
        return false;
    *ret_step = step;
    (void)snprintf(output, 32, "%s", dot + 1);
    return true;
}

/* "step", "step.output" or a path. */
static int take_source(const struct point *p, struct step *st, struct step_input *in,
                       const char *text, struct err *err)
{
    const char *ids[RECIPE_STEPS_MAX + 1] = { NULL };
    const char *dot = strchr(text, '.');
    char id[128];

    if (strchr(text, '/') != NULL)
        return step_path(p, st->from, in->key, text, &in->path, err);
    (void)snprintf(id, sizeof(id), "%.*s", (int)(dot ? dot - text : (long)strlen(text)), text);
    in->step = recipe_find(p->r, id);
    if (in->step >= 0) {
        (void)snprintf(in->output, sizeof(in->output), "%s", dot ? dot + 1 : "");
        return 0;
    }
    for (size_t i = 0; i < p->r->steps_len; i++)
        ids[i] = p->r->step[i].id;
    const char *near = nearest_find(id, ids);
    return step_error(p, st->from, err, ERR_INVALID, in->key,
                      "no step is called \"%s\"%s%s%s; a file or folder is written \"./%s\"", id,
                      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "", text);
}

static int take_inputs(const struct point *p, struct step *st, struct err *err)
{
    struct entries e;
    int rc = 0;

    find_entries(p, st->from, "inputs.", &e);
    if (e.len > STEP_INPUTS_MAX - 1)
        return step_error(p, st->from, err, ERR_LIMIT, "inputs", "%zu; at most %d are possible",
                          e.len, STEP_INPUTS_MAX - 1);
    st->input = mem_calloc(STEP_INPUTS_MAX, sizeof(*st->input));
    for (size_t i = 0; rc == 0 && i < e.len; i++) {
        struct step_input *in = &st->input[st->inputs_len];
        const char *name = e.name[i] + strlen("inputs."), *text;
        if (!command_name_good(name))
            return step_error(p, st->from, err, ERR_INVALID, e.name[i],
                              "an input's name has letters, digits and _, at most %d",
                              COMMAND_NAME_MAX - 1);
        in->step = -1;
        (void)snprintf(in->name, sizeof(in->name), "%s", name);
        (void)snprintf(in->key, sizeof(in->key), "%s", e.name[i]);
        st->inputs_len++;
        rc = step_text(p, st->from, e.name[i], &text, err);
        rc = rc ? rc : take_source(p, st, in, text, err);
    }
    return rc;
}

/* The entry whose parameter TEXT begins with; else NAME stays. */
static void text_place(const struct point *p, const struct recipe_step *s, const char *text,
                       char *name, size_t size)
{
    struct entries e;

    find_entries(p, s, "parameters.", &e);
    for (size_t i = 0; i < e.len; i++) {
        const char *own = e.name[i] + strlen("parameters.");
        const size_t len = strlen(own);
        if (strncmp(text, own, len) == 0 && text[len] == ' ')
            (void)snprintf(name, size, "%s", e.name[i]);
    }
}

int step_exec(const struct point *p, struct step *st, struct err *err)
{
    const char *inputs[STEP_INPUTS_MAX + 1] = { NULL };
    struct err why = { 0 };

    int rc = take_parameters(p, st, err);
    rc = rc ? rc : take_inputs(p, st, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < st->inputs_len; i++)
        inputs[i] = st->input[i].name;
    rc = command_check(&st->params, inputs, st->model_step >= 0 || st->model_path, &why);
    if (rc == 0)
        return 0;
    /* it begins with the entry's name */
    char name[64];
    const size_t len = strcspn(why.text, ":");
    (void)snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name) - 1), why.text);
    const char *text = why.text[len] == ':' ? why.text + len + 2 : why.text;
    if (strcmp(name, "parameters") == 0)
        text_place(p, st->from, text, name, sizeof(name));
    return step_error(p, st->from, err, rc, name, "%s", text);
}

void step_exec_release(struct step *st)
{
    for (size_t i = 0; i < st->inputs_len; i++)
        free(st->input[i].path);
    free(st->input);
    st->input = NULL;
    st->inputs_len = 0;
}

/* Of a kind whose outputs are in the table. */
static bool plain_makes(const struct step *from, const char *name, const char **ret,
                        bool *ret_folder)
{
    if (!step_makes_model(from))
        return false;
    if (*name == '\0') {
        if (*from->kind->outputs == '\0' || strchr(from->kind->outputs, ' ') != NULL)
            return false;
        name = from->kind->outputs;
    }
    *ret = name;
    *ret_folder = step_has_word("model router state", name) && from->kind->id != KIND_NOOP;
    return step_has_word(from->kind->outputs, name);
}

bool step_makes(const struct step *from, const char *name, const char **ret, bool *ret_folder)
{
    const struct param_value *v;

    if (from->kind->id != KIND_EXEC)
        return plain_makes(from, name, ret, ret_folder);
    v = params_get(&from->params, "outputs");
    if (v == NULL || (*name == '\0' && v->len != 1))
        return false;
    for (size_t i = 0; i < v->len; i++) {
        static _Thread_local struct command_output o;
        if (!command_output_parse(v->texts[i], &o) || (*name && strcmp(o.name, name) != 0))
            continue;
        *ret = *name ? name : o.name;
        *ret_folder = o.folder;
        return true;
    }
    return false;
}

int step_exec_targets(const struct point *p, const struct step *steps, const struct step *st,
                      struct err *err)
{
    for (size_t i = 0; i < st->inputs_len; i++) {
        const struct step_input *in = &st->input[i];
        const struct step *from = in->step >= 0 ? &steps[in->step] : NULL;
        const char *name;
        bool folder;
        if (from == NULL || step_makes(from, in->output, &name, &folder))
            continue;
        return step_error(p, st->from, err, ERR_INVALID, in->key,
                          *in->output
                              ? "step \"%s\" (%s) makes no \"%s\""
                              : "step \"%s\" (%s) makes not one thing; name it: \"STEP.OUTPUT\"%s",
                          from->from->id, from->kind->name, in->output);
    }
    return 0;
}
