/* SPDX-License-Identifier: Apache-2.0 */
/* operate.h - what the commands for running coordinators share. */
#ifndef EXPERIMENTS_CLI_OPERATE_H
#define EXPERIMENTS_CLI_OPERATE_H

#include "common/base/json.h"
#include "common/wire/wire.h"
#include "experiments/cli/cli.h"
#include "store/store.h"

/* The coordinator: of --coordinator, or the one that has the store. ERR_NOT_FOUND: none runs. */
int operate_endpoint(const struct options *o, char endpoint[STORE_ENDPOINT_MAX],
                     struct err *err) MUST_CHECK;
/* Its workers: a Status without experiments. */
int operate_workers(const char *endpoint, Drover__Envelope **ret, struct err *err) MUST_CHECK;

struct json *operate_worker_json(const Drover__WorkerStatus *w) MUST_CHECK;

/* ---- pictures that are drawn again and again ---- */

/* A screen for lines that replace each other on a terminal. Standard input is read key by key when
 * it is a terminal; as it was after screen_free(). */
struct screen;
struct screen *screen_new(void);
void screen_free(struct screen *s);       /* NULL is fine */
bool screen_live(const struct screen *s); /* standard output is a terminal */
size_t screen_lines(const struct screen *s);
size_t screen_columns(const struct screen *s);
/* TEXT, lines that end in \n, in place of the one before; as much of it as the screen holds. */
void screen_draw(struct screen *s, const char *text);
/* Wait; false: the user pressed q, Ctrl-C, or asked to end by a signal. */
bool screen_wait(struct screen *s, unsigned ms);

#endif
