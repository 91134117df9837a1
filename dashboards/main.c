/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - drover-dashboard. Exit codes: 0 stopped by a signal, 1 failed, 2 wrong usage. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/macros.h"
#include "common/base/manual.h"
#include "common/base/notify.h"
#include "common/net/transport.h"
#include "dashboards/http.h"
#include "dashboards/routes.h"
#include "store/migrate.h"

const char *argp_program_version = "drover-dashboard " DROVER_VERSION;

enum { PORT = 8420, NICE = 10, THREADS_MAX = 2, MEMORY_MB = 1024 };

enum {
    OPT_TOKEN = 256,
    OPT_HOST,
    OPT_TIME,
    OPT_MEMORY,
    OPT_THREADS,
    OPT_NICE,
    OPT_NO_PAGE,
    OPT_READY,
    OPT_LOG,
    OPT_KEY,
    OPT_SERVER_KEY,
    OPT_INSECURE
};

static const struct argp_option options[] = {
    { "store", 's', "FILE", 0, "Results database (default: results.db)", 0 },
    { "port", 'p', "PORT", 0, "Port (8420); 0 takes a free one", 0 },
    { "bind", 'b', "ADDRESS", 0,
      "Address to listen on (127.0.0.1: this machine alone). Any other needs --token-file", 0 },
    { "token-file", OPT_TOKEN, "FILE", 0,
      "Who asks for data must send the token in FILE: one line of 16 or more characters, readable "
      "by its owner alone. Open the page as /#token=TOKEN",
      0 },
    { "host", OPT_HOST, "NAME", 0,
      "A further name by which browsers call this server, besides localhost and the address; "
      "repeatable",
      0 },
    { "time-ms", OPT_TIME, "MS", 0,
      "An answer may take so long (5000); SQL may ask for six times as much", 0 },
    { "memory-mb", OPT_MEMORY, "MB", 0, "Memory for the columns of large experiments (1024)", 0 },
    { "threads", OPT_THREADS, "N", 0,
      "Threads that answer quick questions (half the cores, at most 2); slow ones, SQL and tables, "
      "have one of their own",
      0 },
    { "nice", OPT_NICE, "N", 0, "Priority, 0 to 19 (10): the coordinator goes first", 0 },
    { "no-page", OPT_NO_PAGE, NULL, 0, "Only the data under /api/v1, no page", 0 },
    { "ready-file", OPT_READY, "FILE", 0, "Write the address there when ready", 0 },
    { "key", OPT_KEY, "FILE", 0,
      "Secret key for asking the coordinator what runs (default: the store's)", 0 },
    { "server-key", OPT_SERVER_KEY, "FILE", 0, "The coordinator's public key", 0 },
    { "insecure", OPT_INSECURE, NULL, 0, "The coordinator was started with --insecure", 0 },
    { "log-level", OPT_LOG, "LEVEL", 0, "error, warn, info or debug: every request (warn)", 0 },
    { 0 },
};

struct arguments {
    struct service_options service;
    struct http_options http;
    const char *token_file, *ready_file;
    const char *hosts[AUTH_HOSTS_MAX];
    size_t hosts_len;
    int nice;
    bool no_page;
    enum log_level level;
};

static long parse_number(const char *text, long min, long max, const char *what,
                         struct argp_state *state)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max)
        argp_error(state, "\"%s\" is no %s from %ld to %ld", text, what, min, max);
    return v;
}

static enum log_level parse_level(const char *text, struct argp_state *state)
{
    enum log_level level = LOG_WARN;

    if (!log_level_parse(text, &level))
        argp_error(state, "\"%s\" is no log level; choose error, warn, info or debug", text);
    return level;
}

static error_t parse_rare(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case OPT_NO_PAGE:
        a->no_page = true;
        return 0;
    case OPT_READY:
        a->ready_file = arg;
        return 0;
    case OPT_KEY:
        a->service.key = arg;
        return 0;
    case OPT_SERVER_KEY:
        a->service.server_key = arg;
        return 0;
    case OPT_INSECURE:
        a->service.insecure = true;
        return 0;
    case OPT_LOG:
        a->level = parse_level(arg, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"; the store is named by --store", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 's':
        a->service.store = arg;
        return 0;
    case 'p':
        a->http.port = (uint16_t)parse_number(arg, 0, UINT16_MAX, "port", state);
        return 0;
    case 'b':
        a->http.bind = strcmp(arg, "localhost") == 0 ? "127.0.0.1" : arg;
        return 0;
    case OPT_TOKEN:
        a->token_file = arg;
        return 0;
    case OPT_HOST:
        if (a->hosts_len == ARRAY_LEN(a->hosts) - 1) /* one more: the address */
            argp_error(state, "more than %zu names", ARRAY_LEN(a->hosts) - 1);
        a->hosts[a->hosts_len++] = arg;
        return 0;
    case OPT_TIME:
        a->service.time_ms =
            (uint32_t)parse_number(arg, 1, 600000, "number of milliseconds", state);
        return 0;
    case OPT_MEMORY:
        a->service.memory = (size_t)parse_number(arg, 1, 1 << 20, "number of megabytes", state)
                            << 20;
        return 0;
    case OPT_THREADS:
        a->service.threads =
            (size_t)parse_number(arg, 1, ANSWERS_THREADS_MAX, "number of threads", state);
        return 0;
    case OPT_NICE:
        a->nice = (int)parse_number(arg, 0, 19, "priority", state);
        return 0;
    default:
        return parse_rare(key, arg, state);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Show a store in the browser, live: experiments, runs, curves, tables, routing labels and "
        "their search trees, workers, failures, and a console for SQL. It only reads."
        "\vOpen the address that it prints. Ctrl-C ends it; nothing is lost by that. The same data "
        "are there as JSON under /api/v1 (docs/api.md). On a remote machine leave it on loopback "
        "there and make a tunnel from yours. On a machine with other users, or to listen on the "
        "network, ask for a token; nothing is encrypted on the way, so the tunnel is better.\n\n"
        "Examples:\n"
        "  drover dashboard --store results.db\n"
        "      then open http://127.0.0.1:8420/\n"
        "  ssh -L 8420:127.0.0.1:8420 HOST\n"
        "      a tunnel; then open http://localhost:8420/\n"
        "  (umask 077; openssl rand -hex 24 >dashboard.token)\n"
        "  drover dashboard --token-file dashboard.token --bind 0.0.0.0 --host NAME\n"
        "      then open http://NAME:8420/#token=TOKEN\n\n"
        "Exit status: 0 stopped by a signal, 1 failed, 2 wrong usage.",
};

static int fail(int code, const char *text)
{
    (void)fprintf(stderr, "drover-dashboard: %s\n", text);
    return code == ERR_INVALID ? 2 : 1;
}

/* ---- who may come ---- */

static int prepare_auth(struct arguments *a, struct err *err)
{
    struct auth *auth = &a->http.auth;
    bool any = strcmp(a->http.bind, "0.0.0.0") == 0 || strcmp(a->http.bind, "::") == 0;
    int rc = 0;

    if (!auth_is_address(a->http.bind))
        return err_set(err, ERR_INVALID,
                       "--bind=%.80s is no address; write e.g. 127.0.0.1, 0.0.0.0 or ::1",
                       a->http.bind);
    if (!auth_is_loopback(a->http.bind) && !a->token_file)
        return err_set(err, ERR_INVALID,
                       "--bind=%.80s lets others in: it needs --token-file FILE, one line of 16 or "
                       "more characters, e.g. of `openssl rand -hex 24`; or leave it on loopback "
                       "and use ssh -L",
                       a->http.bind);
    if (a->token_file)
        rc = auth_read_token(auth, a->token_file, err);
    auth->any_address = any;
    if (rc == 0 && !any)
        rc = auth_add_host(auth, a->http.bind, err);
    for (size_t i = 0; rc == 0 && i < a->hosts_len; i++)
        rc = auth_add_host(auth, a->hosts[i], err);
    return rc;
}

/* ---- running ---- */

static void greet(const struct arguments *a, const struct http *h)
{
    char host[256] = "HOST";
    const char *token = a->http.auth.token[0] ? "#token=TOKEN" : "";

    if (a->http.auth.any_address) /* 0.0.0.0 is no address to open */
        printf("drover dashboard: http://%s:%u/%s (store %s; Ctrl-C ends it)\n",
               a->hosts_len ? a->hosts[0] : "ADDRESS", http_port(h), token, a->service.store);
    else
        printf("drover dashboard: %s%s (store %s; Ctrl-C ends it)\n", http_url(h), token,
               a->service.store);
    if (getenv("SSH_CONNECTION") && auth_is_loopback(a->http.bind)) {
        (void)gethostname(host, sizeof host - 1);
        printf("from your own machine: ssh -L %u:%s:%u %s   then open http://localhost:%u/\n",
               http_port(h), strchr(a->http.bind, ':') ? "[::1]" : a->http.bind, http_port(h), host,
               http_port(h));
    }
    if (!auth_is_loopback(a->http.bind))
        (void)fprintf(stderr,
                      "drover-dashboard: WARNING: nothing is encrypted: whoever can listen on the "
                      "way to %s reads data and token\n",
                      a->http.bind);
    (void)fflush(stdout);
}

/* Until SIGTERM or SIGINT, which are blocked. */
static void serve(struct http *h, const sigset_t *signals)
{
    const struct timespec second = { .tv_sec = 1 };
    uint64_t watchdog_ms = notify_watchdog_ms();

    (void)notify_send("READY=1\nSTATUS=%s", http_url(h));
    while (sigtimedwait(signals, NULL, &second) < 0) {
        http_tick(h);
        if (watchdog_ms)
            (void)notify_send("WATCHDOG=1");
    }
    (void)notify_send("STOPPING=1");
}

static int run(struct arguments *a, struct err *err)
{
    struct http *h = NULL;
    struct page *page = NULL;
    sigset_t signals;
    int rc;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* threads inherit it */
    (void)signal(SIGPIPE, SIG_IGN);
    a->http.schema = migrate_latest();
    rc = service_start(&a->http.service, &a->service, err);
    if (rc < 0)
        return rc;
    if (!a->no_page)
        a->http.page = page = page_new(page_files);
    rc = http_start(&h, &a->http, err);
    if (rc == 0 && a->ready_file)
        rc = buf_write_file(a->ready_file, http_url(h), strlen(http_url(h)), err);
    if (rc == 0) {
        log_info("listening", "url=%s store=%s", http_url(h), a->service.store);
        greet(a, h);
        serve(h, &signals);
    }
    http_stop(h);
    service_free(a->http.service);
    page_free(page);
    return rc;
}

/* On two cores one stays free for the coordinator and its clients. */
static size_t default_threads(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores >= 2 * THREADS_MAX ? THREADS_MAX : 1;
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .service = { .store = "results.db",
                     .time_ms = API_TIME_MS,
                     .threads = default_threads(),
                     .memory = (size_t)MEMORY_MB << 20 },
        .http = { .bind = "127.0.0.1", .port = PORT, .tables = routes_all },
        .nice = NICE,
        .level = LOG_WARN,
    };
    struct err err = { 0 };
    int rc;

    if (manual_asked(argc, argv,
                     &(struct manual){ "drover-dashboard", "show a store in the browser",
                                       DROVER_VERSION, "drover(1), drover-coordinator(1)", &argp }))
        return 0;
    argp_err_exit_status = 2;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a) != 0)
        return 2;
    log_init("dashboard", a.level);
    transport_raise_limits();
    (void)setpriority(PRIO_PROCESS, 0, a.nice); /* the coordinator goes first; may stay as it is */
    rc = prepare_auth(&a, &err);
    if (rc == 0)
        rc = run(&a, &err);
    return rc < 0 ? fail(rc, err.text) : 0;
}
