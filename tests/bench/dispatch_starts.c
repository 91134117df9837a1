/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_starts.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/bench/group_store.h"

struct starts {
    int fd[2];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    double at; /* 0: none yet */
};

/* When LINE was written, in store_seconds(): by its own time, for the reader of a pipe is woken
 * later. NAN: it has none. */
static double written_at(const char *line)
{
    const double now = store_seconds();
    const int64_t wall_us = clock_wall_us();
    struct tm tm = { 0 };
    const char *rest =
        strncmp(line, "ts=", 3) == 0 ? strptime(line + 3, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

    if (!rest || *rest != '.')
        return NAN;
    return now - (double)(wall_us - (int64_t)timegm(&tm) * 1000000) / 1e6 + strtod(rest, NULL);
}

static void *read_lines(void *arg)
{
    struct starts *s = arg;
    FILE *f = fdopen(s->fd[0], "r");
    char line[4096];

    while (f && fgets(line, sizeof line, f)) {
        if (!strstr(line, "event=job_begun"))
            continue;
        const double at = written_at(line);
        pthread_mutex_lock(&s->lock);
        if (s->at <= 0)
            s->at = at;
        pthread_cond_signal(&s->news);
        pthread_mutex_unlock(&s->lock);
    }
    if (f)
        fclose(f);
    return NULL;
}

struct starts *starts_new(void)
{
    struct starts *s = mem_calloc(1, sizeof *s);

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->news, NULL);
    if (pipe2(s->fd, O_CLOEXEC) < 0 || pthread_create(&s->thread, NULL, read_lines, s) != 0) {
        perror("drover-bench: pipe");
        exit(1);
    }
    return s;
}

/* The workers have ended: theirs were the other copies of the pipe's end. */
void starts_free(struct starts *s)
{
    if (!s)
        return;
    close(s->fd[1]);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->news);
    free(s);
}

int starts_fd(const struct starts *s)
{
    return s->fd[1];
}

void starts_expect(struct starts *s)
{
    pthread_mutex_lock(&s->lock);
    s->at = 0;
    pthread_mutex_unlock(&s->lock);
}

double starts_wait(struct starts *s, double seconds)
{
    struct timespec until;
    double at;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)seconds;
    pthread_mutex_lock(&s->lock);
    while (s->at <= 0 && rc == 0)
        rc = pthread_cond_timedwait(&s->news, &s->lock, &until);
    at = s->at > 0 ? s->at : NAN;
    pthread_mutex_unlock(&s->lock);
    return at;
}
