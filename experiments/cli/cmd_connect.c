/* SPDX-License-Identifier: Apache-2.0 */
/* drover connect - writes where a coordinator is, and who one is there, into a small file. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/jsonw.h"
#include "common/wire/roles.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/connecting.h"

enum { KEY_AS = KEY_OWN, KEY_ROLE, KEY_ADDRESS };

static const struct argp_option rows[] = {
    { "as", KEY_AS, "NAME", 0,
      "With a new key of this name in the file: whoever has the file is NAME there", 0 },
    { "role", KEY_ROLE, "ROLE", 0, "of that key: view, submit, work or admin (default work)", 0 },
    { "address", KEY_ADDRESS, "HOST[:PORT]", 0,
      "How other computers reach the coordinator (default: as it listens, and this computer's name "
      "when it listens on 0.0.0.0)",
      0 },
    OPTION_STORE,
    { "insecure", KEY_INSECURE, NULL, 0, "The coordinator was started with --insecure", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Say where the coordinator of a store is and which key it has: to the screen, or into FILE "
    "(mode 600), which commands and workers on other computers read with --connect FILE or "
    "$DROVER_CONNECT.\v"
    "Examples:\n"
    "  drover connect                                   prints address and key\n"
    "  drover connect ~/cluster.connect --as pilots     for workers: a key of their own in it\n"
    "  drover connect ada.connect --as ada --role submit\n"
    "  drover worker --connect ~/cluster.connect        (on another node)\n"
    "  drover status --connect ada.connect\n\n"
    "A file with a key is a secret: hand it over like one, keep mode 600 (others are refused). "
    "drover key revoke NAME shuts it out. After the coordinator moved to another port, write the "
    "file again.\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.";

struct arguments {
    struct options o;
    struct connecting c;
    const char *file, *role;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_AS:
        a->c.as = arg;
        return 0;
    case KEY_ROLE:
        a->role = arg;
        return 0;
    case KEY_ADDRESS:
        a->c.address = arg;
        return 0;
    case ARGP_KEY_INIT: /* $DROVER_CONNECT is of no interest here */
        return 0;
    case ARGP_KEY_ARG:
        if (a->file)
            argp_error(state, "one file, please");
        a->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->c.as && !a->file)
            argp_error(state, "--as NAME needs a FILE: secrets are not printed");
        if (a->role && !a->c.as)
            argp_error(state, "--role is of the key that --as NAME makes");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_connect = { rows, parse, "[FILE]", doc, NULL, NULL, NULL };

/* What is there already is replaced only when it is a connection file, or empty. */
static int check_target(const char *file, struct err *err)
{
    struct connection old CLEANUP(connection_wipe) = { .version = "" };
    struct err none = { 0 };
    int rc = access(file, F_OK) == 0 ? connection_load(file, &old, &none) : 0;

    if (rc == ERR_INVALID)
        return err_set(err, ERR_CONFLICT, "%s is there and is no connection file; name another one",
                       file);
    return 0;
}

static void show(const struct arguments *a, const struct connection *c)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct jsonw w = { .to = &text };
    char line[KEY_LINE_MAX];

    if (!a->o.json) {
        connection_print(c, false, &text);
        fputs(buf_str(&text), stdout);
        return;
    }
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_text(&w, "endpoint", c->endpoint);
    jsonw_text(&w, "drover", c->version);
    jsonw_text(&w, "server_key", *c->server.text ? key_line(&c->server, line) : NULL);
    jsonw_text(&w, "as", *c->own.key.text ? c->own.key.name : NULL);
    jsonw_text(&w, "file", a->file);
    jsonw_close(&w, '}');
    printf("%s\n", buf_str(&text));
}

static int connect_file(struct arguments *a, struct err *err)
{
    struct connection c CLEANUP(connection_wipe) = { .version = "" };
    bool local = false;
    int rc = roles_parse(a->role ? a->role : "work", &a->c.roles, err);

    a->c.store = options_store(&a->o);
    if (rc == 0 && a->file)
        rc = check_target(a->file, err);
    if (rc == 0)
        rc = connecting_make(&a->c, &c, &local, err);
    if (rc == 0 && a->file)
        rc = connection_save(a->file, &c, err);
    if (rc < 0)
        return rc;
    if (!a->file || a->o.json)
        show(a, &c);
    else
        fprintf(stderr, "%s: %s%s%s\n", a->file, c.endpoint, a->c.as ? ", as " : "",
                a->c.as ? a->c.as : "");
    if (local)
        fprintf(stderr, "Only this computer reaches it: for others start it with --listen "
                        "tcp://0.0.0.0:7077\n");
    return 0;
}

int cmd_connect(int argc, char **argv, const struct env *env)
{
    struct arguments a = { 0 };
    struct err err = { 0 };

    if (argp_parse(&argp_connect, argc, argv, 0, NULL, &a) != 0)
        return CLI_USAGE;
    return connect_file(&a, &err) == 0 ? CLI_DONE : cli_fail(env, &err);
}
