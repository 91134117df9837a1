/* SPDX-License-Identifier: Apache-2.0 */
/* pilots.h - workers to be started somewhere: what is wanted of them, and the texts that start
 * them. Pure.
 *
 * A pilot is a worker that a batch system, ssh or this computer starts: it fetches its work from
 * the coordinator, so thousands of short jobs cost a cluster one job per pilot. */
#ifndef EXPERIMENTS_LAUNCH_PILOTS_H
#define EXPERIMENTS_LAUNCH_PILOTS_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum {
    PILOTS_MAX = 100000,
    PILOTS_LABELS_MAX = 32,
    PILOTS_ARGS_MAX = 32, /* options of people's own, for sbatch */
    /* Slurm's default MaxArraySize is 1001: indices 0..1000. */
    PILOTS_CHUNK = 1000,
};

struct pilots {
    unsigned workers;        /* how many, 1..PILOTS_MAX */
    unsigned slots, threads; /* of each; 0: as the worker chooses (one slot, all cores) */
    unsigned idle_s;         /* leaves after so long without work; 0: never */
    unsigned grace_s;        /* from the request to leave to the kill */
    const char *name;        /* of the batch job, and the beginning of the workers' names */
    const char *worker;      /* program */
    const char *connect;     /* connection file, as the pilots see it */
    const char *folder;      /* of scripts and logs */
    const char *container;   /* words before the program ("apptainer exec image.sif"); NULL */
    const char *label[PILOTS_LABELS_MAX];
    size_t labels;
    const char *worker_option[PILOTS_ARGS_MAX]; /* further words for the worker */
    size_t worker_options;
    /* Slurm: */
    const char *time, *partition, *account, *qos, *memory, *gres, *constraint; /* NULL: not said */
    unsigned array_limit;                /* at most so many of an array at a time; 0: all */
    const char *sbatch[PILOTS_ARGS_MAX]; /* further options */
    size_t sbatch_len;
};

/* ERR_INVALID: which value is wrong, and what it may be. */
int pilots_check(const struct pilots *p, struct err *err) MUST_CHECK;

/* The script that a batch job runs when nobody gives another one. Words in double braces are
 * replaced: name, worker, connect, grace, container, options. */
extern const char pilots_template[];
/* TEMPLATE with the values, quoted for sh, in OUT. ERR_INVALID: an unknown word, with its line. */
int pilots_script(const struct pilots *p, const char *template, struct buf *out,
                  struct err *err) MUST_CHECK;
/* S quoted for sh. */
void pilots_quote(const char *s, struct buf *out);
/* The worker's options: "--slots 4 --threads 1 --idle-exit 300 ...", quoted for sh. */
void pilots_options(const struct pilots *p, struct buf *out);

/* Arguments of sbatch for pilots FIRST .. FIRST + LEN - 1 of an array, ended by NULL; texts are in
 * WORDS, which must outlive them. SCRIPT is the last one. */
struct pilots_words {
    struct buf text;
    size_t at[64 + PILOTS_ARGS_MAX]; /* of each in TEXT */
    const char *v[64 + PILOTS_ARGS_MAX];
    size_t len;
};
void pilots_sbatch(const struct pilots *p, unsigned len, const char *script,
                   struct pilots_words *words);
void pilots_words_release(struct pilots_words *words);

/* How many arrays N pilots take. */
unsigned pilots_chunks(unsigned n);

#endif
