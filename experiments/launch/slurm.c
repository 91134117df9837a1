/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/launch/slurm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/base/macros.h"
#include "experiments/launch/program.h"

#define SLURM_QUEUE_FORMAT "--Format=JobArrayID:|,State:|,exit_code:|,Reason:|"

/* ---- texts ---- */

static bool among(const char *word, size_t len, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == len && memcmp(*words, word, len) == 0)
            return true;
    return false;
}

/* The next field of LINE, without blanks around it; they end at a bar. */
static const char *field(const char **at, const char *end, size_t *ret_len)
{
    const char *begin = *at;
    const char *bar = begin < end ? memchr(begin, '|', (size_t)(end - begin)) : NULL;
    const char *over = bar ? bar : end;

    *at = bar ? bar + 1 : end;
    while (begin < over && *begin == ' ')
        begin++;
    while (over > begin && over[-1] == ' ')
        over--;
    *ret_len = (size_t)(over - begin);
    return begin;
}

/* Work was cut off, as a pilot says by its exit code: "19200" as wait(2) has it, or "75:0". */
static bool was_cut(const char *code, size_t len)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.*s", (int)MIN(len, sizeof(text) - 1), code);
    return strtoul(text, NULL, 10) == (unsigned long)EX_TEMPFAIL << 8 || strcmp(text, "75:0") == 0;
}

static void count_line(const char *line, size_t len, struct slurm_counts *ret)
{
    static const char *const pending[] = { "PENDING",       "CONFIGURING",
                                           "REQUEUED",      "REQUEUE_HOLD",
                                           "RESV_DEL_HOLD", "REQUEUE_FED",
                                           "SPECIAL_EXIT",  NULL };
    static const char *const done[] = { "COMPLETED", "CANCELLED", "TIMEOUT",
                                        "PREEMPTED", "REVOKED",   NULL };
    static const char *const failed[] = { "FAILED",    "OUT_OF_MEMORY", "BOOT_FAIL",
                                          "NODE_FAIL", "DEADLINE",      NULL };
    const char *at = line, *end = line + len;
    size_t id_len, n, code_len, reason_len;
    (void)field(&at, end, &id_len);
    if (at == end)
        return;
    const char *state = field(&at, end, &n), *code = field(&at, end, &code_len),
               *reason = field(&at, end, &reason_len);

    if (among(state, n, pending)) {
        ret->pending++;
        if (reason_len && !ret->any_reason) {
            ret->any_reason = true;
            (void)snprintf(ret->reason, sizeof(ret->reason), "%.*s", (int)reason_len, reason);
        }
    } else if (among(state, n, done) || (among(state, n, failed) && was_cut(code, code_len)))
        ret->done++;
    else if (among(state, n, failed))
        ret->failed++;
    else
        ret->running++; /* RUNNING, COMPLETING, SUSPENDED, STOPPED, SIGNALING... */
}

void slurm_parse_queue(const char *text, struct slurm_counts *ret)
{
    *ret = (struct slurm_counts){ .reason = "" };
    while (*text) {
        size_t len = strcspn(text, "\n");

        count_line(text, len, ret);
        text += len + (text[len] == '\n');
    }
}

uint64_t slurm_parse_id(const char *text)
{
    char *end;

    if (*text < '1' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    return errno == 0 && (*end == '\n' || *end == ';' || *end == '\0') ? v : 0;
}

/* "1,2,3" */
static void list_jobs(const uint64_t *jobs, size_t len, const char *before, struct buf *out)
{
    buf_adds(out, before);
    for (size_t i = 0; i < len; i++)
        buf_printf(out, "%s%" PRIu64, i ? "," : "", jobs[i]);
}

/* ---- commands ---- */

int slurm_present(struct err *err)
{
    static const char *const argv[] = { "sbatch", "--version", NULL };
    struct program_end e CLEANUP(program_release) = { .code = 0 };
    int rc = program_run(argv, NULL, 0, SLURM_TIME_MS, &e, err);

    if (rc == ERR_NOT_FOUND)
        return err_set(err, rc,
                       "no sbatch on this computer: drover launch slurm wants a login node of a "
                       "Slurm cluster; drover launch local and drover launch ssh do without");
    return rc == 0 && e.code ? program_failed("sbatch --version", &e, err) : rc;
}

int slurm_submit(const struct pilots *p, unsigned len, const char *script, uint64_t *ret_job,
                 struct err *err)
{
    struct program_end e CLEANUP(program_release) = { .code = 0 };
    struct pilots_words words CLEANUP(pilots_words_release) = { .len = 0 };
    int rc;

    pilots_sbatch(p, len, script, &words);
    rc = program_run(words.v, NULL, 0, SLURM_TIME_MS, &e, err);
    if (rc == 0 && e.code)
        rc = program_failed("sbatch", &e, err);
    if (rc < 0)
        return rc;
    *ret_job = slurm_parse_id(buf_str(&e.out));
    if (*ret_job == 0)
        return err_set(err, ERR_INVALID, "sbatch answers \"%.60s\", which is no job's number",
                       buf_str(&e.out));
    return 0;
}

int slurm_look(const uint64_t *jobs, size_t len, struct slurm_counts *ret, struct err *err)
{
    struct program_end e CLEANUP(program_release) = { .code = 0 };
    struct buf list CLEANUP(buf_release) = { 0 };
    const char *argv[] = { "squeue",           "--noheader", "--array", "--states=all",
                           SLURM_QUEUE_FORMAT, NULL,         NULL };
    int rc;

    *ret = (struct slurm_counts){ .reason = "" };
    if (len == 0)
        return 0;
    list_jobs(jobs, MIN(len, (size_t)SLURM_JOBS_MAX), "--jobs=", &list);
    argv[5] = buf_str(&list);
    rc = program_run(argv, NULL, 0, SLURM_TIME_MS, &e, err);
    if (rc < 0)
        return rc;
    if (e.code && !strstr(buf_str(&e.err), "Invalid job id"))
        return program_failed("squeue", &e, err);
    slurm_parse_queue(buf_str(&e.out), ret);
    return 0;
}

/* scancel OPTIONS JOBS */
static int scancel(const char *const *options, const uint64_t *jobs, size_t len, struct err *err)
{
    const char *argv[SLURM_JOBS_MAX + 8] = { "scancel" };
    struct program_end e CLEANUP(program_release) = { .code = 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    size_t at[SLURM_JOBS_MAX], n = 1;
    int rc;

    for (; *options; options++)
        argv[n++] = *options;
    for (size_t i = 0; i < len; i++) {
        at[i] = text.len;
        buf_printf(&text, "%" PRIu64, jobs[i]);
        buf_add(&text, "", 1);
    }
    for (size_t i = 0; i < len; i++)
        argv[n++] = text.data + at[i];
    argv[n] = NULL;
    rc = program_run(argv, NULL, 0, SLURM_TIME_MS, &e, err);
    /* That some have ended, or are in another state, is no failure: squeue tells what is left. */
    if (rc == 0 && e.code &&
        (strstr(buf_str(&e.err), "contact") || strstr(buf_str(&e.err), "denied")))
        rc = program_failed("scancel", &e, err);
    return rc;
}

int slurm_cancel(const uint64_t *jobs, size_t len, enum slurm_cancel how, struct err *err)
{
    static const char *const pending[] = { "--state=PENDING", NULL };
    static const char *const ask[] = { "--state=RUNNING", "--signal=USR1", "--batch", NULL };
    static const char *const killed[] = { "--signal=KILL", "--full", NULL };
    static const char *const all[] = { NULL };
    int rc;

    len = MIN(len, (size_t)SLURM_JOBS_MAX);
    if (len == 0)
        return 0;
    rc = scancel(pending, jobs, len, err);
    if (rc == 0 && how == SLURM_ASK)
        rc = scancel(ask, jobs, len, err);
    if (rc == 0 && how == SLURM_KILL) {
        rc = scancel(killed, jobs, len, err);
        if (rc == 0)
            rc = scancel(all, jobs, len, err);
    }
    return rc;
}
