/* SPDX-License-Identifier: Apache-2.0 */
#include "store/tables/pivot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/store.h"

static int keep_sums(const struct store_sums *from, void *arg)
{
    struct pivot *p = arg;
    struct sums *to;

    if (p->sums_len == p->sums_cap) {
        p->sums_cap = MAX(64, 2 * p->sums_cap);
        p->sums = mem_realloc(p->sums, p->sums_cap, sizeof *p->sums);
    }
    to = &p->sums[p->sums_len++];
    *to = (struct sums){
        .level = from->level,
        .search = from->search,
        .run = from->run,
        .seed = from->seed,
        .promised = from->promised,
        .n = from->n,
        .correct = from->correct,
        .norm = from->norm,
        .labelled = from->labelled,
        .preserved = from->preserved,
        .improved = from->improved,
        .repeats = from->repeats,
        .truncated = from->truncated,
        .layers_label = from->layers_label,
        .layers_all = from->layers_all,
        .layers_base = from->layers_base,
        .family = from->family,
    };
    snprintf(to->step, sizeof to->step, "%s", from->step);
    snprintf(to->task, sizeof to->task, "%s", from->task);
    snprintf(to->split, sizeof to->split, "%s", from->split);
    snprintf(to->subset, sizeof to->subset, "%s", from->subset);
    return 0;
}

static int keep_summary(const struct store_summary *from, void *arg)
{
    struct pivot *p = arg;
    struct summary *to;

    if (p->summaries_len == p->summaries_cap) {
        p->summaries_cap = MAX(64, 2 * p->summaries_cap);
        p->summary = mem_realloc(p->summary, p->summaries_cap, sizeof *p->summary);
    }
    to = &p->summary[p->summaries_len++];
    *to = (struct summary){ .run = from->run,
                            .family = from->family,
                            .value = { from->value, from->stderr_, from->n },
                            .pooled = from->stderr_pooled };
    snprintf(to->step, sizeof to->step, "%s", from->step);
    snprintf(to->metric, sizeof to->metric, "%s", from->metric);
    return 0;
}

static bool same_source(const struct sums *a, const struct sums *b)
{
    return a->run == b->run && digest_equal(&a->family, &b->family) &&
           strcmp(a->step, b->step) == 0;
}

/* Sums by subset only know what is stored: what a family lacks is missed in each of its subsets. */
static int load_subsets(struct pivot *p, struct store *s, uint64_t experiment, struct err *err)
{
    struct pivot whole = { 0 };
    int rc = store_list_sums(s, experiment, keep_sums, &whole, err);

    if (rc == 0)
        rc = store_list_subset_sums(s, experiment, keep_sums, p, err);
    for (size_t i = 0, at = 0; rc == 0 && i < p->sums_len && whole.sums_len > 0; i++) {
        for (size_t k = 0; k < whole.sums_len && !same_source(&whole.sums[at], &p->sums[i]); k++)
            at = (at + 1) % whole.sums_len; /* both come in the same order */
        if (same_source(&whole.sums[at], &p->sums[i]))
            p->sums[i].promised += whole.sums[at].promised - whole.sums[at].n;
    }
    pivot_release(&whole);
    return rc;
}

static int keep_param(uint64_t run, const char *name, const char *value, void *arg)
{
    struct pivot *p = arg;
    struct run_param *to;

    if (p->params_len == p->params_cap) {
        p->params_cap = MAX(64, 2 * p->params_cap);
        p->params = mem_realloc(p->params, p->params_cap, sizeof *p->params);
    }
    to = &p->params[p->params_len++];
    *to = (struct run_param){ .run = run };
    snprintf(to->name, sizeof to->name, "%s", name);
    snprintf(to->value, sizeof to->value, "%s", value);
    return 0;
}

int pivot_load(struct pivot *p, struct store *s, uint64_t experiment, bool subsets, struct err *err)
{
    int rc;

    *p = (struct pivot){ .subsets = subsets };
    rc = subsets ? load_subsets(p, s, experiment, err)
                 : store_list_sums(s, experiment, keep_sums, p, err);
    if (rc == 0)
        rc = store_list_summaries(s, experiment, keep_summary, p, err);
    if (rc == 0)
        rc = store_list_params(s, experiment, keep_param, p, err);
    if (rc < 0)
        pivot_release(p);
    return rc;
}

void pivot_release(struct pivot *p)
{
    free(p->sums);
    free(p->params);
    free(p->summary);
    *p = (struct pivot){ 0 };
}

static const char *param_of(const struct pivot *p, uint64_t run, const char *name)
{
    for (size_t i = 0; i < p->params_len; i++) {
        if (p->params[i].run == run && strcmp(p->params[i].name, name) == 0)
            return p->params[i].value;
    }
    return NULL;
}

const char *pivot_key(const struct pivot *p, const struct sums *x, const char *key,
                      char out[TABLE_WORD_MAX])
{
    const char *value;

    if (strcmp(key, "task") == 0)
        snprintf(out, TABLE_WORD_MAX, "%s", x->task);
    else if (strcmp(key, "level") == 0)
        snprintf(out, TABLE_WORD_MAX, "%d", x->level);
    else if (strcmp(key, "split") == 0)
        snprintf(out, TABLE_WORD_MAX, "%s", x->split);
    else if (strcmp(key, "subset") == 0)
        snprintf(out, TABLE_WORD_MAX, "%s", x->subset);
    else {
        value = param_of(p, x->run, key);
        snprintf(out, TABLE_WORD_MAX, "%s", value ? value : "");
    }
    return out;
}

static bool varies(const struct pivot *p, const char *name, const char *value)
{
    for (size_t i = 0; i < p->sums_len; i++) {
        const char *other = param_of(p, p->sums[i].run, name);

        if (!other || strcmp(other, value) != 0)
            return true;
    }
    return false;
}

size_t pivot_varying(const struct pivot *p, char keys[][TABLE_WORD_MAX], size_t keys_len)
{
    size_t added = 0;

    for (size_t i = 0; i < p->params_len && keys_len + added < TABLE_KEYS_MAX; i++) {
        const struct run_param *x = &p->params[i];
        bool known = strcmp(x->name, "seed") == 0;

        for (size_t k = 0; k < keys_len + added && !known; k++)
            known = strcmp(keys[k], x->name) == 0;
        if (!known && varies(p, x->name, x->value)) {
            snprintf(keys[keys_len + added], TABLE_WORD_MAX, "%s", x->name);
            added++;
        }
    }
    return added;
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct digest));
}

void unit_release(struct unit *u)
{
    free(u->family);
    free(u->member);
}

struct unit *units_add(struct unit **units, size_t *len, const struct sums *x)
{
    struct unit *u = NULL;

    for (size_t i = 0; i < *len && !u; i++) {
        if ((*units)[i].run == x->run)
            u = &(*units)[i];
    }
    if (!u) {
        *units = mem_realloc(*units, *len + 1, sizeof **units);
        u = &(*units)[(*len)++];
        *u = (struct unit){ .run = x->run, .search = x->search, .n_least = UINT64_MAX };
    }
    u->n += x->n;
    u->promised += x->promised;
    u->correct += x->correct;
    u->norm += x->norm;
    u->labelled += x->labelled;
    u->preserved += x->preserved;
    u->improved += x->improved;
    u->repeats += x->repeats;
    u->layers_label += x->layers_label;
    u->layers_all += x->layers_all;
    u->layers_base += x->layers_base;
    u->n_least = MIN(u->n_least, x->n);
    u->n_most = MAX(u->n_most, x->n);
    u->family = mem_realloc(u->family, u->families_len + 1, sizeof *u->family);
    u->family[u->families_len++] = x->family;
    qsort(u->family, u->families_len, sizeof *u->family, compare_digests);
    return u;
}

static bool same_families(const struct unit *a, const struct unit *b)
{
    return a->families_len == b->families_len &&
           memcmp(a->family, b->family, a->families_len * sizeof *a->family) == 0;
}

void units_share(struct unit *units, size_t *len)
{
    size_t kept = 0;

    for (size_t i = 0; i < *len; i++) {
        bool again = false;

        for (size_t j = 0; j < kept && !again; j++)
            again = same_families(&units[j], &units[i]);
        if (again)
            unit_release(&units[i]);
        else
            units[kept++] = units[i];
    }
    *len = kept;
}

void units_free(struct unit *units, size_t len)
{
    for (size_t i = 0; i < len; i++)
        unit_release(&units[i]);
    free(units);
}
