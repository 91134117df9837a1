/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/net/connection.h"
#include "experiments/cli/client.h"
#include "experiments/cli/git.h"
#include "experiments/cli/tables.h"

static error_t take_shared(struct options *o, int key, char *arg, struct argp_state *state);

error_t options_take(struct options *o, int key, char *arg, struct argp_state *state)
{
    error_t rc = take_shared(o, key, arg, state);

    if (rc == 0)
        client_identify(o);
    return rc;
}

/* ---- connection files ---- */

static struct connection connection; /* there is one coordinator per command */

static int take_connection(struct options *o, const char *path, struct err *err)
{
    int rc = connection_load(path, &connection, err);

    if (rc < 0)
        return rc;
    o->coordinator = connection.endpoint;
    o->file = &connection;
    o->insecure = o->insecure || !*connection.server.text;
    return 0;
}

/* What $DROVER_CONNECT names, unless the command says something else. */
static void take_surroundings(struct options *o)
{
    const char *path = getenv("DROVER_CONNECT");
    struct err err = { 0 };

    if (!path || !*path)
        return;
    if (take_connection(o, path, &err) < 0)
        fprintf(stderr, "drover: DROVER_CONNECT is ignored: %s\n", err.text);
    else
        o->surrounding = true;
    client_identify(o);
}

static void forget_surroundings(struct options *o)
{
    if (!o->surrounding)
        return;
    o->surrounding = o->insecure = false;
    o->coordinator = NULL;
    o->file = NULL;
}

/* ---- options ---- */

static error_t take_shared(struct options *o, int key, char *arg, struct argp_state *state)
{
    struct err err = { 0 };

    switch (key) {
    case ARGP_KEY_INIT:
        take_surroundings(o);
        return ARGP_ERR_UNKNOWN;
    case 's':
        o->store = arg;
        forget_surroundings(o);
        return 0;
    case KEY_COORDINATOR:
        forget_surroundings(o);
        o->coordinator = arg;
        return 0;
    case KEY_CONNECT:
        forget_surroundings(o);
        if (take_connection(o, arg, &err) < 0)
            argp_failure(state, CLI_FAILED, 0, "%s", err.text);
        return 0;
    case KEY_KEY:
        o->key = arg;
        return 0;
    case KEY_SERVER_KEY:
        o->server_key = arg;
        return 0;
    case KEY_INSECURE:
        o->insecure = true;
        return 0;
    case KEY_SET:
        if (o->sets_len == CLI_SETS_MAX)
            argp_error(state, "--set may be given at most %d times", CLI_SETS_MAX);
        o->set[o->sets_len++] = arg;
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case KEY_CSV:
        o->csv = true;
        return 0;
    case KEY_PRIORITY:
        o->prioritised = true;
        o->priority = (int32_t)options_number(state, "priority", arg, -RECIPE_PRIORITY_MAX,
                                              RECIPE_PRIORITY_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const char *options_store(const struct options *o)
{
    return o->store ? o->store : "results.db";
}

long options_number(struct argp_state *state, const char *option, const char *arg, long min,
                    long max)
{
    char *end;

    errno = 0;
    long v = strtol(arg, &end, 10);
    if (end == arg || *end || errno || v < min || v > max)
        argp_error(state, "--%s: \"%s\" is no number from %ld to %ld", option, arg, min, max);
    return v;
}

int cli_fail(const struct env *env, const struct err *err)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", env->command, err->text);
    return CLI_FAILED;
}

bool cli_cache_folder(char *path, size_t size)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int len = 0;

    if (xdg && *xdg == '/')
        len = snprintf(path, size, "%s", xdg);
    else if (home && *home == '/')
        len = snprintf(path, size, "%s/.cache", home);
    if (len <= 0 || (size_t)len + sizeof("/drover") > size)
        return false;
    (void)mkdir(path, 0700); /* mostly there; the next call tells */
    memcpy(path + len, "/drover", sizeof("/drover"));
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static const struct embedded_recipe *find_embedded(const char *name)
{
    for (const struct embedded_recipe *e = embedded_recipes; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

static int no_recipe(const char *name, struct err *err)
{
    const char **names CLEANUP(mem_cleanup) = NULL;
    struct buf list CLEANUP(buf_release) = { 0 };
    size_t len = 0;

    while (embedded_recipes[len].name)
        len++;
    names = mem_calloc(len + 1, sizeof(*names));
    for (size_t i = 0; i < len; i++) {
        names[i] = embedded_recipes[i].name;
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = nearest_find(name, names);
    if (near)
        return err_set(err, ERR_NOT_FOUND, "%s: no such file; did you mean the recipe \"%s\"?",
                       name, near);
    return err_set(err, ERR_NOT_FOUND,
                   "%s: no such file, and no recipe of that name comes with "
                   "drover (%s)",
                   name, buf_str(&list));
}

static int read_recipe(const char *name, const struct options *o, struct recipe **ret,
                       struct conf **ret_conf, struct err *err)
{
    const struct embedded_recipe *e = access(name, F_OK) == 0 ? NULL : find_embedded(name);
    int rc;

    if (e) {
        rc = conf_open_text(ret_conf, e->name, e->text, strlen(e->text), err);
        return rc ? rc : recipe_parse(e->text, e->name, o->set, o->sets_len, ret, err);
    }
    if (access(name, F_OK) != 0)
        return no_recipe(name, err);
    rc = conf_open(ret_conf, name, err);
    return rc ? rc : recipe_load(name, o->set, o->sets_len, ret, err);
}

int cli_recipe(const char *name, const struct options *o, struct recipe **ret, struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    int rc = read_recipe(name, o, ret, &c, err);

    return rc ? rc : tables_check(c, *ret, err);
}

static int make_plan(const struct recipe *recipe, const struct env *env, struct plan **ret,
                     struct err *err)
{
    static char git[GIT_STATE_MAX]; /* one recipe per process */
    char folder[4096], cache[4128];
    struct plan_options options = { .openblas_class = cli_openblas_class, .arg = (void *)env };

    if (cli_cache_folder(folder, sizeof(folder))) {
        snprintf(cache, sizeof(cache), "%s/digests", folder);
        options.digest_cache = cache;
    }
    int rc = plan_make(recipe, &options, ret, err);
    if (!rc && *recipe->path) /* what comes with drover is in no repository of the user's */
        (*ret)->git = cli_git_state(recipe->dir, git);
    return rc;
}

int cli_plan(const char *name, const struct options *o, const struct env *env,
             struct recipe **ret_recipe, struct plan **ret_plan, struct err *err)
{
    *ret_recipe = NULL;
    *ret_plan = NULL;
    int rc = cli_recipe(name, o, ret_recipe, err);
    rc = rc ? rc : make_plan(*ret_recipe, env, ret_plan, err);
    if (rc == 0 && o->prioritised) {
        (*ret_plan)->prioritised = true;
        (*ret_plan)->priority = o->priority;
    }
    return rc;
}

int cli_plan_text(const char *text, const char *name, const struct env *env,
                  struct recipe **ret_recipe, struct plan **ret_plan, struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;

    *ret_recipe = NULL;
    *ret_plan = NULL;
    int rc = conf_open_text(&c, name, text, strlen(text), err);
    rc = rc ? rc : recipe_parse(text, name, NULL, 0, ret_recipe, err);
    rc = rc ? rc : tables_check(c, *ret_recipe, err);
    return rc ? rc : make_plan(*ret_recipe, env, ret_plan, err);
}

int cli_exec(const struct env *env, const char *program, char **argv)
{
    struct buf path CLEANUP(buf_release) = { 0 };

    buf_printf(&path, "%s/%s", env->folder, program);
    execv(buf_str(&path), argv);
    fprintf(stderr, "drover: cannot start %s: %s\n", buf_str(&path), strerror(errno));
    return CLI_FAILED;
}

int cli_openblas_class(void *arg, char *out, size_t size, struct err *err)
{
    const struct env *env = arg;
    struct buf command CLEANUP(buf_release) = { 0 };
    char line[256];
    FILE *f;

    *out = '\0';
    if (strchr(env->folder, '\''))
        return err_set(err, ERR_INVALID, "%s: a folder with a quote in its name", env->folder);
    buf_printf(&command, "'%s/drover-worker' --classes", env->folder);
    f = popen(buf_str(&command), "re");
    if (!f)
        return err_errno(err, errno, "start %s", buf_str(&command));
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strstr(line, "openblas") && strlen(line) < size)
            memcpy(out, line, strlen(line) + 1);
    }
    if (pclose(f) != 0 || !*out)
        return err_set(err, ERR_NOT_FOUND, "%s names no openblas class; say gemm = \"packed\"",
                       buf_str(&command));
    return 0;
}
