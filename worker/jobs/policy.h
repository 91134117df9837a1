/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - which programs a worker runs, and which of its own variables they see. Set up by
 * main() before any thread. */
#ifndef WORKER_JOBS_POLICY_H
#define WORKER_JOBS_POLICY_H

#include <stddef.h>

#include "common/base/err.h"
#include "worker/spawn/spawn.h"

/* The class of exec jobs: only workers that allow programs offer it. */
#define POLICY_CLASS "exec"

enum { POLICY_PROGRAMS_MAX = 256, POLICY_VARIABLES_MAX = 256, POLICY_FILE_MAX = 65536 };

struct policy {
    struct spawner *spawner;
    char *program[POLICY_PROGRAMS_MAX]; /* as given: a name, or an absolute path */
    size_t programs_len;
    char *variable[POLICY_VARIABLES_MAX]; /* names; a last '*' stands for anything */
    size_t variables_len;
};

/* Add LIST: programs parted by commas, or, when it has a '/' at its start and no comma and names a
 * readable file that cannot be executed, the lines of that file ('#' begins a comment).
 * ERR_INVALID: an entry that is neither a plain name nor an absolute path; ERR_LIMIT. */
int policy_allow(struct policy *p, const char *list, struct err *err) MUST_CHECK;
/* Add LIST: variables parted by commas. ERR_INVALID, ERR_LIMIT. */
int policy_pass(struct policy *p, const char *list, struct err *err) MUST_CHECK;
void policy_release(struct policy *p);

/* The absolute path of PROGRAM, a name (looked up in PATH) or an absolute path, in *RET (free()
 * it), when it is on the list: as it is written there, or as the same file. ERR_NOT_FOUND: no such
 * program; ERR_READONLY: it may not be executed; ERR_INVALID: it is not on the list. */
int policy_find(const struct policy *p, const char *program, char **ret,
                struct err *err) MUST_CHECK;
/* Does a program see the worker's variable NAME? A fixed list of harmless ones (PATH, HOME,
 * LANG...) and what was passed. */
bool policy_passes(const struct policy *p, const char *name);

/* What this process allows; NULL (the start): nothing. */
void policy_set(const struct policy *p);
const struct policy *policy_get(void);

#endif
