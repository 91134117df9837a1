/* SPDX-License-Identifier: Apache-2.0 */
/* exporter.h - the coordinator's numbers for Prometheus: GET /metrics in its text format, version
 * 0.0.4, over HTTP by a thread of its own, which knows only what was last published. */
#ifndef COORDINATOR_EXPORTER_H
#define COORDINATOR_EXPORTER_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "coordinator/metrics.h"

struct exporter;

/* Listen at ADDRESS, "127.0.0.1:9420" or "PORT" for loopback; port 0 takes a free one. ERR_INVALID:
 * no such address; ERR_CONFLICT: taken. Other addresses than loopback are the caller's to warn of:
 * whoever reaches the port reads the numbers. */
int exporter_start(struct exporter **ret, const char *address, struct err *err) MUST_CHECK;
void exporter_stop(struct exporter *e); /* NULL is fine */
/* "127.0.0.1:9420" as it really is. */
const char *exporter_address(const struct exporter *e);

/* What is told from now on. Any one thread. */
void exporter_publish(struct exporter *e, const struct shell_metrics *m);

/* M as text, with what this process itself uses. */
void exporter_text(const struct shell_metrics *m, struct buf *out);

#endif
