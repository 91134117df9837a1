/* SPDX-License-Identifier: Apache-2.0 */
/* drover key - keys of people and workers, and what a coordinator lets them do. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/net/identity.h"
#include "common/net/keylist.h"
#include "common/wire/roles.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"

enum { KEY_ROLE = KEY_OWN };

static const struct argp_option rows[] = {
    { "output", 'o', "FILE", 0, "new: the file of the key (default ~/.config/drover/key)", 0 },
    { "role", KEY_ROLE, "ROLE", 0,
      "allow: view, submit, work or admin; several parted by commas (work,submit)", 0 },
    { "store", 's', "FILE", 0,
      "The store of the coordinator: its keys are in FILE-keys/ (default results.db)", 0 },
    OPTION_JSON,
    { 0 },
};

static const char doc[] =
    "Make a key, and say who may do what at a coordinator.\v"
    "  drover key new NAME            a key of your own; prints the line that others may see\n"
    "  drover key show [FILE]         that line again; with --store the coordinator's\n"
    "  drover key trust LINE|FILE     keep the coordinator's line for commands and workers here\n"
    "  drover key allow LINE|FILE --role ROLE    let a key in\n"
    "  drover key list                who may do what\n"
    "  drover key revoke NAME         shut it out, at once\n\n"
    "view looks; submit also hands in, cancels, pauses; admin also drains workers and makes "
    "backups; work takes jobs and sends results, and nothing else. allow, list and revoke are for "
    "the user who runs the coordinator, on its computer; it sees changes while it runs.\n\n"
    "A line can be mailed: who has it can do nothing with it. The file of a key is for you alone "
    "(mode 600).\n\n"
    "Example:\n"
    "  drover key new ada                                  (Ada, on her computer)\n"
    "  drover key allow 'drover-key1 ada ...' --role submit   (where the coordinator runs)\n"
    "  drover key show --store results.db                  (there: the line for drover key "
    "trust)\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *action, *what, *output, *role;
};

struct action {
    const char *name;
    bool needs, takes; /* a second argument */
    int (*run)(const struct arguments *a, struct err *err);
};

/* ---- files of one's own ---- */

/* Make the folders of PATH, for this user alone. */
static int make_folders(const char *path, struct err *err)
{
    char *copy CLEANUP(mem_cleanup) = mem_strdup(path);

    for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return err_errno(err, errno, "make the folder %s", copy);
        *p = '/';
    }
    return 0;
}

static int own_path(const char *name, struct buf *out, struct err *err)
{
    if (identity_path(name, out))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "HOME is not set; name a file with --output");
}

static int new_key(const struct arguments *a, struct err *err)
{
    struct key_secret s CLEANUP(key_wipe) = { .secret = "" };
    struct buf path CLEANUP(buf_release) = { 0 };
    char line[KEY_LINE_MAX];
    int rc = key_new(a->what, &s, err);

    if (rc == 0 && a->output)
        buf_adds(&path, a->output);
    else if (rc == 0 && (rc = own_path("key", &path, err)) == 0)
        rc = make_folders(buf_str(&path), err);
    if (rc == 0)
        rc = key_save(buf_str(&path), &s, err);
    if (rc < 0)
        return rc;
    printf("%s\n", key_line(&s.key, line));
    fprintf(stderr,
            "The secret key is in %s; keep it to yourself. The coordinator's owner lets you in "
            "with\n  drover key allow '%s' --role ROLE\n",
            buf_str(&path), line);
    return 0;
}

static int show(const struct arguments *a, struct err *err)
{
    struct key_secret s CLEANUP(key_wipe) = { .secret = "" };
    struct buf path CLEANUP(buf_release) = { 0 };
    struct key k;
    char line[KEY_LINE_MAX];
    int rc = 0;

    if (a->o.store && a->what)
        return err_set(err, ERR_INVALID, "show a file's key or a store's, not both");
    if (a->o.store) {
        rc = keys_make(a->o.store, err);
        if (rc == 0)
            rc = key_read(keys_path(a->o.store, "coordinator.pub", &path), &k, err);
    } else {
        if (!a->what)
            rc = own_path("key", &path, err);
        if (rc == 0)
            rc = key_load(a->what ? a->what : buf_str(&path), &s, err);
        k = s.key;
    }
    if (rc == 0)
        printf("%s\n", key_line(&k, line));
    return rc;
}

static int trust(const struct arguments *a, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct key k;
    int rc = key_read(a->what, &k, err);

    if (rc == 0)
        rc = own_path("coordinator.pub", &path, err);
    if (rc == 0)
        rc = make_folders(buf_str(&path), err);
    if (rc == 0)
        rc = key_save_line(buf_str(&path), &k, err);
    if (rc == 0)
        printf("%s is the coordinator that commands and workers of this user believe\n", k.name);
    return rc;
}

/* ---- a store's list ---- */

/* Keys of a store that is not there are a mistake in its name. */
static int check_store(const char *store, struct err *err)
{
    struct buf folder CLEANUP(buf_release) = { 0 };

    buf_printf(&folder, "%s-keys", store);
    if (access(store, F_OK) == 0 || access(buf_str(&folder), F_OK) == 0)
        return 0;
    return err_set(err, ERR_NOT_FOUND,
                   "no store at %s; name it with --store (a coordinator makes it when it starts)",
                   store);
}

static int allow(const struct arguments *a, struct err *err)
{
    const char *store = options_store(&a->o);
    char roles[ROLES_TEXT_MAX];
    struct key k;
    unsigned bits;
    int rc = roles_parse(a->role, &bits, err);

    if (rc == 0)
        rc = key_read(a->what, &k, err);
    if (rc == 0)
        rc = check_store(store, err);
    if (rc == 0)
        rc = keys_allow(store, &k, bits, err);
    if (rc == 0)
        printf("%s may %s at the coordinator of %s\n", k.name, roles_text(bits, roles), store);
    return rc;
}

static int shut_out(const struct arguments *a, struct err *err)
{
    struct keylist_row row;
    int rc = keys_revoke(options_store(&a->o), a->what, &row, err);

    if (rc == 0)
        printf("%s is revoked: its connections end within a second\n", row.key.name);
    return rc;
}

static int list(const struct arguments *a, struct err *err)
{
    static const char *const columns[] = { "name", "role", "since", "key" };
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    struct keylist l CLEANUP(keylist_release) = { 0 };
    int rc = check_store(options_store(&a->o), err);

    if (rc == 0)
        rc = keys_list(options_store(&a->o), &l, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        sheet_column(t, columns[i]);
    for (size_t i = 0; i < l.len; i++) {
        char roles[ROLES_TEXT_MAX];

        sheet_row(t);
        sheet_text(t, l.v[i].key.name);
        sheet_text(t, roles_text(l.v[i].roles, roles));
        sheet_text(t, *l.v[i].since ? l.v[i].since : NULL);
        sheet_text(t, l.v[i].key.text);
    }
    sheet_print(t, a->o.json ? SHEET_JSON : SHEET_TERMINAL, stdout);
    return 0;
}

/* ---- */

static const struct action actions[] = {
    { "new", true, true, new_key }, { "show", false, true, show },
    { "trust", true, true, trust }, { "allow", true, true, allow },
    { "list", false, false, list }, { "revoke", true, true, shut_out },
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static void check(struct arguments *a, struct argp_state *state)
{
    const struct action *action = a->action ? find_action(a->action) : NULL;

    if (!a->action)
        argp_error(state, "what to do? new, show, trust, allow, list or revoke");
    if (!action) {
        const char *names[ARRAY_LEN(actions) + 1] = { NULL }, *near;

        for (size_t i = 0; i < ARRAY_LEN(actions); i++)
            names[i] = actions[i].name;
        near = nearest_find(a->action, names);
        argp_error(state, "no action %s%s%s%s", a->action, near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
        return;
    }
    if (action->needs && !a->what)
        argp_error(state, "%s: %s is missing", a->action,
                   strcmp(a->action, "new") == 0      ? "a name"
                   : strcmp(a->action, "revoke") == 0 ? "a name or key"
                                                      : "a key's line, or a file with it,");
    if (!action->takes && a->what)
        argp_error(state, "%s takes no argument", a->action);
    if (strcmp(a->action, "allow") == 0 && !a->role)
        argp_error(state, "allow: --role view, submit, work or admin is missing");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'o':
        a->output = arg;
        return 0;
    case KEY_ROLE:
        a->role = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (!a->action)
            a->action = arg;
        else if (!a->what)
            a->what = arg;
        else
            argp_error(state, "one key at a time (a line goes in quotes)");
        return 0;
    case ARGP_KEY_END:
        check(a, state);
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_key = { rows, parse, "ACTION [NAME|LINE|FILE]", doc, NULL, NULL, NULL };

int cmd_key(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .action = NULL };
    struct err err = { 0 };

    argp_parse(&argp_key, argc, argv, 0, NULL, &a);
    return find_action(a.action)->run(&a, &err) < 0 ? cli_fail(env, &err) : CLI_DONE;
}
