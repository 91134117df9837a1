/* SPDX-License-Identifier: Apache-2.0 */
/* plots.h - the numbers of a figure, from a specification: learning curves with bands over seeds,
 * accuracy against cost, routing per layer. Drawing is somebody else's (experiments/cli/gnuplot.h).
 *
 * A specification is libconfig text: one plot, or `plots = ( {...}, ... )`; `experiment = "name"`.
 *
 *   kind        "curve", "pareto", "routing" or "tradeoff"
 *   step        curve: the training step, or a list of them in order (a chain of stages: steps add
 *               up); pareto with a training metric: its step; routing: the search step
 *   metric      curve: "loss", "reward"...
 *   x, y        pareto: "layers", "tokens", "seconds" against "accuracy", "base", "oracle", or the
 *               last value of a training metric
 *   lines       tradeoff: ( { name; steps }, ... ): a line per method, a dot per step of it, over
 * all its examples; x and y: "layers" (default), "tokens", "accuracy" (default), "oracle", or a
 * metric of the examples; baseline: a step whose y is subtracted, seed by seed; task, level: only
 * these examples by          parameters whose values make lines (curve, pareto) or panels (routing;
 * also "task", "level"); default: those that differ between the runs where       a condition on
 * parameters and the seed (common/conf/cond.h) band        curve, pareto: "ci" (t interval over
 * seeds, from three on; default), "sd", "range", "none" points      curve: at most so many along
 * the x axis (default 200) title, xlabel, ylabel, log ("", "x", "y", "xy"), experiment
 *
 * The answer: { "version": 1, "plots": [ { "kind", "title", "xlabel", "ylabel", "log", "band",
 *   "series": [ { "name", "points": [ [x, y, low, high, seeds], ... ] } ]                  curve
 *   "series": [ { "name", "x", "xlow", "xhigh", "y", "ylow", "yhigh", "seeds", "best" } ]  pareto
 *   "series": [ { "name", "points": [ { "step", "x", "xlow", "xhigh", "y", ... "seeds" } ] } ]
 *                                                                                        tradeoff
 *   "series": [ { "name", "labels", "layers": [ [skip, execute, repeat], ... ] } ]         routing
 * } ] }. Shares are 0..1; without a band low and high are null; "best": no other series is better
 * in both. */
#ifndef STORE_PLOTS_PLOTS_H
#define STORE_PLOTS_PLOTS_H

#include "common/base/buf.h"
#include "common/base/err.h"

struct store;

/* TEXT is the specification, NAME stands for its file in errors; EXPERIMENT (NULL or "": what the
 * text says, else the one submitted last) replaces the specification's. The document is appended to
 * RET. ERR_INVALID with file:line and the nearest right word; ERR_NOT_FOUND: no such experiment,
 * step or metric, or no results yet. Works on both kinds of connection. */
int plots_make(struct store *s, const char *text, const char *name, const char *experiment,
               struct buf *ret, struct err *err) MUST_CHECK;

#endif
