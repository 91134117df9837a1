/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - one logfmt line per record, written whole under a lock. */
#include "common/base/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/logfmt.h"

enum { LINE_MAX_BYTES = 2048 };

static struct {
    pthread_mutex_t lock;
    char who[64];
    atomic_int level; /* read without the lock */
    log_sink_fn sink;
    void *arg;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .who = "drover", .level = LOG_INFO };

static const char *const level_names[LOG_LEVELS] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

bool log_level_parse(const char *text, enum log_level *ret)
{
    for (int i = 0; i < LOG_LEVELS; i++)
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

void log_init(const char *who, enum log_level level)
{
    assert(level < LOG_LEVELS);
    pthread_mutex_lock(&state.lock);
    (void)snprintf(state.who, sizeof(state.who), "%s", who);
    atomic_store_explicit(&state.level, (int)level, memory_order_relaxed);
    pthread_mutex_unlock(&state.lock);
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

void log_set_sink(log_sink_fn sink, void *arg)
{
    pthread_mutex_lock(&state.lock);
    state.sink = sink;
    state.arg = arg;
    pthread_mutex_unlock(&state.lock);
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_MAX_BYTES], iso[32];
    va_list args;
    size_t len;

    assert(level < LOG_LEVELS);
    if (!log_on(level))
        return;
    pthread_mutex_lock(&state.lock);
    (void)snprintf(line, sizeof(line), "ts=%s level=%s who=%s event=%s ",
                   clock_iso_us(clock_wall_us(), iso), level_names[level], state.who, event);
    len = strlen(line);
    va_start(args, format);
    len += logfmt_vprint(line + len, sizeof(line) - len, format, args);
    va_end(args);
    if (line[len - 1] == ' ')
        line[len - 1] = '\0';
    if (state.sink)
        state.sink(line, state.arg);
    else
        (void)fprintf(stderr, "%s\n", line);
    pthread_mutex_unlock(&state.lock);
}
