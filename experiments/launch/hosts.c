/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/launch/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "experiments/launch/program.h"

enum { MOMENT_MS = 300, LOOK_MS = 20 };

/* ---- this computer ---- */

static int open_log(const struct pilots *p, unsigned number, struct buf *path, struct err *err)
{
    int fd;

    buf_printf(path, "%s/local-%u.log", p->folder, number);
    fd = open(buf_str(path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : err_errno(err, errno, "open %s", buf_str(path));
}

/* In the new process. */
static void become_pilot(const char *command, int log)
{
    int null = open("/dev/null", O_RDONLY);

    (void)setsid();
    if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* Did it survive its first moment? */
static int watch(pid_t pid, const char *log, struct err *err)
{
    int status = 0;

    for (int waited = 0; waited < MOMENT_MS; waited += LOOK_MS) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return err_set(err, ERR_IO, "a worker ended at once (exit code %d); its log is %s",
                           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), log);
        (void)usleep(LOOK_MS * 1000);
    }
    return 0;
}

int hosts_start_local(const struct pilots *p, unsigned number, struct fleet_row *ret,
                      struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct buf options CLEANUP(buf_release) = { 0 };
    struct buf command CLEANUP(buf_release) = { 0 };
    int log = open_log(p, number, &path, err), rc;
    pid_t pid;

    if (log < 0)
        return log;
    pilots_options(p, &options);
    buf_printf(&command, "DROVER_GRACE_S=%u exec %s ", p->grace_s,
               p->container ? p->container : "");
    pilots_quote(p->worker, &command);
    buf_adds(&command, " --connect ");
    pilots_quote(p->connect, &command);
    buf_printf(&command, " --name %s-%u %s", p->name, number, buf_str(&options));
    pid = fork();
    if (pid == 0)
        become_pilot(buf_str(&command), log);
    (void)close(log);
    if (pid < 0)
        return err_errno(err, errno, "start a worker");
    *ret = (struct fleet_row){ .kind = FLEET_LOCAL, .id = (uint64_t)pid, .at_ms = clock_wall_ms() };
    rc = watch(pid, buf_str(&path), err);
    ret->born = fleet_born(ret->id);
    return rc;
}

/* ---- others ---- */

void hosts_ssh_script(const struct pilots *p, const char *connection, struct buf *out)
{
    struct buf options CLEANUP(buf_release) = { 0 };

    pilots_options(p, &options);
    buf_adds(out, "set -e\numask 077\ndir=${XDG_STATE_HOME:-$HOME/.local/state}/drover\n"
                  "mkdir -p \"$dir\"\nfile=$(mktemp \"$dir/pilot-XXXXXX\")\n"
                  "cat >\"$file\" <<'END-OF-CONNECTION'\n");
    buf_adds(out, connection);
    buf_printf(out,
               "END-OF-CONNECTION\nDROVER_GRACE_S=%u\nexport DROVER_GRACE_S\n"
               "setsid %s ",
               p->grace_s, p->container ? p->container : "");
    pilots_quote(p->worker, out);
    buf_printf(out,
               " --connect \"$file\" --name %s-\"$(hostname)-$$\" %s </dev/null "
               ">>\"$file.log\" 2>&1 &\npid=$!\nsleep 0.5\n"
               "if ! kill -0 \"$pid\" 2>/dev/null; then tail -n 3 \"$file.log\" >&2; rm -f "
               "\"$file\"; exit 1; fi\n"
               "born=$(sed 's/.*) //' \"/proc/$pid/stat\" | cut -d ' ' -f 20)\n"
               "echo \"pilot $pid $born $file\"\n",
               p->name, buf_str(&options));
}

/* SCRIPT by sh on HOST. */
static int over_there(const char *host, const struct buf *script, struct program_end *e,
                      struct err *err)
{
    const char *const argv[] = {
        "ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "--", host, "sh", "-s", NULL
    };
    int rc = program_run(argv, script->data, script->len, HOSTS_SSH_MS, e, err);

    if (rc == 0 && e->code == 255)
        return err_set(err, ERR_IO, "ssh %s: %.*s", host, (int)strcspn(buf_str(&e->err), "\n"),
                       buf_str(&e->err));
    return rc;
}

int hosts_start_ssh(const struct pilots *p, const char *host, const char *connection,
                    struct fleet_row *ret, struct err *err)
{
    struct program_end e CLEANUP(program_release) = { .code = 0 };
    struct buf script CLEANUP(buf_release) = { 0 };
    const char *at;
    int rc;

    if (!*host || *host == '-' || strpbrk(host, " \t\n") || strlen(host) >= FLEET_HOST_MAX)
        return err_set(err, ERR_INVALID, "\"%.60s\" is no host", host);
    hosts_ssh_script(p, connection, &script);
    rc = over_there(host, &script, &e, err);
    if (rc < 0)
        return rc;
    at = strstr(buf_str(&e.out), "pilot ");
    *ret = (struct fleet_row){ .kind = FLEET_SSH, .at_ms = clock_wall_ms() };
    (void)snprintf(ret->host, sizeof(ret->host), "%s", host);
    if (e.code || !at ||
        sscanf(at, "pilot %" SCNu64 " %" SCNu64 " %1023s", &ret->id, &ret->born, ret->file) != 3)
        return err_set(err, ERR_IO, "%s: the worker did not start: %.300s", host,
                       e.err.len ? buf_str(&e.err) : buf_str(&e.out));
    return 0;
}

/* ---- later ---- */

/* On HOST: "if it is still that process, COMMAND". */
static int if_alive(const struct fleet_row *row, const char *command, int *ret_code,
                    struct err *err)
{
    struct program_end e CLEANUP(program_release) = { .code = 0 };
    struct buf script CLEANUP(buf_release) = { 0 };
    int rc;

    buf_printf(&script,
               "born=$(sed 's/.*) //' /proc/%" PRIu64 "/stat 2>/dev/null | cut -d ' ' -f 20)\n"
               "[ \"$born\" = %" PRIu64 " ] || exit 3\n%s\n",
               row->id, row->born, command);
    rc = over_there(row->host, &script, &e, err);
    *ret_code = e.code;
    return rc;
}

int hosts_running(const struct fleet_row *row, struct err *err)
{
    int code, rc;

    if (row->kind == FLEET_LOCAL)
        return fleet_born(row->id) == row->born && row->born != 0;
    rc = if_alive(row, "exit 0", &code, err);
    return rc < 0 ? rc : code == 0;
}

int hosts_signal(const struct fleet_row *row, int signal, struct err *err)
{
    char command[64];
    int code;

    if (row->kind == FLEET_LOCAL) {
        if (fleet_born(row->id) == row->born && kill((pid_t)row->id, signal) < 0 && errno != ESRCH)
            return err_errno(err, errno, "end process %" PRIu64, row->id);
        return 0;
    }
    (void)snprintf(command, sizeof(command), "kill -%d %" PRIu64, signal, row->id);
    return if_alive(row, command, &code, err);
}

int hosts_clean(const struct fleet_row *row, struct err *err)
{
    struct program_end e CLEANUP(program_release) = { .code = 0 };
    struct buf script CLEANUP(buf_release) = { 0 };

    if (row->kind != FLEET_SSH)
        return 0;
    buf_adds(&script, "rm -f ");
    pilots_quote(row->file, &script);
    buf_adds(&script, "\n");
    return over_there(row->host, &script, &e, err);
}
