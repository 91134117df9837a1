/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/exporter.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/mem.h"

enum {
    CONNECTIONS_MAX = 16,
    TIMEOUT_S = 5,
    MEMORY_PER_CONNECTION = 8192, /* a request line and its headers; longer ones are refused */
};

struct exporter {
    struct MHD_Daemon *daemon;
    char address[64];
    pthread_mutex_t mutex; /* guards all below */
    struct shell_metrics metrics;
};

/* ---- the text ---- */

/* Families come whole: HELP and TYPE once, before the first sample. */
struct writer {
    struct buf *out;
    const char *family; /* of the last sample */
};

static void head(struct buf *out, const char *name, const char *type, const char *text)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, text, name, type);
}

/* As a label's value: nothing in it ends it. */
static void add_label(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_adds(out, "\\n");
        else
            buf_printf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    }
}

static void add_row(const struct metric_row *row, void *arg)
{
    struct writer *w = arg;

    if (!w->family || strcmp(w->family, row->name) != 0)
        head(w->out, row->name, row->type, row->text);
    w->family = row->name;
    buf_adds(w->out, row->name);
    if (row->label) {
        buf_printf(w->out, "{%s=\"", row->label);
        add_label(w->out, row->value);
        buf_adds(w->out, "\"}");
    }
    buf_printf(w->out, " %.15g\n", row->number);
}

static void add_histogram(struct buf *out, const char *name, const char *text,
                          enum metric_bounds bounds, const struct metric_histogram *h)
{
    uint64_t so_far = 0;

    head(out, name, "histogram", text);
    for (int i = 0; i < METRIC_BOUNDS; i++) {
        so_far += h->n[i];
        buf_printf(out, "%s_bucket{le=\"%.15g\"} %" PRIu64 "\n", name,
                   (double)metric_bounds_us[bounds][i] * 1e-6, so_far);
    }
    so_far += h->n[METRIC_BOUNDS];
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.15g\n%s_count %" PRIu64 "\n",
               name, so_far, name, (double)h->sum_us * 1e-6, name, so_far);
}

static void add(struct buf *out, const char *name, const char *type, const char *text,
                double number)
{
    const struct metric_row row = { .name = name, .type = type, .text = text, .number = number };
    struct writer w = { .out = out };

    add_row(&row, &w);
}

/* ---- what the kernel knows of this process; names that the field's tools know ---- */

static void add_memory(struct buf *out)
{
    const double page = (double)sysconf(_SC_PAGESIZE);
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return;
    if (fscanf(f, "%ld %ld", &pages, &resident) == 2) {
        add(out, "process_virtual_memory_bytes", "gauge", "Memory that is mapped",
            (double)pages * page);
        add(out, "process_resident_memory_bytes", "gauge", "Memory that is in RAM",
            (double)resident * page);
    }
    (void)fclose(f);
}

static void add_descriptors(struct buf *out)
{
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    double n = -3; /* ., .., the folder */

    if (!folder)
        return;
    while (readdir(folder))
        n++;
    (void)closedir(folder);
    add(out, "process_open_fds", "gauge", "Open file descriptors", n);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        add(out, "process_max_fds", "gauge", "File descriptors that it may open",
            (double)limit.rlim_cur);
}

static void add_process(struct buf *out)
{
    struct rusage use;

    add_memory(out);
    add_descriptors(out);
    if (getrusage(RUSAGE_SELF, &use) == 0)
        add(out, "process_cpu_seconds_total", "counter", "User and system time",
            (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6);
}

void exporter_text(const struct shell_metrics *m, struct buf *out)
{
    const struct metric_row build = { "drover_build_info", "gauge",        "The program",
                                      "version",           DROVER_VERSION, 1 };
    struct writer w = { .out = out };

    add_row(&build, &w);
    metric_each(m, add_row, &w);
#define X(MEMBER, NAME, BOUNDS, TEXT) add_histogram(out, "drover_" NAME, TEXT, BOUNDS, &m->MEMBER);
    SHELL_HISTOGRAMS(X)
#undef X
    add_process(out);
}

/* ---- HTTP ---- */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
                              const struct buf *text)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        text->len, text->len ? text->data : (void *)(uintptr_t) "", MHD_RESPMEM_MUST_COPY);
    enum MHD_Result ok = MHD_NO;

    if (!r)
        return MHD_NO;
    if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES)
        ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_len, void **own)
{
    struct exporter *e = arg;
    struct buf text CLEANUP(buf_release) = { 0 };
    struct shell_metrics m;

    (void)version;
    (void)body;
    (void)own;
    if (*body_len > 0)
        return MHD_NO;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        buf_adds(&text, "only GET\n");
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", &text);
    }
    if (strcmp(url, "/metrics") != 0) {
        buf_adds(&text, "drover-coordinator: see /metrics\n");
        return answer(c, strcmp(url, "/") == 0 ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND,
                      "text/plain; charset=utf-8", &text);
    }
    pthread_mutex_lock(&e->mutex);
    m = e->metrics;
    pthread_mutex_unlock(&e->mutex);
    exporter_text(&m, &text);
    return answer(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &text);
}

/* ---- life ---- */

static int parse_address(const char *text, struct sockaddr_in *ret, struct err *err)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    char host[64] = "127.0.0.1", *end;

    *ret = (struct sockaddr_in){ .sin_family = AF_INET };
    if (colon && (size_t)(colon - text) < sizeof(host) && colon > text)
        (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    errno = 0;
    unsigned long number = strtoul(port, &end, 10);
    if (errno || end == port || *end || *port == '-' || number > UINT16_MAX ||
        inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        return err_set(err, ERR_INVALID,
                       "--metrics=%s is no address; write PORT (loopback) or ADDRESS:PORT, e.g. "
                       "127.0.0.1:9420",
                       text);
    ret->sin_port = htons((uint16_t)number);
    return 0;
}

static void write_address(struct exporter *e, struct sockaddr_in at)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_BIND_PORT);
    char host[INET_ADDRSTRLEN] = "";

    (void)inet_ntop(AF_INET, &at.sin_addr, host, sizeof(host));
    (void)snprintf(e->address, sizeof(e->address), "%s:%u", host,
                   info ? (unsigned)info->port : (unsigned)ntohs(at.sin_port));
}

int exporter_start(struct exporter **ret, const char *address, struct err *err)
{
    struct sockaddr_in at;
    int rc = parse_address(address, &at, err);

    if (rc < 0)
        return rc;
    struct exporter *e = mem_calloc(1, sizeof(*e));
    pthread_mutex_init(&e->mutex, NULL);
    errno = 0;
    e->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, on_request, e,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_END);
    if (!e->daemon) {
        rc = err_set(err, errno == EADDRINUSE ? ERR_CONFLICT : ERR_IO, "--metrics=%s: %s", address,
                     errno ? strerror(errno) : "cannot listen there");
        pthread_mutex_destroy(&e->mutex);
        free(e);
        return rc;
    }
    write_address(e, at);
    *ret = e;
    return 0;
}

void exporter_stop(struct exporter *e)
{
    if (!e)
        return;
    MHD_stop_daemon(e->daemon);
    pthread_mutex_destroy(&e->mutex);
    free(e);
}

const char *exporter_address(const struct exporter *e)
{
    return e->address;
}

void exporter_publish(struct exporter *e, const struct shell_metrics *m)
{
    pthread_mutex_lock(&e->mutex);
    e->metrics = *m;
    pthread_mutex_unlock(&e->mutex);
}
