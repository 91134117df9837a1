/* SPDX-License-Identifier: Apache-2.0 */
/* top.h - what drover top knows of a coordinator, and how it looks.
 *
 * Pure: answers and times go in, a frame comes out as text; asking, the clock and the terminal are
 * the caller's. */
#ifndef EXPERIMENTS_TOP_TOP_H
#define EXPERIMENTS_TOP_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/wire/wire.h"

/* ---- what is known ---- */

struct top;
struct top *top_new(void);
void top_free(struct top *t); /* NULL is fine */

/* An answer of a StatusRequest with numbers, workers, only_workers: counters, rates, workers,
 * failures. After another incarnation's answer rates begin anew. NOW_MS: of a clock that goes on.
 */
void top_take(struct top *t, const Drover__Status *s, uint64_t now_ms);
/* An answer with experiments. */
void top_take_experiments(struct top *t, const Drover__Status *s, uint64_t now_ms);
/* Nobody answered; WHY for people. top_take() ends it. */
void top_silent(struct top *t, const char *why, uint64_t now_ms);

/* All of it as an object: version, coordinator, rates, numbers, workers, experiments, failures. */
struct json *top_json(const struct top *t, const char *endpoint, uint64_t now_ms) MUST_CHECK;

/* ---- how it is looked at ---- */

enum top_sort {
    TOP_NAME,
    TOP_HOST,
    TOP_SLOTS, /* that are busy */
    TOP_QUEUE,
    TOP_RATE,
    TOP_DONE,
    TOP_FAILED,
    TOP_SEEN,
    TOP_STATE,
    TOP_SORTS
};

struct top_view {
    const char *endpoint;
    double interval_s;
    bool color, utf8;
    bool keys; /* somebody can press them: the last line says which */
    bool paused, help, typing;
    bool reverse;
    enum top_sort sort;
    size_t scroll;   /* workers above the first that is shown */
    char filter[64]; /* of workers: those in whose texts it is; "" all */
};

/* The picture in exactly ROWS lines, separated by \n, of at most COLS cells each; ROWS 0: as many
 * lines as it takes, of COLS cells. NOW_MS: see top_take(). */
void top_frame(const struct top *t, const struct top_view *v, size_t rows, size_t cols,
               uint64_t now_ms, struct buf *out);

/* What turns the terminal's picture BEFORE ("" after a clear) into NOW: lines that differ, each
 * with its place. Nothing when they are equal. */
void top_draw(const char *before, const char *now, struct buf *out);

/* Take what was typed, LEN bytes; V follows. False: they want to leave. ROWS: of the picture. */
bool top_keys(const struct top *t, struct top_view *v, size_t rows, const char *bytes, size_t len);

#endif
