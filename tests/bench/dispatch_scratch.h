/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_scratch.h - a folder for the files of a measurement, which can be gigabytes: it goes
 * when the bench ends, however it ends. */
#ifndef TESTS_BENCH_DISPATCH_SCRATCH_H
#define TESTS_BENCH_DISPATCH_SCRATCH_H

#include <stdbool.h>
#include <sys/types.h>

struct scratch {
    char dir[256];
    pid_t janitor; /* a child that waits for the end of the pipe and removes the folder */
    int alive;
};

/* In TMPDIR, else /tmp. False: it cannot be made. */
bool scratch_open(struct scratch *s);
void scratch_close(struct scratch *s); /* the programs that use it have ended */

#endif
