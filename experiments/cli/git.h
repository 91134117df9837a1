/* SPDX-License-Identifier: Apache-2.0 */
/* git.h - in which state was the recipe when it was submitted? */
#ifndef EXPERIMENTS_CLI_GIT_H
#define EXPERIMENTS_CLI_GIT_H

#include <stddef.h>

enum { GIT_STATE_MAX = 256 };

/* "COMMIT BRANCH clean|changed" of the repository that FOLDER is in, in OUT, which is returned;
 * changed: something below FOLDER differs from the commit, or is not in it. "" when it is in none,
 * when there is no git, or when git has no answer within two seconds. Starts the program git, which
 * writes nothing. */
const char *cli_git_state(const char *folder, char out[GIT_STATE_MAX]);

#endif
