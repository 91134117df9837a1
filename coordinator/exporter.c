/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/exporter.h"

#include <arpa/inet.h>
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

static void add(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    buf_printf(out, "# HELP drover_%s %s\n# TYPE drover_%s %s\ndrover_%s %.17g\n", name, help, name,
               type, name, value);
}

/* Names that the field's tools know. */
static void add_process(struct buf *out)
{
    struct rusage use;
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%ld %ld", &pages, &resident) != 2)
            resident = 0;
        (void)fclose(f);
    }
    buf_printf(out,
               "# HELP process_resident_memory_bytes memory that is in RAM\n"
               "# TYPE process_resident_memory_bytes gauge\n"
               "process_resident_memory_bytes %ld\n",
               resident * sysconf(_SC_PAGESIZE));
    if (getrusage(RUSAGE_SELF, &use) == 0)
        buf_printf(out,
                   "# HELP process_cpu_seconds_total user and system time\n"
                   "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.6f\n",
                   (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6);
}

void exporter_text(const struct shell_metrics *m, struct buf *out)
{
    buf_printf(out,
               "# HELP drover_build_info the program\n# TYPE drover_build_info "
               "gauge\ndrover_build_info{version=\"%s\"} 1\n",
               DROVER_VERSION);
#define X(NAME, TEXT) add(out, #NAME "_total", "counter", TEXT, (double)m->NAME);
    SHELL_COUNTERS(X)
#undef X
#define X(NAME, TEXT) add(out, #NAME, "gauge", TEXT, (double)m->NAME);
    SHELL_GAUGES(X)
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
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", &text);
    }
    if (strcmp(url, "/metrics") != 0) {
        buf_adds(&text, "drover-coordinator: see /metrics\n");
        return answer(c, strcmp(url, "/") == 0 ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND, "text/plain",
                      &text);
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
