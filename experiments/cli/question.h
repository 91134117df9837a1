/* SPDX-License-Identifier: Apache-2.0 */
/* question.h - what to do after Ctrl-C: one question on the terminal. */
#ifndef EXPERIMENTS_CLI_QUESTION_H
#define EXPERIMENTS_CLI_QUESTION_H

#include <stdbool.h>

enum question_answer {
    ANSWER_STOP,   /* stop now, go on later; also when there is no terminal or no answer */
    ANSWER_LEAVE,  /* the experiment goes on without us */
    ANSWER_CANCEL, /* withdraw what is not done */
};

enum { QUESTION_WAIT_MS = 30000 };

/* Ask once on standard error and read a line from standard input. OURS: we started the coordinator
 * (stopping stops it; else it goes on anyway). SIGINT and SIGTERM must be blocked; one that comes
 * while we wait is the answer STOP (and stays pending). */
enum question_answer question_ask(bool ours);
/* The answer that LINE gives; false: none. Pure. */
bool question_read(const char *line, bool ours, enum question_answer *ret);

#endif
