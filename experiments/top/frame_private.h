/* SPDX-License-Identifier: Apache-2.0 */
/* frame_private.h - a picture while it is made, line by line. */
#ifndef EXPERIMENTS_TOP_FRAME_PRIVATE_H
#define EXPERIMENTS_TOP_FRAME_PRIVATE_H

#include "experiments/top/cells.h"
#include "experiments/top/private.h"

#define BOLD   "1"
#define FAINT  "2"
#define TURNED "7" /* headings */
#define GOOD   "32"
#define WARN   "33"
#define BAD    "31"

struct frame {
    const struct top *t;
    const struct top_view *v;
    struct buf *out;
    size_t rows, cols, lines; /* rows 0: no end; lines: so far */
    uint64_t now_ms;
};

/* The next line. */
struct line frame_line(struct frame *f);
/* Headings and PAGE workers; with an end of the picture also the keys, in its last line. */
void frame_workers(struct frame *f, size_t page);
/* The last line: which workers are SHOWN, from FIRST on, of LEN; the keys. */
void frame_keys(struct frame *f, size_t first, size_t shown, size_t len);

#endif
