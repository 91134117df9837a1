/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/question.h"

#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/macros.h"

static const struct {
    const char *word;
    enum question_answer answer;
    bool ours_only;
} answers[] = { { "stop", ANSWER_STOP, true },
                { "leave", ANSWER_LEAVE, false },
                { "cancel", ANSWER_CANCEL, false } };

bool question_read(const char *line, bool ours, enum question_answer *ret)
{
    size_t len;

    while (isspace((unsigned char)*line))
        line++;
    len = strcspn(line, " \t\r\n");
    if (len == 0) {
        *ret = ours ? ANSWER_STOP : ANSWER_LEAVE;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (len <= strlen(answers[i].word) && strncasecmp(line, answers[i].word, len) == 0 &&
            (ours || !answers[i].ours_only)) {
            *ret = answers[i].answer;
            return true;
        }
    return false;
}

static bool signalled(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

/* A line from the terminal; false: none came in time. */
static bool read_line(char *out, size_t size)
{
    const uint64_t until = clock_ms() + QUESTION_WAIT_MS;
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

    while (clock_ms() < until && !signalled()) {
        if (poll(&in, 1, 100) <= 0)
            continue;
        ssize_t n = read(STDIN_FILENO, out, size - 1);
        if (n <= 0)
            return false;
        out[n] = '\0';
        return true;
    }
    return false;
}

enum question_answer question_ask(bool ours)
{
    enum question_answer answer = ours ? ANSWER_STOP : ANSWER_LEAVE;
    char line[80];

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return ANSWER_STOP;
    for (;;) {
        fputs(ours ? "\nstop (s) and go on later, leave (l) it running in the background, or "
                     "cancel (c) the experiment? [s] "
                   : "\nleave (l) it running, or cancel (c) the experiment? [l] ",
              stderr);
        fflush(stderr);
        if (!read_line(line, sizeof(line))) {
            fputc('\n', stderr);
            return answer;
        }
        if (question_read(line, ours, &answer))
            return answer;
    }
}
