/* SPDX-License-Identifier: Apache-2.0 */
/* labels.h - what searches found: sums that are kept in memory and grow with the store, and single
 * labels, page by page.
 *
 * Labels of a family are only ever added. The cache keeps their sums by (family, examples that are
 * read of it), reads what is new since the last question, in pieces, and goes on where time was up.
 * Thread-safe; every piece is a read of its own, on the caller's connection. */
#ifndef STORE_BROWSE_LABELS_H
#define STORE_BROWSE_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "store/label_stats.h"
#include "store/read.h"

struct label_cache;

enum { LABEL_CACHE_BYTES = 64 << 20 };
struct label_cache *label_cache_new(size_t bytes_max); /* 0: LABEL_CACHE_BYTES */
void label_cache_free(struct label_cache *c);          /* NULL is fine */
/* Grows when an answer was not READY: whoever asks again gets more. Any thread; NULL: 0. */
uint64_t label_cache_version(struct label_cache *c);

/* A family that a search step of an experiment reads; sorted by step, task, level, split, family.
 */
struct label_set {
    char *step, *task, *split;
    int level;
    uint64_t family;
    uint64_t examples; /* the most that a live run asks for */
};
struct label_sets {
    struct label_set *set;
    size_t len;
};
void label_sets_release(struct label_sets *s);

/* Which sets are meant; { .level = -1 } is all of them. */
struct label_choice {
    const char *step, *task, *split; /* NULL: all */
    int level;                       /* -1: all */
};
/* Of RUN only, if it is not 0. Of an experiment of more than 20,000 runs, families without any
 * label are left out, and 200 of each one's runs say what they ask for. ERR_NOT_FOUND: no such
 * experiment. CACHE may be NULL. */
int label_sets_list(struct label_cache *c, struct store *s, uint64_t experiment, uint64_t run,
                    struct label_sets *ret, struct err *err) MUST_CHECK;
/* Leave only what CHOICE means. ERR_NOT_FOUND with the nearest name when there are sets, but none
 * of that step, task, level or split. */
int label_sets_choose(struct label_sets *s, const struct label_choice *choice,
                      struct err *err) MUST_CHECK;

struct label_progress {
    uint64_t promised; /* examples that the sets ask for */
    uint64_t read;     /* labels summed up */
    uint64_t left;     /* at most so many stored ones are not yet: 0 when READY */
    bool ready;        /* nothing stored is missing */
};
/* The sums of SET's labels are added to TO and *PROGRESS. Reads at most until DEADLINE_MS
 * (clock_ms()), at least one piece, or until store_time_limit() ends it. */
int label_sums(struct label_cache *c, struct store *s, const struct label_set *set,
               uint64_t deadline_ms, struct label_stats *to, struct label_progress *progress,
               struct err *err) MUST_CHECK;

/* ---- single labels ---- */

/* Where in a list a label stands. */
struct label_place {
    const char *step;
    uint64_t family, idx;
};
/* A label with its example. Texts are valid during the call. */
struct label_item {
    struct store_label_row row;   /* without experiment, run and seed */
    const char *example, *subset; /* 16 hex digits */
    uint64_t attempt;
};
/* 0: go on. */
typedef int (*label_item_fn)(const struct label_item *item, const struct label_set *set, void *arg);

struct label_walk {
    const struct label_sets *sets;
    const struct store_label_filter *filter; /* experiment, step, task, level, split are ignored */
    const char *text;                        /* the question or source id holds it; NULL: all */
    const struct label_place *from;          /* NULL: from the start (or the end) */
    bool back;                               /* towards the start */
    uint64_t limit;
    uint64_t deadline_ms; /* clock_ms(); gives up there (or at store_time_limit()), telling where */
};
struct label_walked {
    bool more;                   /* the walk did not reach the end */
    const struct label_set *set; /* the last one that was looked at; with IDX where to go on */
    uint64_t idx;
    uint64_t looked; /* labels looked at */
};
/* Labels in the order of the sets, in each by idx, behind (before) FROM. ERR_INVALID: FROM is in
 * none of the sets. */
int label_walk(struct store *s, const struct label_walk *how, label_item_fn fn, void *arg,
               struct label_walked *ret, struct err *err) MUST_CHECK;

/* Label ID; its set without examples. ERR_NOT_FOUND. */
int label_find(struct store *s, uint64_t id, label_item_fn fn, void *arg,
               struct err *err) MUST_CHECK;

/* Who made a label: the job of its attempt. */
struct label_job {
    uint64_t id;
    const char *step, *params; /* params: lines "name = value" */
    const char *worker, *host; /* NULL: not known */
    int64_t ended_ms;          /* wall time; 0: it runs */
};
/* FN is not called when nothing is known of ATTEMPT. */
int label_job(struct store *s, uint64_t attempt, int (*fn)(const struct label_job *j, void *arg),
              void *arg, struct err *err) MUST_CHECK;

/* Who reads it: live runs, by number. */
struct label_reader {
    uint64_t experiment, run, seed;
    const char *name, *step;
};
/* At most MOST of those that read place IDX of FAMILY. */
int label_readers(struct store *s, uint64_t family, uint64_t idx, size_t most,
                  int (*fn)(const struct label_reader *r, void *arg), void *arg,
                  struct err *err) MUST_CHECK;

/* Name of EXPERIMENT, appended to RET. ERR_NOT_FOUND. */
struct buf;
int label_experiment_name(struct store *s, uint64_t experiment, struct buf *ret,
                          struct err *err) MUST_CHECK;

#endif
