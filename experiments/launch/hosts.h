/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.h - pilots as plain processes: of this computer, or of others by ssh. They outlive the
 * command that starts them; fleet.h remembers them. */
#ifndef EXPERIMENTS_LAUNCH_HOSTS_H
#define EXPERIMENTS_LAUNCH_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "experiments/launch/fleet.h"
#include "experiments/launch/pilots.h"

enum { HOSTS_SSH_MS = 60000 };

/* Start pilot NUMBER here: a session of its own, output appended to FOLDER/local-NUMBER.log. *RET
 * is its row. ERR_NOT_FOUND: no such program; ERR_IO with its last words when it ended within a
 * moment. */
int hosts_start_local(const struct pilots *p, unsigned number, struct fleet_row *ret,
                      struct err *err) MUST_CHECK;

/* Start a pilot on HOST ("user@name", as ssh takes it), which has the program P->worker (a name is
 * looked up in PATH there). CONNECTION is the connection file's text: it travels through ssh's
 * standard input into a file of mode 600 there, never over a command line. ERR_DENIED, ERR_IO: what
 * ssh or the other side says. */
int hosts_start_ssh(const struct pilots *p, const char *host, const char *connection,
                    struct fleet_row *ret, struct err *err) MUST_CHECK;
/* The script that does it there, for --dry-run; WITH the connection or without. */
void hosts_ssh_script(const struct pilots *p, const char *connection, struct buf *out);

/* Does the process of ROW (LOCAL or SSH) still run? 1, 0, or an error of ssh. */
int hosts_running(const struct fleet_row *row, struct err *err) MUST_CHECK;
/* Send SIGNAL, if it is still that process. */
int hosts_signal(const struct fleet_row *row, int signal, struct err *err) MUST_CHECK;
/* SSH: take its connection file away. */
int hosts_clean(const struct fleet_row *row, struct err *err) MUST_CHECK;

#endif
