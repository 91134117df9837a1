/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h - the table of job kinds: what each is called, its parameters, inputs, outputs, and what
 * its seed drives.
 *
 * One table serves the recipe checker, the planner's keys, the worker's decoder and the
 * documentation. A parameter at its default is left out of the key, and a default never changes
 * without a new kind version (design: law 4). */
#ifndef COMMON_KINDS_KINDS_H
#define COMMON_KINDS_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"

enum param_type {
    PARAM_INT,
    PARAM_REAL,
    PARAM_BOOL,
    PARAM_TEXT,
    PARAM_INTS,
    PARAM_TEXTS,
    PARAM_REALS, /* a single number is a list of one */
    PARAM_TYPES
};

/* A list may hold a layer path: as WIRE_ROUTING_MAX. */
enum { PARAM_LIST_MAX = 256, PARAMS_MAX = 128 };

/* One value. Text and lists are owned by the struct params that holds it. */
struct param_value {
    enum param_type type;
    int64_t i;     /* INT, BOOL */
    double r;      /* REAL */
    char *s;       /* TEXT */
    int64_t *ints; /* INTS */
    char **texts;  /* TEXTS */
    double *reals; /* REALS */
    size_t len;    /* of a list */
};

struct param_spec {
    const char *name;
    enum param_type type;
    double min, max;      /* INT, REAL, elements of INTS; ignored when min > max */
    const char *unit;     /* "" when it has none */
    const char *fallback; /* default as recipe text ("1.8", "true", "", "[1, 2]"); NULL: required */
    const char *const *words; /* TEXT: NULL-terminated list of allowed words, or NULL */
    bool identity;            /* part of the key; false for threads, shard sizes, paths */
    const char *help;         /* one sentence */
};

enum kind_id {
    KIND_PRETRAIN,
    KIND_SEARCH,
    KIND_COLLECT,
    KIND_EVALUATE,
    KIND_SELECT,
    KIND_ROUTER,
    KIND_NOOP,
    KIND_STAGE,
    KIND_EXEC,
    KINDS
};

struct kind {
    enum kind_id id;
    const char *name;
    uint32_t version;
    const char *help;
    const struct param_spec *params;
    size_t params_len;
    const char *inputs;      /* space-separated names of blob inputs, e.g. "model labels" */
    const char *outputs;     /* space-separated names of blob outputs, e.g. "model" */
    const char *seed_drives; /* what the run's seed changes, "" when nothing */
    bool shards;             /* works on examples, split in shards (search, evaluate) */
    bool trains;             /* its numeric class depends on the parameter gemm */
    const char *optional;    /* inputs that may be missing */
    bool uncompared;         /* not pure: a repeated result may differ, and is no incident */
};

/* "an integer", "a list of texts"... for messages. */
const char *param_type_name(enum param_type type);
bool param_is_list(enum param_type type); /* INTS, TEXTS, REALS */

const struct kind *kind_at(enum kind_id id);
const struct kind *kind_find(const char *name); /* NULL when unknown */
const struct param_spec *kind_param(const struct kind *k, const char *name);

/* A set of at most PARAMS_MAX named values, sorted by name. Start with { 0 }. */
struct params {
    struct params_entry {
        char *name;
        struct param_value value;
    } * entry;
    size_t len, cap;
};

/* One value alone: what it owns is freed and it is zero again (also for CLEANUP); a deep copy. */
void param_value_release(struct param_value *v);
struct param_value param_value_copy(const struct param_value *v);

void params_release(struct params *p);
/* Set or replace; copies. ERR_LIMIT when full. params_set checks nothing else. */
int params_set(struct params *p, const char *name, const struct param_value *v,
               struct err *err) MUST_CHECK;
int params_set_int(struct params *p, const char *name, int64_t v, struct err *err) MUST_CHECK;
int params_set_real(struct params *p, const char *name, double v, struct err *err) MUST_CHECK;
int params_set_text(struct params *p, const char *name, const char *v, struct err *err) MUST_CHECK;
const struct param_value *params_get(const struct params *p,
                                     const char *name); /* NULL when absent */

/* Type, range, allowed words and names of P against K's table; required ones present. ERR_INVALID
 * with the name, the range and, for an unknown name, the nearest known one. */
int kind_check(const struct kind *k, const struct params *p, struct err *err) MUST_CHECK;

/* Values with the table's default for what is absent. The name must be in K's table with that type
 * (asserted); P must have passed kind_check. */
int64_t kind_int(const struct kind *k, const struct params *p, const char *name);
double kind_real(const struct kind *k, const struct params *p, const char *name);
bool kind_bool(const struct kind *k, const struct params *p, const char *name);
const char *kind_text(const struct kind *k, const struct params *p, const char *name);
/* A list parameter: the given value, or NULL when it is absent and the default (spec->fallback) is
 * in force. */
const struct param_value *kind_list(const struct kind *k, const struct params *p, const char *name);

/* Canonical identity of P under K into D: kind name, version, then every identity parameter that is
 * not at its default, sorted by name, typed (floats as IEEE bits). */
void kind_digest(const struct kind *k, const struct params *p, struct digester *d);

/* One value as recipe text ("1.8", "[\"logic\", \"math\"]"), for rows and displays; appended to
 * OUT. */
struct buf;
void param_print(const struct param_value *v, struct buf *out);

#endif
