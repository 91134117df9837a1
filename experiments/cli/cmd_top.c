/* SPDX-License-Identifier: Apache-2.0 */
/* drover top - a coordinator, live, on a terminal: what it does, its workers, why attempts fail. */
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "experiments/cli/asking.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "experiments/cli/terminal.h"
#include "experiments/top/top.h"
#include "store/store.h"

enum { KEY_ONCE = KEY_OWN };
enum { INTERVAL_DEFAULT_MS = 2000, INTERVAL_MIN_MS = 200, INTERVAL_MAX_S = 3600 };
enum { TICK_MS = 1000, FRAMES_MAX = 1000000000, PLAIN_COLS = 132 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "interval", 'i', "S", 0, "Ask every S seconds, 0.2 to 3600 (default 2)", 0 },
    { "frames", 'n', "N", 0, "End after N looks", 0 },
    { "once", KEY_ONCE, NULL, 0, "Print one picture and end, as without a terminal", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Watch a coordinator: jobs, rates, experiments with the time left, workers, and why attempts "
    "fail. On a terminal the picture follows what happens; q leaves, ? lists the other keys (p "
    "pauses, s chooses the column that sorts the workers, r turns it round, / filters them). A "
    "coordinator that goes away is waited for.\v"
    "Example:\n"
    "  drover top\n"
    "  drover top --coordinator tcp://10.0.0.1:7077 --interval 0.5\n"
    "  drover top --json -n 5 | jq '.rates.results_per_s'\n\n"
    "Without --coordinator it is the one that has the store. When standard output is no terminal, "
    "or with --once, one picture is printed as plain text; it needs two looks, so it comes after "
    "an interval. --json prints an object each interval, a line each. NO_COLOR and TERM=dumb are "
    "heeded.\n\n"
    "Exit status: 0 done, 1 no coordinator, 2 wrong usage.";

struct arguments {
    struct options o;
    bool once;
    long frames; /* 0: no end */
    uint64_t interval_ms;
};

static uint64_t parse_interval(const char *arg, struct argp_state *state)
{
    char *end;
    const double s = strtod(arg, &end);

    if (end == arg || *end || !(s >= (double)INTERVAL_MIN_MS / 1000 && s <= INTERVAL_MAX_S))
        argp_error(state, "--interval=%s: seconds, 0.2 to 3600", arg);
    return (uint64_t)lround(s * 1000);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'i':
        a->interval_ms = parse_interval(arg, state);
        return 0;
    case 'n':
        a->frames = options_number(state, "--frames", arg, 1, FRAMES_MAX);
        return 0;
    case KEY_ONCE:
        a->once = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\"? drover top takes no argument; / filters workers", arg);
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_top = { rows, parse, NULL, doc, NULL, NULL, NULL };

struct shell {
    const struct arguments *a;
    struct asking *asking;
    struct terminal *terminal;
    struct top *top;
    struct top_view view;
    char endpoint[STORE_ENDPOINT_MAX];
    struct buf shown; /* the picture on the terminal; empty: it is clear */
    size_t rows, cols;
    uint64_t now_ms; /* stands while it is paused */
    long looks;
    bool failed; /* of the last look */
    struct err err;
};

/* True: numbers came, or nobody answered. */
static bool take(struct shell *s, struct asking_news *n)
{
    asking_endpoint(s->asking, s->endpoint, sizeof(s->endpoint));
    switch (n->what) {
    case ASKING_NUMBERS:
        if (!s->view.paused)
            top_take(s->top, n->answer->status, n->at_ms);
        s->failed = false;
        break;
    case ASKING_EXPERIMENTS:
        if (!s->view.paused)
            top_take_experiments(s->top, n->answer->status, n->at_ms);
        break;
    case ASKING_SILENT:
        top_silent(s->top, n->err.text, n->at_ms);
        s->failed = true;
        s->err = n->err;
        break;
    }
    wire_free(n->answer);
    if (n->what == ASKING_EXPERIMENTS)
        return false;
    s->looks++;
    return true;
}

/* ---- a picture that follows ---- */

static void draw(struct shell *s)
{
    struct buf now CLEANUP(buf_release) = { 0 };
    struct buf bytes CLEANUP(buf_release) = { 0 };

    if (s->shown.len == 0) {
        terminal_size(&s->rows, &s->cols);
        buf_adds(&bytes, "\033[m\033[2J");
    }
    if (!s->view.paused)
        s->now_ms = clock_ms();
    top_frame(s->top, &s->view, s->rows, s->cols, s->now_ms, &now);
    top_draw(buf_str(&s->shown), buf_str(&now), &bytes);
    terminal_write(buf_str(&bytes), bytes.len);
    buf_clear(&s->shown);
    buf_add(&s->shown, now.data, now.len);
}

static int follow(struct shell *s)
{
    struct asking_news n;
    char keys[256];
    size_t len;
    unsigned events;

    do {
        draw(s);
        events =
            terminal_wait(s->terminal, asking_fd(s->asking), TICK_MS, keys, sizeof(keys), &len);
        while (asking_take(s->asking, &n))
            (void)take(s, &n);
        if (events & TERMINAL_FRESH)
            buf_clear(&s->shown);
        if (!top_keys(s->top, &s->view, s->rows, keys, len))
            break;
    } while (!(events & TERMINAL_LEAVE) && (!s->a->frames || s->looks <= s->a->frames));
    return 0;
}

/* ---- lines ---- */

static void print(struct shell *s)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (s->a->o.json) {
        struct json *v CLEANUP(json_cleanup) = top_json(s->top, s->endpoint, clock_ms());
        char *line = json_dump(v, 0);

        puts(line);
        free(line);
    } else {
        top_frame(s->top, &s->view, 0, PLAIN_COLS, clock_ms(), &text);
        puts(buf_str(&text));
    }
    (void)fflush(stdout);
}

/* Looks one by one; the first is for the rates of the second. */
static int list(struct shell *s, struct err *err)
{
    const long frames = s->a->frames ? s->a->frames : s->a->o.json && !s->a->once ? 0 : 1;
    struct asking_news n;
    size_t len;

    while (!frames || s->looks <= frames) {
        if (!asking_take(s->asking, &n)) {
            if (terminal_wait(s->terminal, asking_fd(s->asking), -1, NULL, 0, &len) &
                TERMINAL_LEAVE)
                break;
            continue;
        }
        if (!take(s, &n) || s->looks < 2)
            continue;
        if (s->failed && !s->a->o.json) {
            *err = s->err;
            return err->code;
        }
        print(s);
        if (ferror(stdout))
            break;
    }
    return 0;
}

int cmd_top(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .interval_ms = INTERVAL_DEFAULT_MS };
    struct shell s = { .a = &a };
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    struct err err = { 0 };
    bool live;
    int rc;

    argp_parse(&argp_top, argc, argv, 0, NULL, &a);
    live = isatty(STDOUT_FILENO) && !a.once && !a.o.json && term && strcmp(term, "dumb") != 0;
    rc = asking_start(&s.asking, &a.o, a.interval_ms, &err);
    if (rc < 0)
        return cli_fail(env, &err);
    s.top = top_new();
    s.terminal = terminal_open(live);
    s.view = (struct top_view){ .endpoint = s.endpoint,
                                .interval_s = (double)a.interval_ms / 1000,
                                .color = live && !(no_color && *no_color),
                                .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                                .keys = terminal_keys(s.terminal),
                                .sort = TOP_RATE };
    asking_endpoint(s.asking, s.endpoint, sizeof(s.endpoint));
    rc = live ? follow(&s) : list(&s, &err);
    terminal_close(s.terminal);
    asking_stop(s.asking);
    top_free(s.top);
    buf_release(&s.shown);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}
