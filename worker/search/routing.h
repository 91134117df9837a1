/* SPDX-License-Identifier: Apache-2.0 */
/* routing.h - routing configurations: one byte per layer, 0 skip, 1 execute, 2 repeat. Legal ones
 * skip at most 2 layers in a row and execute at least one, so that their length is 1..2L. Lengths,
 * the order of the label rule, legal edits, text, random and counted ones. */
#ifndef WORKER_SEARCH_ROUTING_H
#define WORKER_SEARCH_ROUTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

enum { ROUTING_SKIPS_IN_A_ROW_MAX = 2 };

/* Which edits are tried: CoLa compares them. */
enum routing_edits { EDITS_BOTH, EDITS_SKIP, EDITS_REPEAT };

/* Layer applications. */
size_t routing_length(const uint8_t *routing, size_t layers);
/* Layers that are not executed once. */
size_t routing_changes(const uint8_t *routing, size_t layers);
/* Order of the label rule: <0 when A is the better label (shorter; fewer changes from all ones;
 * lexicographic). */
int routing_compare(const uint8_t *a, const uint8_t *b, size_t layers);

bool routing_legal(const uint8_t *routing, size_t layers);
/* The same with the reason: ERR_INVALID with the path, what is wrong and what is allowed. */
int routing_check(const uint8_t *routing, size_t layers, struct err *err) MUST_CHECK;

/* Every legal single edit of R in a fixed order (skips of one layer, of two, repeats), written to
 * OUT (capacity 3 * layers routings of LAYERS bytes); returns how many. */
size_t routing_children(const uint8_t *r, size_t layers, enum routing_edits edits, uint8_t *out);
/* How many legal routings are at most DEPTH edits from all ones, that one included; stops counting
 * at UINT32_MAX. */
uint64_t routing_count(size_t layers, enum routing_edits edits, size_t depth);

/* Most layers that a legal routing of LAYERS can skip. */
size_t routing_skips_max(size_t layers);
/* A legal routing with that many layers skipped and that many repeated, all such equally likely.
 * ERR_INVALID with the limits when there is none. */
int routing_random(struct rng *rng, size_t layers, size_t skips, size_t repeats, uint8_t *out,
                   struct err *err) MUST_CHECK;

/* "11021..." and back. routing_parse looks at digits and their number only (ERR_INVALID names the
 * position); routing_parse_legal also calls routing_check. */
void routing_print(const uint8_t *r, size_t layers, char *out /* layers + 1 */);
int routing_parse(const char *text, size_t layers, uint8_t *out, struct err *err) MUST_CHECK;
int routing_parse_legal(const char *text, size_t layers, uint8_t *out, struct err *err) MUST_CHECK;

#endif
