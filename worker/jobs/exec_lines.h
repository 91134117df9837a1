/* SPDX-License-Identifier: Apache-2.0 */
/* exec_lines.h - what a program writes to its metrics pipe: one JSON object per line.
 *
 *   {"metric": "loss", "step": 3, "value": 0.5}    a point of a metric; without a step: the next
 *   {"step": 3, "loss": 0.5, "reward": 1}          several of one step, as trainers log them
 *   {"score": 1, "example": 17, "name": "gsm8k"}   an example's score: metric score.gsm8k, its step
 *                                                  the example's number; the mean becomes the
 *                                                  metric gsm8k (without a name: score.example and
 *                                                  score)
 *   {"progress": 0.3}                              a share, for displays
 *   {"diverged": "loss is NaN"}                    the run diverged: a result, not a failure
 *
 * Values are numbers; null, NaN and Infinity (as Python writes them) are kept as not-a-number.
 * Anything else is garbage: counted, the first one kept for the log, never fatal. */
#ifndef WORKER_JOBS_EXEC_LINES_H
#define WORKER_JOBS_EXEC_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum {
    EXEC_LINE_MAX = 8192, /* bytes; a longer line is garbage */
    EXEC_NAMES_MAX = 64,  /* distinct names without a step of their own, and of scores */
    EXEC_NAME_MAX = 64,   /* bytes of a name, with the NUL */
    EXEC_TEXT_MAX = 200   /* bytes of what is kept of garbage */
};

struct exec_sink {
    void *arg;
    void (*metric)(void *arg, const char *name, uint64_t step, double value);
    void (*progress)(void *arg, double share);
};

struct exec_lines {
    struct exec_sink sink;
    struct buf line; /* the beginning of one */
    bool skipping;   /* the rest of a line that is too long */
    uint64_t lines, garbage, points;
    char first_garbage[EXEC_TEXT_MAX]; /* printable */
    char first_why[EXEC_TEXT_MAX];
    uint64_t first_line;
    bool diverged;
    char diverged_why[EXEC_TEXT_MAX];
    struct {
        char name[EXEC_NAME_MAX];
        uint64_t next; /* step */
        uint64_t scores;
        double sum;
    } name[EXEC_NAMES_MAX];
    size_t names_len;
};

/* Start with { .sink = ... }. */
void exec_lines_add(struct exec_lines *l, const char *bytes, size_t len);
/* No more will come: a line without an end counts, and the means of scores are told. */
void exec_lines_end(struct exec_lines *l);
void exec_lines_release(struct exec_lines *l);

#endif
