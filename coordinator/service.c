/* SPDX-License-Identifier: Apache-2.0 */
/* service.c - the coordinator as a service: its numbers for Prometheus, its state for the service
 * manager. */
#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/notify.h"
#include "coordinator/exporter.h"
#include "coordinator/shell.h"

enum { SERVICE_MS = 1000 };

static void tell_manager(const struct shell_metrics *m)
{
    if (notify_watchdog_ms() > 0)
        (void)notify_send("WATCHDOG=1");
    (void)notify_send("STATUS=%" PRIu64 " workers, %" PRIu64 " jobs running, %" PRIu64
                      " results so far",
                      shell_workers(m), m->jobs[SHELL_JOB_leased], m->results_done);
}

/* The loop itself says that it lives: one that hangs is restarted by the watchdog. */
static void on_service(void *arg)
{
    struct server *s = arg;
    const struct shell_metrics *m = shell_metrics(s);
    const uint64_t watchdog_ms = notify_watchdog_ms();

    if (s->exporter)
        exporter_publish(s->exporter, m);
    tell_manager(m);
    shell_backup_tell(s);
    loop_timer_set(s->loop, s->service_timer,
                   clock_ms() + (watchdog_ms ? MIN(watchdog_ms, SERVICE_MS) : SERVICE_MS));
}

int shell_service_start(struct server *s, struct err *err)
{
    int rc = s->options.metrics ? exporter_start(&s->exporter, s->options.metrics, err) : 0;

    if (rc < 0)
        return rc;
    if (s->exporter)
        log_info("metrics", "url=http://%s/metrics", exporter_address(s->exporter));
    s->metrics.start_ms = (uint64_t)clock_wall_ms();
    s->service_timer = loop_add_timer(s->loop, on_service, s);
    (void)notify_send("READY=1");
    on_service(s);
    return 0;
}

void shell_service_stop(struct server *s)
{
    if (s->loop)
        (void)notify_send("STOPPING=1");
    exporter_stop(s->exporter);
    s->exporter = NULL;
}
