/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - ids of examples and the synthetic tasks' source: inside common/tasks only. */
#ifndef COMMON_TASKS_SOURCE_H
#define COMMON_TASKS_SOURCE_H

#include "common/tasks/task.h"

/* An example's id: 64-bit BLAKE2b of (task, version, canonical record). */
uint64_t example_id(const struct task_spec *t, const char *record);
/* 80/10/10 by the id. */
enum split example_split(uint64_t id);

/* synthetic.c: distinct draws of a generator, in the order of a stream of their own. */
struct synthetic;
struct synthetic *synthetic_new(const struct task_spec *t, int level, enum split split);
void synthetic_free(struct synthetic *s);
uint64_t synthetic_count(struct synthetic *s);
int synthetic_get(struct synthetic *s, uint64_t index, struct example *ret,
                  struct err *err) MUST_CHECK;

#endif
