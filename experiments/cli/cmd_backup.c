/* SPDX-License-Identifier: Apache-2.0 */
/* drover backup - a copy of the store, while it is written to. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/client.h"
#include "experiments/cli/sheet.h"
#include "store/backup.h"
#include "store/store.h"

enum { KEY_BLOBS = KEY_OWN };
enum { ANSWER_MS = 60000, PROGRESS_MS = 500 };

static const struct argp_option rows[] = {
    { "with-blobs", KEY_BLOBS, NULL, 0,
      "Also the files of the results, into FILE-blobs: as hard links where the disk is the same",
      0 },
    OPTION_STORE,
    OPTION_COORDINATOR,
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Copy the store as it is at this moment into FILE, while a coordinator writes to it: nobody "
    "waits. FILE appears when it is whole, checked and on the disk, and never replaces anything. "
    "With --coordinator that one makes it, on its own machine (the whole path, please; role "
    "admin), else it is made here from the store's file.\v"
    "Example:\n"
    "  drover backup nightly.db --store results.db --with-blobs\n"
    "  drover doctor --store nightly.db\n"
    "  drover backup /var/backups/drover.db --coordinator tcp://10.0.0.1:7400\n\n"
    "A backup is a store: drover run --store FILE goes on from there. Keys (results.db-keys) are "
    "not in it.\n\n"
    "Exit status: 0 done, 1 not made (nothing is left of it), 2 wrong usage.";

struct arguments {
    struct options o;
    const char *file;
    bool blobs, live;
    uint64_t shown_ms;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_BLOBS:
        a->blobs = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->file)
            argp_error(state, "one file, please");
        a->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->file)
            argp_error(state, "name the file to make");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_backup = { rows, parse, "FILE", doc, NULL, NULL, NULL };

/* ---- how far ---- */

static void show(const char *text, void *arg)
{
    const struct arguments *a = arg;

    if (a->live)
        fprintf(stderr, "\r\033[K%s", text);
}

static bool on_progress(uint64_t done, uint64_t total, void *arg)
{
    struct arguments *a = arg;
    const uint64_t now = clock_ms();
    char text[80];

    if (now - a->shown_ms < PROGRESS_MS)
        return true;
    a->shown_ms = now;
    (void)snprintf(text, sizeof(text), "%.0f of %.0f MiB", (double)done / (1 << 20),
                   (double)total / (1 << 20));
    show(text, a);
    return true;
}

/* ---- both ways ---- */

static int ask(struct arguments *a, struct buf *text, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__Control m = DROVER__CONTROL__INIT;

    m.verb = DROVER__CONTROL__VERB__BACKUP;
    m.path = (char *)(uintptr_t)a->file;
    m.blobs = a->blobs;
    int rc = client_call_long(a->o.coordinator, DROVER__ENVELOPE__BODY_CONTROL, &m,
                              DROVER__ENVELOPE__BODY_CONTROLLED, ANSWER_MS, show, a, &answer, err);
    if (!rc)
        buf_adds(text, answer->controlled->text);
    return rc;
}

static int make(struct arguments *a, struct buf *text, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    const struct store_backup how = { a->file, a->blobs, on_progress, a };
    struct store_backup_done done;
    int rc = store_open_read(&s, options_store(&a->o), err);

    a->shown_ms = clock_ms();
    if (!rc)
        rc = store_backup(s, &how, &done, err);
    if (rc)
        return rc;
    buf_printf(text, "%s: %.1f MiB, checked", a->file, (double)done.bytes / (1 << 20));
    if (a->blobs)
        buf_printf(text, "; %s-blobs: %llu files of %.1f MiB, %llu of them linked", a->file,
                   (unsigned long long)done.files, (double)done.file_bytes / (1 << 20),
                   (unsigned long long)done.links);
    return 0;
}

int cmd_backup(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .live = isatty(STDERR_FILENO) };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    argp_parse(&argp_backup, argc, argv, 0, NULL, &a);
    int rc = a.o.coordinator ? ask(&a, &text, &err) : make(&a, &text, &err);
    show("", &a);
    if (rc)
        return cli_fail(env, &err);
    if (a.o.json) {
        struct json *top = json_new_object();

        json_set(top, "version", json_new_integer(1));
        json_set(top, "file", json_new_text(a.file));
        json_set(top, "text", json_new_text(buf_str(&text)));
        print_json(top, stdout);
    } else {
        puts(buf_str(&text));
    }
    return CLI_DONE;
}
