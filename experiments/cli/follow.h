/* SPDX-License-Identifier: Apache-2.0 */
/* follow.h - submit a plan to a coordinator and stay until its experiment has ended. */
#ifndef EXPERIMENTS_CLI_FOLLOW_H
#define EXPERIMENTS_CLI_FOLLOW_H

#include "experiments/cli/client.h"
#include "experiments/cli/embedded.h"
#include "experiments/cli/view.h"

enum follow_end {
    FOLLOW_FINISHED,    /* every job has ended */
    FOLLOW_INTERRUPTED, /* SIGINT or SIGTERM: what is embedded was stopped */
    FOLLOW_LEFT,        /* it goes on without us, by the user's answer or DETACH */
    FOLLOW_CANCELLED,   /* by the user's answer: its jobs were withdrawn */
    FOLLOW_LOST,        /* the coordinator is gone (and is not ours to restart) */
};

struct follow {
    const char *endpoint, *experiment,
        *store; /* store: whose lock tells that a joined coordinator is gone; NULL: remote */
    Drover__Submit *submit;
    struct embedded *embedded;  /* NULL: the coordinator is somebody else's. Its workers start when
                                   there is something to do. */
    struct embedded_conf spare; /* joined: start these workers when the coordinator has none for a
                                   while; workers 0: never */
    struct view *view;
    bool quiet;
    bool detach; /* leave as soon as the plan is submitted and workers have started */
    /* Out: */
    Drover__Submitted submitted;
    uint32_t failed;    /* jobs that ended FAILED, CANCELLED or SKIPPED, */
    uint32_t unchosen;  /* but for those that halving did not choose */
    uint32_t cancelled; /* of failed: CANCELLED, */
    uint32_t blocked;   /* and SKIPPED, since what they need did not end well */
    uint32_t diverged;  /* of those done */
    bool was_submitted;
};

/* 0 and *RET; or an error (refused, a child that does not stay alive). Signals INT and TERM are
 * taken over. The first one asks what to do when there is a terminal. On return the embedded
 * daemons are stopped (drained, and killed when a second signal comes) or, after FOLLOW_LEFT, go
 * on. */
int follow(struct follow *f, enum follow_end *ret, struct err *err) MUST_CHECK;

#endif
