/* SPDX-License-Identifier: Apache-2.0 */
/* scale.h - how many pilots a queue needs: `drover scale`. Pure: looks come in with their time,
 * what to do comes out.
 *
 * Pilots are asked for while work waits, at most TARGET at a time and at most BACKLOG of them
 * pending; they leave by themselves when idle. Pending ones that the queue no longer needs are
 * cancelled, running ones never. When asking fails, or pilots end soon after their start without
 * having joined, several times in a row, it pauses, ever longer (HyperQueue's lesson); a pilot that
 * was preempted, requeued or ran to its time limit is no failure.
 *
 * Pilots that sit idle while jobs wait, twice in a row, show that these jobs cannot run now, for
 * whatever reason: no more are asked for until further jobs come, nor, when the idle ones have
 * left, for a minute, then two, four... */
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
    uint64_t jobs;    /* that pilots could run now or run, of experiments not paused; in slots */
    uint64_t waiting; /* of them, those that no worker has */
    unsigned pending, running; /* pilots */
    unsigned joined;           /* of them, those that are there as workers */
    unsigned idle;             /* of those, free for a while and without any job */
    unsigned failed; /* pilots that ended badly since the last look, without having joined */
    bool refused;    /* the last request for pilots failed */
};

struct scale {
    struct scale_limits limits;
    unsigned bad;                 /* failures in a row */
    uint64_t pause_ms, resume_ms; /* the next pause; when this one ends, 0: none */
    unsigned idle_looks;          /* in a row with idle pilots beside waiting jobs */
    uint64_t stuck_jobs;          /* that waited beside them; 0: all is well */
    uint64_t stuck_pause_ms;      /* how long after the idle ones have left; 0: not yet */
    uint64_t stuck_until_ms;
};

struct scale_action {
    unsigned submit, cancel; /* pilots to ask for; all pending ones, or 0, to cancel */
    bool paused;             /* until scale.resume_ms */
    bool stuck;              /* what waits cannot run: until scale.stuck_until_ms */
};

void scale_init(struct scale *s, const struct scale_limits *limits);
struct scale_action scale_step(struct scale *s, uint64_t now_ms, const struct scale_look *look);

#endif
