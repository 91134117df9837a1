/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/launching.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/keylist.h"
#include "common/wire/roles.h"
#include "experiments/cli/connecting.h"

#define PILOTS_KEY "pilots"

enum { TEMPLATE_MAX = 1 << 16, IDLE_S = 300, GRACE_S = 60 };

void launching_init(struct launching *l)
{
    *l = (struct launching){
        .p = { .workers = 1, .idle_s = IDLE_S, .grace_s = GRACE_S, .name = "drover" }
    };
}

void launching_release(struct launching *l)
{
    buf_release(&l->folder);
    buf_release(&l->connect);
    buf_release(&l->worker);
    buf_release(&l->script);
    connection_wipe(&l->connection);
}

/* ---- options ---- */

static void add_word(const char **v, size_t *len, size_t max, const char *option, const char *arg,
                     struct argp_state *state)
{
    if (*len == max)
        argp_error(state, "--%s may be given at most %zu times", option, max);
    v[(*len)++] = arg;
}

static error_t take_number(struct launching *l, int key, const char *arg, struct argp_state *state)
{
    struct pilots *p = &l->p;

    switch (key) {
    case KEY_SLOTS:
        p->slots = (unsigned)options_number(state, "slots", arg, 1, 128);
        return 0;
    case KEY_THREADS:
        p->threads = (unsigned)options_number(state, "threads", arg, 1, 256);
        return 0;
    case KEY_IDLE:
        p->idle_s = (unsigned)options_number(state, "idle-exit", arg, 0, 86400 * 30);
        return 0;
    case KEY_GRACE:
        p->grace_s = (unsigned)options_number(state, "grace", arg, 1, 3600);
        return 0;
    case KEY_ARRAY_LIMIT:
        p->array_limit = (unsigned)options_number(state, "array-limit", arg, 1, PILOTS_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t take_word(struct launching *l, int key, char *arg, struct argp_state *state)
{
    struct pilots *p = &l->p;

    switch (key) {
    case KEY_LABEL:
        add_word(p->label, &p->labels, PILOTS_LABELS_MAX, "label", arg, state);
        return 0;
    case KEY_WORKER_OPTION:
        add_word(p->worker_option, &p->worker_options, PILOTS_ARGS_MAX, "worker-option", arg,
                 state);
        return 0;
    case KEY_SBATCH:
        add_word(p->sbatch, &p->sbatch_len, PILOTS_ARGS_MAX, "sbatch", arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Where the text of KEY goes; NULL: it is none of these. */
static const char **place_of(struct launching *l, int key)
{
    struct pilots *p = &l->p;
    const struct {
        int key;
        const char **place;
    } rows[] = { { KEY_TIME, &p->time },
                 { KEY_PARTITION, &p->partition },
                 { KEY_ACCOUNT, &p->account },
                 { KEY_QOS, &p->qos },
                 { KEY_MEMORY, &p->memory },
                 { KEY_GRES, &p->gres },
                 { KEY_CONSTRAINT, &p->constraint },
                 { KEY_CONTAINER, &p->container },
                 { KEY_NAME, &p->name },
                 { KEY_WORKER, &p->worker },
                 { KEY_TEMPLATE, &l->template },
                 { KEY_FOLDER, &l->folder_given },
                 { KEY_ADDRESS, &l->address } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].key == key)
            return rows[i].place;
    return NULL;
}

error_t launching_take(struct launching *l, int key, char *arg, struct argp_state *state)
{
    const char **place = place_of(l, key);

    if (place) {
        *place = arg;
        return 0;
    }
    if (take_number(l, key, arg, state) == 0 || take_word(l, key, arg, state) == 0)
        return 0;
    if (key == KEY_CONNECT)
        l->connect_given = arg;
    return options_take(&l->o, key, arg, state);
}

/* ---- the folder ---- */

/* PATH from the root on, which other computers and later commands understand. */
static void make_absolute(const char *path, struct buf *out)
{
    char here[PATH_MAX];

    if (*path != '/' && getcwd(here, sizeof(here)))
        buf_printf(out, "%s/%s", here, path);
    else
        buf_adds(out, path);
}

const char *launching_folder(struct launching *l)
{
    if (l->folder.len > 0)
        return buf_str(&l->folder);
    make_absolute(l->folder_given    ? l->folder_given
                  : l->connect_given ? l->connect_given
                                     : options_store(&l->o),
                  &l->folder);
    if (!l->folder_given)
        buf_adds(&l->folder, "-fleet");
    return buf_str(&l->folder);
}

/* ---- the connection file ---- */

static bool still_allowed(const char *store, const struct key *k)
{
    struct keylist list CLEANUP(keylist_release) = { 0 };

    if (!*k->text || keys_list(store, &list, NULL) < 0)
        return false;
    for (size_t i = 0; i < list.len; i++)
        if (strcmp(list.v[i].key.text, k->text) == 0)
            return (list.v[i].roles & ROLE_WORK) != 0;
    return false;
}

/* The file in the folder, with the key that it had as long as that one is allowed. */
static int own_connection(struct launching *l, struct err *err)
{
    struct connecting c = { .store = options_store(&l->o), .address = l->address };
    struct connection old CLEANUP(connection_wipe) = { .version = "" };
    struct err none = { 0 };
    int rc;

    buf_printf(&l->connect, "%s/pilots.connect", launching_folder(l));
    rc = connecting_make(&c, &l->connection, &l->local_only, err);
    if (rc == 0 && !l->dry)
        rc = fleet_folder(launching_folder(l), err);
    if (rc < 0 || l->dry)
        return rc;
    if (connection_load(buf_str(&l->connect), &old, &none) == 0 &&
        still_allowed(c.store, &old.own.key)) {
        l->connection.own = old.own;
    } else if (*l->connection.server.text) {
        struct keylist_row gone;

        (void)!keys_revoke(c.store, PILOTS_KEY, &gone, &none); /* its file was lost */
        c.as = PILOTS_KEY;
        c.roles = ROLE_WORK;
        rc = connecting_make(&c, &l->connection, &l->local_only, err);
    }
    return rc < 0 ? rc : connection_save(buf_str(&l->connect), &l->connection, err);
}

static int given_connection(struct launching *l, struct err *err)
{
    int rc = connection_load(l->connect_given, &l->connection, err);

    make_absolute(l->connect_given, &l->connect);
    if (rc == 0 && *l->connection.server.text && !*l->connection.own.key.text)
        return err_set(
            err, ERR_INVALID,
            "%s holds no key that workers could have; where the coordinator runs: drover "
            "connect FILE --as pilots",
            l->connect_given);
    return rc == 0 && !l->dry ? fleet_folder(launching_folder(l), err) : rc;
}

int launching_prepare(struct launching *l, const struct env *env, struct err *err)
{
    int rc;

    if (!l->p.worker) {
        buf_printf(&l->worker, "%s/drover-worker", env->folder);
        l->p.worker = buf_str(&l->worker);
    }
    rc = pilots_check(&l->p, err);
    if (rc == 0)
        rc = l->connect_given ? given_connection(l, err) : own_connection(l, err);
    l->p.folder = launching_folder(l);
    l->p.connect = buf_str(&l->connect);
    return rc;
}

int launching_script(struct launching *l, struct err *err)
{
    struct buf template CLEANUP(buf_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = 0;

    if (l->template)
        rc = buf_read_file(&template, l->template, TEMPLATE_MAX, err);
    if (rc == 0)
        rc = pilots_script(&l->p, l->template ? buf_str(&template) : pilots_template, &text, err);
    if (rc < 0)
        return l->template ? err_wrap(err, rc, "%s", l->template) : rc;
    if (l->dry) {
        fputs(buf_str(&text), stdout);
        return 0;
    }
    buf_printf(&l->script, "%s/pilot.sh", launching_folder(l));
    return buf_write_file(buf_str(&l->script), buf_str(&text), text.len, err);
}
