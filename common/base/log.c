/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - one logfmt line per record, written whole under a lock. */
#include "common/base/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

enum { LINE_MAX_BYTES = 2048 };

static struct {
    pthread_mutex_t lock;
    char who[64];
    enum log_level level;
    log_sink_fn sink;
    void *arg;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .who = "drover", .level = LOG_INFO };

static const char *const level_names[LOG_LEVELS] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

void log_init(const char *who, enum log_level level)
{
    assert(level < LOG_LEVELS);
    pthread_mutex_lock(&state.lock);
    (void)snprintf(state.who, sizeof(state.who), "%s", who);
    state.level = level;
    pthread_mutex_unlock(&state.lock);
}

void log_set_sink(log_sink_fn sink, void *arg)
{
    pthread_mutex_lock(&state.lock);
    state.sink = sink;
    state.arg = arg;
    pthread_mutex_unlock(&state.lock);
}

/* A record is one line whatever its values hold. */
static void flatten(char *line)
{
    for (; *line; line++)
        if (*line == '\n' || *line == '\r')
            *line = ' ';
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_MAX_BYTES], iso[32];
    va_list args;
    size_t len;

    assert(level < LOG_LEVELS);
    pthread_mutex_lock(&state.lock);
    if (level <= state.level) {
        (void)snprintf(line, sizeof(line), "ts=%s level=%s who=%s event=%s ",
                       clock_iso(clock_wall_ms(), iso), level_names[level], state.who, event);
        len = strlen(line);
        va_start(args, format);
        (void)vsnprintf(line + len, sizeof(line) - len, format, args);
        va_end(args);
        flatten(line);
        len = strlen(line);
        if (line[len - 1] == ' ')
            line[len - 1] = '\0';
        if (state.sink)
            state.sink(line, state.arg);
        else
            (void)fprintf(stderr, "%s\n", line);
    }
    pthread_mutex_unlock(&state.lock);
}
