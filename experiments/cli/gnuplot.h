/* SPDX-License-Identifier: Apache-2.0 */
/* gnuplot.h - figures as gnuplot scripts that carry their data, and running gnuplot. */
#ifndef EXPERIMENTS_CLI_GNUPLOT_H
#define EXPERIMENTS_CLI_GNUPLOT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/json.h"

enum gnuplot_target { GNUPLOT_DUMB, GNUPLOT_SVG, GNUPLOT_PDF, GNUPLOT_PNG, GNUPLOT_TARGETS };

/* By the ending of PATH: .svg, .pdf, .png. ERR_INVALID names them. */
int gnuplot_target_of(const char *path, enum gnuplot_target *ret, struct err *err) MUST_CHECK;

/* The script for REPORT (store/plots/plots.h), one panel below the other, written to OUTPUT (NULL:
 * standard output). COLUMNS: of the terminal, for DUMB. Pure. */
void gnuplot_script(const struct json *report, enum gnuplot_target target, const char *output,
                    unsigned columns, struct buf *out);

/* Run SCRIPT; what gnuplot says on standard error is in the error. OUTPUT (may be NULL) is written
 * whole or not at all: gnuplot writes to OUTPUT.part, which is renamed. ERR_NOT_FOUND: there is no
 * gnuplot (the text says how to get it). */
int gnuplot_run(const struct buf *script, const char *output, struct err *err) MUST_CHECK;

#endif
