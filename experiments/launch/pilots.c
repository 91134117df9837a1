/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/launch/pilots.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"

enum { SLOTS_MAX = 128, THREADS_MAX = 256, GRACE_MAX_S = 3600 };

const char pilots_template[] =
    "#!/bin/sh\n"
    "# A pilot: a worker of drover that takes its jobs from the coordinator of the connection\n"
    "# file. Lines of your own (module load, #SBATCH options) may be added; keep the exec, by "
    "which\n"
    "# the worker gets the signals of the batch system.\n"
    "export DROVER_CONNECT={{connect}} DROVER_GRACE_S={{grace}}\n"
    "# When the allocation ends, for a Slurm that does not say it by itself.\n"
    "if [ -n \"${SLURM_JOB_ID:-}\" ] && [ -z \"${SLURM_JOB_END_TIME:-}\" ]; then\n"
    "    end=$(squeue --noheader --jobs \"$SLURM_JOB_ID\" --format %e 2>/dev/null) || end=\n"
    "    case $end in [0-9]*) DROVER_END_TIME=$(date -d \"$end\" +%s) && export DROVER_END_TIME ;; "
    "esac\n"
    "fi\n"
    "exec {{container}} {{worker}} --name "
    "{{name}}-\"${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID:-$$}}-${SLURM_ARRAY_TASK_ID:-0}\" "
    "{{options}}\n";

/* Words that reach sbatch and scripts: nothing that could be taken for an option or a line. */
static int check_word(const char *what, const char *s, struct err *err)
{
    if (s && (!*s || *s == '-' || strpbrk(s, "\n\r")))
        return err_set(err, ERR_INVALID, "--%s \"%.40s\": a word is needed", what, s);
    return 0;
}

static int check_time(const char *s, struct err *err)
{
    if (s && (!*s || s[strspn(s, "0123456789:-")] != '\0'))
        return err_set(err, ERR_INVALID,
                       "--time %.40s: minutes, HH:MM:SS or DAYS-HH:MM:SS are needed", s);
    return 0;
}

int pilots_check(const struct pilots *p, struct err *err)
{
    const struct {
        const char *what, *word;
    } words[] = { { "partition", p->partition },  { "account", p->account }, { "qos", p->qos },
                  { "memory", p->memory },        { "gres", p->gres },       { "name", p->name },
                  { "constraint", p->constraint } };
    int rc = check_time(p->time, err);

    if (p->workers < 1 || p->workers > PILOTS_MAX)
        return err_set(err, ERR_INVALID, "--workers %u: 1 to %d are possible", p->workers,
                       PILOTS_MAX);
    if (p->slots > SLOTS_MAX || p->threads > THREADS_MAX)
        return err_set(err, ERR_INVALID, "--slots %u --threads %u: at most %d and %d", p->slots,
                       p->threads, SLOTS_MAX, THREADS_MAX);
    if (p->grace_s < 1 || p->grace_s > GRACE_MAX_S)
        return err_set(err, ERR_INVALID, "--grace %u: 1 to %d seconds", p->grace_s, GRACE_MAX_S);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(words); i++)
        rc = check_word(words[i].what, words[i].word, err);
    if (rc == 0 && p->name &&
        p->name[strspn(p->name,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
        rc = err_set(err, ERR_INVALID, "--name %.40s: letters, digits and . _ - are needed",
                     p->name);
    return rc;
}

/* ---- texts for sh ---- */

void pilots_quote(const char *s, struct buf *out)
{
    if (*s &&
        !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-")]) {
        buf_adds(out, s);
        return;
    }
    buf_adds(out, "'");
    for (; *s; s++) {
        if (*s == '\'')
            buf_adds(out, "'\\''");
        else
            buf_add(out, s, 1);
    }
    buf_adds(out, "'");
}

static void add_option(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s--%s ", out->len ? " " : "", name);
    pilots_quote(value, out);
}

static void add_number(struct buf *out, const char *name, unsigned value)
{
    if (value)
        buf_printf(out, "%s--%s %u", out->len ? " " : "", name, value);
}

void pilots_options(const struct pilots *p, struct buf *out)
{
    add_number(out, "slots", p->slots);
    add_number(out, "threads", p->threads);
    add_number(out, "idle-exit", p->idle_s);
    for (size_t i = 0; i < p->labels; i++)
        add_option(out, "label", p->label[i]);
    for (size_t i = 0; i < p->worker_options; i++) {
        if (out->len)
            buf_adds(out, " ");
        pilots_quote(p->worker_option[i], out);
    }
}

/* The value of the word NAME of LEN bytes; false: there is no such word. */
static bool add_value(const struct pilots *p, const char *name, size_t len, struct buf *out)
{
    struct buf options CLEANUP(buf_release) = { 0 };
#define IS(WORD) (len == sizeof(WORD) - 1 && memcmp(name, WORD, len) == 0)

    if (IS("name"))
        pilots_quote(p->name, out);
    else if (IS("worker"))
        pilots_quote(p->worker, out);
    else if (IS("connect"))
        pilots_quote(p->connect, out);
    else if (IS("grace"))
        buf_printf(out, "%u", p->grace_s);
    else if (IS("container"))
        buf_adds(out, p->container ? p->container : ""); /* words, as the user wrote them */
    else if (IS("options")) {
        pilots_options(p, &options);
        buf_adds(out, buf_str(&options));
    } else
        return false;
#undef IS
    return true;
}

int pilots_script(const struct pilots *p, const char *template, struct buf *out, struct err *err)
{
    unsigned line = 1;

    for (const char *at = template; *at;) {
        const char *end = strncmp(at, "{{", 2) == 0 ? strstr(at, "}}") : NULL;

        if (end) {
            if (!add_value(p, at + 2, (size_t)(end - at) - 2, out))
                return err_set(err, ERR_INVALID,
                               "line %u of the template: {{%.*s}} is no word; there are name, "
                               "worker, connect, grace, container and options",
                               line, (int)MIN(end - at - 2, 40), at + 2);
            at = end + 2;
            continue;
        }
        line += *at == '\n';
        buf_add(out, at++, 1);
    }
    if (!strstr(template, "{{worker}}"))
        return err_set(err, ERR_INVALID, "the template never says {{worker}}: it starts no worker");
    return 0;
}

/* ---- sbatch ---- */

unsigned pilots_chunks(unsigned n)
{
    return (n + PILOTS_CHUNK - 1) / PILOTS_CHUNK;
}

static void word(struct pilots_words *w, const char *name, const char *value)
{
    if (!value)
        return;
    assert(w->len < ARRAY_LEN(w->v) - 1);
    w->at[w->len++] = w->text.len;
    if (name)
        buf_printf(&w->text, "--%s=%s", name, value);
    else
        buf_adds(&w->text, value);
    buf_add(&w->text, "", 1);
}

void pilots_sbatch(const struct pilots *p, unsigned len, const char *script, struct pilots_words *w)
{
    char text[64];

    *w = (struct pilots_words){ .len = 0 };
    word(w, NULL, "sbatch");
    word(w, NULL, "--parsable");
    word(w, NULL, "--requeue");
    word(w, "job-name", p->name);
    (void)snprintf(text, sizeof(text), p->array_limit ? "0-%u%%%u" : "0-%u", len - 1,
                   p->array_limit);
    word(w, "array", text);
    (void)snprintf(text, sizeof(text), "B:USR1@%u", p->grace_s);
    word(w, "signal", text); /* to the batch shell, which is the worker by then */
    word(w, "nodes", "1");
    word(w, "ntasks", "1");
    (void)snprintf(text, sizeof(text), "%u", MAX(p->slots, 1u) * MAX(p->threads, 1u));
    word(w, "cpus-per-task", text);
    word(w, "time", p->time);
    word(w, "partition", p->partition);
    word(w, "account", p->account);
    word(w, "qos", p->qos);
    word(w, "mem", p->memory);
    word(w, "gres", p->gres);
    word(w, "constraint", p->constraint);
    struct buf output CLEANUP(buf_release) = { 0 };
    buf_printf(&output, "%s/%%A_%%a.log", p->folder);
    word(w, "output", buf_str(&output));
    word(w, "open-mode", "append");
    for (size_t i = 0; i < p->sbatch_len; i++)
        word(w, NULL, p->sbatch[i]);
    word(w, NULL, script);
    for (size_t i = 0; i < w->len; i++)
        w->v[i] = w->text.data + w->at[i];
    w->v[w->len] = NULL;
}

void pilots_words_release(struct pilots_words *w)
{
    buf_release(&w->text);
    w->len = 0;
}
