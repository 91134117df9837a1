/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/exec_setup.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/jobs/gpus.h"

static void add_value(struct exec_setup *s, const char *name, const char *text)
{
    s->value = mem_realloc(s->value, s->values_len + 1, sizeof(*s->value));
    struct exec_value *v = &s->value[s->values_len++];
    (void)snprintf(v->name, sizeof(v->name), "%s", name);
    v->text = mem_strdup(text);
}

static const char *find_value(void *arg, const char *name)
{
    const struct exec_setup *s = arg;

    for (size_t i = 0; i < s->values_len; i++)
        if (strcmp(s->value[i].name, name) == 0)
            return s->value[i].text;
    return NULL;
}

static int make_folder(char *to, size_t size, const char *scratch, const char *name,
                       struct err *err)
{
    if ((size_t)snprintf(to, size, "%s/%s", scratch, name) >= size)
        return err_set(err, ERR_LIMIT, "the path of the folder %s is too long", name);
    return mkdir(to, 0700) == 0 ? 0 : err_errno(err, errno, "make the folder %s", to);
}

/* The lease's inputs: "model", and "input.NAME". */
static int take_inputs(struct exec_setup *s, struct job *j, struct err *err)
{
    char path[4608];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < j->lease->n_inputs; i++) {
        const char *name = j->lease->inputs[i]->name;
        if (strlen(name) >= sizeof(s->value->name))
            return err_set(err, ERR_INVALID, "an input with a name of %zu bytes", strlen(name));
        rc = j->services->input(j->services->arg, name, path, sizeof(path), err);
        if (rc == 0)
            add_value(s, name, path);
        progress_tick(j->progress);
    }
    return rc;
}

static int check(struct job *j, struct err *err)
{
    const char *inputs[COMMAND_INPUTS_MAX + 1] = { NULL };
    size_t len = 0;
    bool model = false;

    for (size_t i = 0; i < j->lease->n_inputs && len < COMMAND_INPUTS_MAX; i++) {
        const char *name = j->lease->inputs[i]->name;
        model |= strcmp(name, "model") == 0;
        if (strncmp(name, "input.", 6) == 0)
            inputs[len++] = name + 6;
    }
    return command_check(&j->params, inputs, model, err);
}

static void take_parameters(struct exec_setup *s, const struct job *j)
{
    const struct param_value *v = params_get(&j->params, "parameters");
    char seed[24];

    (void)snprintf(seed, sizeof(seed), "%" PRIu64, j->lease->seed);
    add_value(s, "seed", seed);
    for (size_t i = 0; v != NULL && i < v->len; i++) {
        struct command_parameter one;
        if (command_parameter_parse(v->texts[i], &one))
            add_value(s, one.name, one.value);
    }
}

static void take_outputs(struct exec_setup *s, const struct job *j)
{
    const struct param_value *v = params_get(&j->params, "outputs");

    for (size_t i = 0; v != NULL && i < MIN(v->len, (size_t)COMMAND_OUTPUTS_MAX); i++) {
        struct command_output *o = &s->output[s->outputs_len];
        struct buf path CLEANUP(buf_release) = { 0 };
        char name[COMMAND_NAME_MAX + 8];
        if (!command_output_parse(v->texts[i], o))
            continue;
        s->outputs_len++;
        (void)snprintf(name, sizeof(name), "output.%s", o->name);
        buf_printf(&path, "%s/%s", s->out, o->name);
        add_value(s, name, buf_str(&path));
    }
}

static void add_env(struct exec_setup *s, const char *name, const char *value)
{
    struct buf text = { 0 };

    buf_printf(&text, "%s=%s", name, value);
    s->env = mem_realloc(s->env, s->env_len + 2, sizeof(*s->env));
    s->env[s->env_len++] = buf_detach(&text);
    s->env[s->env_len] = NULL;
}

/* DROVER_SEED, DROVER_MODEL, DROVER_INPUT_X, DROVER_OUTPUT_X, DROVER_PARAM_X: capitals, and _ for
 * what a variable's name cannot have. */
static void add_own_env(struct exec_setup *s)
{
    for (size_t i = 0; i < s->values_len; i++) {
        const char *name = s->value[i].name;
        const bool plain = strcmp(name, "seed") == 0 || strcmp(name, "model") == 0 ||
                           strncmp(name, "input.", 6) == 0 || strncmp(name, "output.", 7) == 0;
        struct buf variable CLEANUP(buf_release) = { 0 };
        buf_printf(&variable, "DROVER_%s%s", plain ? "" : "PARAM_", name);
        for (char *c = variable.data; *c != '\0'; c++)
            *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
        add_env(s, buf_str(&variable), s->value[i].text);
    }
}

static void put_env(void *arg, const char *name, const char *value)
{
    add_env(arg, name, value);
}

static void make_env(struct exec_setup *s, const struct job *j, const struct policy *policy,
                     const char *scratch)
{
    extern char **environ;
    struct buf text CLEANUP(buf_release) = { 0 };

    for (char **e = environ; *e != NULL; e++) {
        const char *sign = strchr(*e, '=');
        struct buf name CLEANUP(buf_release) = { 0 };
        if (sign == NULL || sign == *e)
            continue;
        buf_add(&name, *e, (size_t)(sign - *e));
        if (policy_passes(policy, buf_str(&name)) && !gpus_gives(buf_str(&name)) &&
            strncmp(buf_str(&name), "DROVER_", 7) != 0) /* these are ours to give */
            add_env(s, buf_str(&name), sign + 1);
    }
    gpus_env(getenv, j->slot, j->slots, put_env, s);
    add_own_env(s);
    buf_printf(&text, "%s/tmp", scratch);
    add_env(s, "TMPDIR", buf_str(&text));
    add_env(s, "PWD", s->work);
    add_env(s, "DROVER_METRICS_FD", "3");
    buf_clear(&text);
    buf_printf(&text, "%s/job.json", scratch);
    add_env(s, "DROVER_JOB", buf_str(&text));
}

static int make_argv(struct exec_setup *s, const struct job *j, struct err *err)
{
    const struct param_value *command = params_get(&j->params, "command");
    int rc = 0;

    s->argv = mem_calloc(command->len + 1, sizeof(*s->argv));
    for (size_t i = 0; rc == 0 && i < command->len; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        if (i == 0) /* the program is never expanded */
            buf_adds(&text, command->texts[0]);
        else
            rc = command_expand(command->texts[i], find_value, s, &text, err);
        s->argv[s->argv_len++] = buf_detach(&text);
    }
    return rc;
}

/* A parameter's value with the type that it looks like. */
static struct json *typed(const char *text)
{
    struct json *v = NULL;
    struct buf list CLEANUP(buf_release) = { 0 };

    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_new_bool(*text == 't');
    buf_printf(&list, "[%s]", text);
    if (json_parse(buf_str(&list), list.len, &v, NULL) == 0 && json_len(v) == 1 &&
        (json_is_number(json_at(v, 0)) || json_is_array(json_at(v, 0)))) {
        struct json *one = json_clone(json_at(v, 0));
        json_free(v);
        return one;
    }
    json_free(v);
    return json_new_text(text);
}

static int write_job(const struct exec_setup *s, const struct job *j, const char *scratch,
                     struct err *err)
{
    struct json *root = json_new_object(), *command = json_new_array();
    struct json *inputs = json_new_object(), *outputs = json_new_object();
    struct json *parameters = json_new_object();
    struct buf path CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < s->argv_len; i++)
        json_push(command, json_new_text(s->argv[i]));
    for (size_t i = 0; i < s->values_len; i++) {
        const struct exec_value *v = &s->value[i];
        if (strcmp(v->name, "model") == 0)
            json_set(inputs, v->name, json_new_text(v->text));
        else if (strncmp(v->name, "input.", 6) == 0)
            json_set(inputs, v->name + 6, json_new_text(v->text));
        else if (strncmp(v->name, "output.", 7) == 0)
            json_set(outputs, v->name + 7, json_new_text(v->text));
        else if (strcmp(v->name, "seed") != 0)
            json_set(parameters, v->name, typed(v->text));
    }
    json_set(root, "version", json_new_integer(1));
    json_set(root, "command", command);
    json_set(root, "seed", json_new_integer((int64_t)j->lease->seed));
    json_set(root, "parameters", parameters);
    json_set(root, "inputs", inputs);
    json_set(root, "outputs", outputs);
    json_set(root, "metrics_fd", json_new_integer(3));
    json_set(root, "attempt", json_new_integer((int64_t)j->lease->attempt));
    char *text = json_dump(root, 2);
    json_free(root);
    buf_printf(&path, "%s/job.json", scratch);
    int rc = buf_write_file(buf_str(&path), text, strlen(text), err);
    free(text);
    return rc;
}

int exec_setup(struct exec_setup *s, struct job *j, const struct policy *policy, struct err *err)
{
    const char *scratch = j->services->scratch(j->services->arg);
    char tmp[4200];

    int rc = check(j, err);
    rc = rc ? rc : make_folder(s->work, sizeof(s->work), scratch, "work", err);
    rc = rc ? rc : make_folder(s->out, sizeof(s->out), scratch, "out", err);
    rc = rc ? rc : make_folder(tmp, sizeof(tmp), scratch, "tmp", err);
    rc = rc ? rc : take_inputs(s, j, err);
    if (rc)
        return rc;
    take_parameters(s, j);
    take_outputs(s, j);
    make_env(s, j, policy, scratch);
    rc = make_argv(s, j, err);
    return rc ? rc : write_job(s, j, scratch, err);
}

void exec_setup_release(struct exec_setup *s)
{
    for (size_t i = 0; i < s->values_len; i++)
        free(s->value[i].text);
    for (size_t i = 0; i < s->argv_len; i++)
        free(s->argv[i]);
    for (size_t i = 0; i < s->env_len; i++)
        free(s->env[i]);
    free(s->value);
    free(s->argv);
    free(s->env);
    *s = (struct exec_setup){ 0 };
}
