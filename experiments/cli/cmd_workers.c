/* SPDX-License-Identifier: Apache-2.0 */
/* drover workers - who is connected to a coordinator, and what each does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/operate.h"
#include "experiments/cli/sheet.h"

enum { KEY_WATCH = KEY_OWN, KEY_LONG };
enum { WATCH_MS = 1000 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "watch", KEY_WATCH, NULL, 0, "Show them again each second, until q or Ctrl-C", 0 },
    { "long", KEY_LONG, NULL, 0, "Also version, numeric classes, queue", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "List the workers of a coordinator: what runs there, what waits in their queues, what they "
    "have and use of cores and memory, labels, jobs done since the coordinator's start, when they "
    "were last heard and when they joined. States: working, draining (leaving), paused (it refused "
    "work a moment ago), quiet (not heard of for a while), gone (its connection is; its jobs wait "
    "for it for the time of a lease).\v"
    "Example:\n"
    "  drover workers\n"
    "  drover workers --coordinator tcp://10.0.0.1:7400 --watch\n"
    "  drover workers --json | jq '.workers[] | select(.state != \"working\")'\n\n"
    "Without --coordinator it is the one that has the store.\n\n"
    "Exit status: 0 done, 1 no coordinator, 2 wrong usage.";

struct arguments {
    struct options o;
    bool watch, wide;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_WATCH:
        a->watch = true;
        return 0;
    case KEY_LONG:
        a->wide = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\"? drover workers lists them all", arg);
        return 0;
    case ARGP_KEY_END:
        if (a->watch && a->o.json)
            argp_error(state, "--watch is for people, --json for programs");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_workers = { rows, parse, NULL, doc, NULL, NULL, NULL };

/* Lists as texts, for people. */
static void join(struct json *o, const char *key, char **v, size_t len)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < len; i++)
        buf_printf(&text, "%s%s", i ? "," : "", v[i]);
    json_set(o, key, len ? json_new_text(buf_str(&text)) : json_new_null());
}

static int by_name(const void *a, const void *b)
{
    Drover__WorkerStatus *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static struct json *list_of(const Drover__Status *s, bool people)
{
    struct json *list = json_new_array();

    if (s->n_workers > 1)
        qsort(s->workers, s->n_workers, sizeof(s->workers[0]), by_name);
    for (size_t i = 0; i < s->n_workers; i++) {
        const Drover__WorkerStatus *w = s->workers[i];
        struct json *o = operate_worker_json(w);

        if (people) {
            join(o, "labels", w->labels, w->n_labels);
            join(o, "classes", w->classes, w->n_classes);
            json_set(o, "seen_s", json_new_number((double)w->last_seen_ms / 1000));
        }
        json_push(list, o);
    }
    return list;
}

static void print_table(const Drover__Status *s, bool wide, FILE *to)
{
    struct json *list CLEANUP(json_cleanup) = list_of(s, true);
    uint64_t slots = 0, running = 0, waiting = 0;

    for (size_t i = 0; i < s->n_workers; i++) {
        slots += s->workers[i]->slots;
        running += s->workers[i]->running;
        waiting += s->workers[i]->waiting;
    }
    fprintf(to, "%zu worker%s, %llu of %llu slots busy, %llu jobs wait in their queues\n",
            s->n_workers, s->n_workers == 1 ? "" : "s", (unsigned long long)running,
            (unsigned long long)slots, (unsigned long long)waiting);
    sheet_list(list, NULL,
               wide ? "worker host pid version state slots running waiting queue cores cores_used "
                      "?memory_mib ?memory_used_mib labels classes jobs_done=done seen_s "
                      "joined_s_ago=joined_s remaining_s=left_s"
                    : "worker host state slots running waiting cores_used=used cores=of_cores "
                      "?memory_used_mib=used_mib ?memory_mib=of_mib labels jobs_done=done seen_s "
                      "joined_s_ago=joined_s remaining_s=left_s",
               0, to);
}

static int watch(const struct arguments *a, const char *endpoint, struct err *err)
{
    struct screen *screen = screen_new();
    int rc;

    do {
        Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
        char *text = NULL;
        size_t len = 0;
        FILE *to;

        rc = operate_workers(endpoint, &answer, err);
        if (rc)
            break;
        to = open_memstream(&text, &len);
        if (!to) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
            break;
        }
        print_table(answer->status, a->wide, to);
        (void)fclose(to);
        screen_draw(screen, text);
        free(text);
    } while (screen_wait(screen, WATCH_MS));
    screen_free(screen);
    return rc;
}

static int once(const struct arguments *a, const char *endpoint, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    int rc = operate_workers(endpoint, &answer, err);

    if (rc)
        return rc;
    if (!a->o.json) {
        print_table(answer->status, a->wide, stdout);
        return 0;
    }
    struct json *top = json_new_object();
    json_set(top, "version", json_new_integer(1));
    json_set(top, "workers", list_of(answer->status, false));
    print_json(top, stdout);
    return 0;
}

int cmd_workers(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .watch = false };
    char endpoint[STORE_ENDPOINT_MAX];
    struct err err = { 0 };

    argp_parse(&argp_workers, argc, argv, 0, NULL, &a);
    int rc = operate_endpoint(&a.o, endpoint, &err);
    if (!rc)
        rc = a.watch ? watch(&a, endpoint, &err) : once(&a, endpoint, &err);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}
