/* SPDX-License-Identifier: Apache-2.0 */
/* scale.h - how many pilots a queue needs: `drover scale`. Pure: looks come in with their time,
 * what to do comes out.
 *
 * Pilots are asked for while work waits, at most TARGET at a time and at most BACKLOG of them
 * pending; they leave by themselves when idle. Pending ones that the queue no longer needs are
 * cancelled, running ones never. When asking fails, or pilots end soon after their start without
 * having joined, several times in a row, it pauses, ever longer (HyperQueue's lesson); a pilot that
 * was preempted, requeued or ran to its time limit is no failure. */
#ifndef EXPERIMENTS_LAUNCH_SCALE_H
#define EXPERIMENTS_LAUNCH_SCALE_H

#include <stdbool.h>
#include <stdint.h>

struct scale_limits {
    unsigned target;   /* pilots at a time */
    unsigned backlog;  /* of them pending at a time */
    unsigned slots;    /* jobs of a pilot at a time */
    unsigned failures; /* in a row, until it pauses */
    uint64_t pause_ms; /* the first pause; doubled each time */
    uint64_t pause_max_ms;
};
struct scale_limits scale_limits_default(unsigned target, unsigned slots);

/* What was seen. */
struct scale_look {
    uint64_t jobs;             /* that could run now: ready or running, of experiments not paused */
    unsigned pending, running; /* pilots */
    unsigned joined;           /* workers that are there */
    unsigned failed; /* pilots that ended badly since the last look, without having joined */
    bool refused;    /* the last request for pilots failed */
};

struct scale {
    struct scale_limits limits;
    unsigned bad;                 /* failures in a row */
    uint64_t pause_ms, resume_ms; /* the next pause; when this one ends, 0: none */
};

struct scale_action {
    unsigned submit, cancel; /* pilots to ask for; all pending ones, or 0, to cancel */
    bool paused;             /* until scale.resume_ms */
};

void scale_init(struct scale *s, const struct scale_limits *limits);
struct scale_action scale_step(struct scale *s, uint64_t now_ms, const struct scale_look *look);

#endif
