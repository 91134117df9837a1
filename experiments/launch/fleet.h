/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.h - what was started and may still run: a folder (mode 700) with the pilots' connection
 * file, scripts and logs, and a list, so that another command can look after them and end them.
 *
 *   slurm JOB PILOTS AT_MS              a job array
 *   local PID BORN AT_MS                a process of this computer; BORN tells it from a later one
 *                                       of the same number (field 22 of /proc/PID/stat)
 *   ssh HOST PID BORN FILE AT_MS        the same there; FILE: its connection file */
#ifndef EXPERIMENTS_LAUNCH_FLEET_H
#define EXPERIMENTS_LAUNCH_FLEET_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { FLEET_HOST_MAX = 256, FLEET_FILE_MAX = 1024, FLEET_ROWS_MAX = 10000 };

enum fleet_kind { FLEET_SLURM, FLEET_LOCAL, FLEET_SSH };
struct fleet_row {
    enum fleet_kind kind;
    uint64_t id;                                     /* job or pid */
    uint64_t born;                                   /* SLURM: pilots */
    char host[FLEET_HOST_MAX], file[FLEET_FILE_MAX]; /* SSH */
    int64_t at_ms;                                   /* wall time of its start */
};
struct fleet {
    struct fleet_row *v;
    size_t len, cap;
};
void fleet_release(struct fleet *f); /* also for CLEANUP */

/* Make the folder. ERR_DENIED: others may write to it. */
int fleet_folder(const char *folder, struct err *err) MUST_CHECK;
/* Read its list; none is an empty one. ERR_INVALID: "FILE:LINE: ...". */
int fleet_load(const char *folder, struct fleet *ret, struct err *err) MUST_CHECK;
/* Append ROW, durable: what is started is known. */
int fleet_add(const char *folder, const struct fleet_row *row, struct err *err) MUST_CHECK;
/* Replace the list. */
int fleet_save(const char *folder, const struct fleet *f, struct err *err) MUST_CHECK;

/* When process PID of this computer was born; 0: it is gone (or a zombie). */
uint64_t fleet_born(uint64_t pid);

#endif
