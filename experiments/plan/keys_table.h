/* SPDX-License-Identifier: Apache-2.0 */
/* keys_table.h - every key that a recipe may have, and where. The checker refuses what is not in
 * this table, and docs/recipes.md prints it. Parameters of the job kinds are in common/kinds. */
#ifndef EXPERIMENTS_PLAN_KEYS_TABLE_H
#define EXPERIMENTS_PLAN_KEYS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/kinds/kinds.h"

enum recipe_place {
    KEYS_ROOT,
    KEYS_STEP, /* whatever the kind's parameters are */
    KEYS_GRID,
    KEYS_ZIP,
    KEYS_ZIP_COLUMN,
    KEYS_POINTS,
    KEYS_RANDOM,
    KEYS_RANDOM_COLUMN,
    KEYS_HALVING,
    KEYS_RUNG,
    RECIPE_PLACES
};

/* Which kinds' steps have a key. */
enum recipe_kinds {
    KINDS_ALL,
    KINDS_SEEDED,
    KINDS_MODEL,
    KINDS_LABELS,
    KINDS_ROUTED,
    KINDS_SEARCH,
    KINDS_RESULTS,
    KINDS_SHARDS,
    KINDS_FILES,
    KINDS_EXEC,
    KINDS_NOOP
};

struct recipe_key {
    const char *name;
    const char *type;     /* for people */
    const char *fallback; /* what counts when it is absent; NULL: required; "": nothing */
    enum recipe_kinds kinds;
    const char *help;
};

enum { RECIPE_KEYS_MAX = 24 }; /* per place */

/* Where the keys stand, for people: "A step", "A random entry of the sweep"... */
const char *recipe_place_title(enum recipe_place place);
/* The keys of PLACE, *RET_LEN of them. */
const struct recipe_key *recipe_keys(enum recipe_place place, size_t *ret_len);
/* Their names, ended by NULL. */
const char *const *recipe_key_names(enum recipe_place place, const char *names[RECIPE_KEYS_MAX]);
/* Has a step of kind K the key? */
bool recipe_key_fits(const struct recipe_key *key, const struct kind *k);
/* The kinds that have it, for people: "search, evaluate", "all". Not thread-safe. */
const char *recipe_key_kinds(const struct recipe_key *key, char *out, size_t size);

#endif
