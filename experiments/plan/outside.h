/* SPDX-License-Identifier: Apache-2.0 */
/* outside.h - files that a recipe names: their digests, and manifests of models and of tasks.
 *
 * A manifest is the text "name size hexdigest\n" per file, sorted by name (bytes). A folder gives
 * every regular file in it that is not hidden; symbolic links are followed. A single-file
 * checkpoint gives "model.bin" and, with a tokenizer, "tokenizer.bin" (or .json), whatever the
 * files are called: names outside are no identity. A task's folder gives the files that the task
 * reads, under the names that its reader gives them. */
#ifndef EXPERIMENTS_PLAN_OUTSIDE_H
#define EXPERIMENTS_PLAN_OUTSIDE_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"

/* A model folder of more files is none: a 1,000-shard checkpoint fits. */
enum { OUTSIDE_MEMBERS_MAX = 1024 };

struct outside; /* the digest cache */

/* CACHE_PATH may be NULL. Never fails: a cache that cannot be read is empty. */
struct outside *outside_new(const char *cache_path);
/* Writes the cache back when it grew (failing is ignored: it is only a cache). NULL is fine. */
void outside_free(struct outside *o);

/* Digest and size of the file PATH. ERR_NOT_FOUND, ERR_READONLY (not readable), ERR_IO, ERR_INVALID
 * (a folder). */
int outside_file(struct outside *o, const char *path, struct digest *ret, uint64_t *ret_size_bytes,
                 struct err *err) MUST_CHECK;

struct outside_member {
    char *name, *path;
    struct digest digest;
    uint64_t size_bytes;
};
struct outside_model {
    struct outside_member *member;
    size_t len;
    struct buf manifest;
    struct digest digest; /* of the manifest */
};
/* PATH: a folder or a single file; TOKENIZER: NULL or "" when none is named (refused beside a
 * folder that has one of the same name): a single file that is no GGUF then takes the one beside
 * it. Its name among the members tells its form: tokenizer.json, .bin or .model. */
int outside_model(struct outside *o, const char *path, const char *tokenizer,
                  struct outside_model *ret, struct err *err) MUST_CHECK;
/* The files PATH[i], called NAME[i] (all different). */
int outside_files(struct outside *o, const char *const *name, const char *const *path, size_t len,
                  struct outside_model *ret, struct err *err) MUST_CHECK;
void outside_model_release(struct outside_model *m);

#endif
