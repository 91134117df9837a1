/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - the paths that searches of several examples in lockstep evaluated, as a text file: "#"
 * begins a comment; "layers N", "examples N"; then "round" begins a round and a line "EXAMPLE
 * PATH.." holds what one example's search asked for in it. */
#ifndef TESTS_BENCH_TRACE_H
#define TESTS_BENCH_TRACE_H

#include "worker/jobs/evaluator.h"
#include "worker/search/search.h"

struct trace {
    size_t layers, examples;
    struct evaluation *path; /* [len], in order; routings are the trace's memory */
    size_t len;
    size_t *round; /* [rounds + 1]: where its paths begin */
    size_t rounds;
    uint8_t *memory;
};

/* Ends the program with a message when FILE is not such a file. */
void trace_read(struct trace *t, const char *file);
void trace_release(struct trace *t);
/* Edits per path: the fewest actions (a skip of one or two layers, a repeat) that lead to it. */
double trace_edits(const struct trace *t);
/* Layers per path that are not executed once. */
double trace_changes(const struct trace *t);

/* Search the N examples of X in lockstep with P and evaluator E. Returns the simulations. */
size_t trace_search(const struct search_params *p, struct evaluator *e,
                    const struct example *const *x, size_t n, size_t layers);
/* The same, and what they ask is written to FILE behind the lines COMMENT. */
size_t trace_record(const char *file, const char *comment, const struct search_params *p,
                    struct evaluator *e, const struct example *const *x, size_t n, size_t layers);

#endif
