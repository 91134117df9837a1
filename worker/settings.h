/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - what drover-worker is told on its command line. */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/log.h"
#include "common/net/identity.h"
#include "common/wire/wire.h"
#include "worker/allocation.h"
#include "worker/jobs/policy.h"
#include "worker/worker.h"

struct argp;

struct settings {
    struct worker_conf conf; /* its texts are the arguments, and fields of this struct */
    enum log_level log_level;
    bool classes;            /* only print them */
    uint64_t slots, threads; /* 0: not given */
    bool allow_exec;
    struct policy policy; /* policy_release() */
    const char *label[WIRE_LABELS_MAX];
    struct identity_choice identity;
    struct connection file;
    const char *connect; /* a connection file's path, or NULL */
    struct transport_keys keys;
    struct allocation allocation;
    uint64_t drain_ms, end_s; /* 0: not given */
};

/* What holds where nothing is said: defaults, then DROVER_COORDINATOR and DROVER_CONNECT. */
void settings_default(struct settings *s);

/* For argp_parse(), whose input is a struct settings of settings_default(): a bad argument ends the
 * program with status 2 and a line that says what is needed. */
extern const struct argp settings_argp;

#endif
