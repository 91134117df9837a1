/* SPDX-License-Identifier: Apache-2.0 */
/* private.h - what the files of experiments/top share. */
#ifndef EXPERIMENTS_TOP_PRIVATE_H
#define EXPERIMENTS_TOP_PRIVATE_H

#include "common/stats/pace.h"
#include "experiments/top/top.h"

enum {
    LOOKS_MAX = 640,       /* remembered looks: 5 minutes at one in LOOK_MS */
    LOOK_MS = 500,         /* looks that come sooner replace the last one */
    RECENT_MS = 300000,    /* failures of late */
    MINUTE_MS = 60000,     /* the longer of the two rates */
    SMOOTH_MS = 15000,     /* of a worker's rate */
    EXPERIMENTS_MAX = 256, /* that are going on */
    LAST_MAX = 16,         /* newest failures that are kept */
};

/* Outcomes of attempts that the table of causes shows, the worst first. */
#define TOP_CAUSES(X) X(failed) X(oom) X(timeout) X(lost) X(diverged) X(preempted) X(cancelled)
enum top_cause {
#define X(NAME) TOP_##NAME,
    TOP_CAUSES(X)
#undef X
        TOP_CAUSES_LEN
};
extern const char *const top_cause_names[TOP_CAUSES_LEN];

struct top_look {
    uint64_t at_ms;
    double results, attempts; /* counters */
    double ended[TOP_CAUSES_LEN];
};

struct top_worker {
    char name[64], host[64], doing[96], version[32];
    const char *state;
    uint32_t pid, slots, running, waiting;
    uint64_t done, failed, seen_ms, doing_ms, left_ms; /* left_ms 0: no end is known */
    double rate;                                       /* results per second, smoothed */
    bool rated;
};

struct top_experiment {
    char name[96];
    uint64_t jobs, done, running, failed, ready, waiting, over;
    int32_t priority;
    bool paused;
    struct pace pace;
    uint64_t at_ms;
    double units, rate; /* jobs per second, at the last two looks */
    bool seen;
};

struct top_failure {
    char outcome[16], worker[64], text[256];
    uint64_t job, at_ms;
};

struct top_number {
    char name[64], label[32];
    double value;
};

struct top {
    bool known; /* there was an answer */
    char version[32], why[248];
    uint64_t incarnation, up_ms, at_ms, silent_ms; /* silent_ms: since when; 0: not */
    struct top_number *number;
    size_t numbers;
    struct top_look look[LOOKS_MAX]; /* a ring, the newest at looks - 1 */
    size_t looks;
    struct top_worker *worker; /* by name */
    size_t workers;
    struct top_experiment experiment[EXPERIMENTS_MAX];
    size_t experiments, ended, hidden; /* hidden: more than fit */
    bool experiments_known;
    struct top_failure last[LAST_MAX]; /* newest first */
    size_t lasts;
};

/* A number of the coordinator; 0 when it did not tell it. */
double top_number(const struct top *t, const char *name, const char *label);

/* Per second, since the look before, or since the oldest of the last WINDOW_MS; false: not known
 * yet. */
struct top_rates {
    double results, attempts;
};
bool top_rates(const struct top *t, uint64_t window_ms, struct top_rates *ret);
/* Attempts that ended by CAUSE in the last RECENT_MS, as far as it is known. */
double top_recent(const struct top *t, enum top_cause cause);
double top_ended(const struct top *t, enum top_cause cause); /* since the coordinator's start */
/* The newest with that outcome; NULL. */
const struct top_failure *top_newest(const struct top *t, enum top_cause cause);

/* Workers that V shows, in its order: indices in RET (room for t->workers), their number. */
size_t top_order(const struct top *t, const struct top_view *v, size_t *ret);
/* Experiments, the most active first, in RET. */
size_t top_active(const struct top *t, size_t ret[EXPERIMENTS_MAX]);

/* How many lines each part gets. */
struct top_layout {
    size_t experiments, causes, workers; /* without headings; 0: the part is not there */
};
struct top_layout top_lay_out(const struct top *t, size_t rows);

#endif
