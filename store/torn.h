/* SPDX-License-Identifier: Apache-2.0 */
/* torn.h - a log that would make its own file older, and a file that lost the log it needs.
 *
 * A log stays where it is after it was brought into the file, until the next commit begins it anew
 * (walformat.html). When such a log is damaged in its midst, SQLite reads the part before the
 * damage and takes those pages in place of the file's newer ones: what was safe in the file is
 * lost, and pages that the part does not have come from later transactions than those that it has.
 * The same happens when an older copy of the file is put beside a newer log. And a file whose
 * writer was killed while it brought the log in has pages of both until that is done again, for
 * which it needs the log. So the count of transactions (mark.h) is looked up in the file alone and
 * by the log before anything is written, and beside them the mark tells up to where the log was
 * last brought in whole, and up to where it was being brought in. */
#ifndef STORE_TORN_H
#define STORE_TORN_H

#include "common/base/err.h"

struct store;

/* With the writer's lock held, before S is connected. A log as above is moved to
 * FILE-wal-damaged (the one from before is overwritten) and S->mark.aside says so; every other log
 * is left alone, a torn tail and one that lost its end too. ERR_CORRUPT: bringing in was cut short
 * and the log that is needed for it is damaged or gone, so that nothing is whole; ERR_CONFLICT: a
 * reader has the log open; ERR_IO. */
int torn_set_aside(struct store *s, struct err *err) MUST_CHECK;

/* For who only reads: S is connected. ERR_CORRUPT where torn_set_aside() would do something or
 * refuse: what this connection sees is no state the store ever had. While there is a writer all is
 * well: he has looked. */
int torn_check(const struct store *s, struct err *err) MUST_CHECK;

/* Pages of S do not fit together. ERR_CORRUPT with a remedy where the mark tells why; else 0. */
int torn_explain(const struct store *s, struct err *err) MUST_CHECK;

#endif
