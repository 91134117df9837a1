/* SPDX-License-Identifier: Apache-2.0 */
/* hint.h - what a search need not evaluate, because another one did (docs/adr/0012). */
#ifndef STORE_HINT_H
#define STORE_HINT_H

#include <stddef.h>

#include "store/work.h"

/* What other searches with the same evaluation (submit.h) found for the examples of search job J
 * that it has no result of, appended to RET: one line of canonical JSON per example, in the order
 * of the task's list,
 *   {"id":"16 hex","paths":[["11011",1,"7"],["11101",0,"9"]]}
 * path, reward, answer, sorted by path, each once. Outcomes that contradict each other are left
 * out, and whole examples behind LIMIT bytes. Nothing when nothing is known, which costs one look
 * at an index. */
int store_hint(struct store *s, const struct store_job *j, size_t limit, struct buf *ret,
               struct err *err) MUST_CHECK;

#endif
