/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_talk.h - a connection to a coordinator that is kept, for questions whose answer is
 * timed.
 */
#ifndef TESTS_BENCH_DISPATCH_TALK_H
#define TESTS_BENCH_DISPATCH_TALK_H

#include "common/wire/wire.h"
#include "tests/bench/dispatch_cluster.h"

struct talk;
/* Returns when it is connected. Ends the bench when that fails. */
struct talk *talk_open(const struct cluster *c);
void talk_close(struct talk *t);
/* Send MESSAGE and wait for an answer of type WANTED; when it was sent, in store_seconds(). Ends
 * the bench on a refusal. */
double talk_ask(struct talk *t, Drover__Envelope__BodyCase body, void *message,
                Drover__Envelope__BodyCase wanted);

#endif
