/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "collect": the label rows that the coordinator put together become a label set, whatever
 * shards they came from, by the policy of its parameters. Which rows stay depends on the rows and
 * the parameters alone. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/label_set.h"

static void set_cleanup(struct label_set *s)
{
    label_set_release(s);
}

/* A row among those of its task and level, in an order that is random but always the same. */
struct place {
    uint64_t hash;
    size_t row;
    uint32_t family;
};

static uint64_t hash_id(uint64_t id)
{
    struct digester d;
    struct digest digest;

    digest_begin(&d);
    digest_add_text(&d, "drover collect");
    digest_add_u64(&d, id);
    digest = digest_end(&d);
    return digest_u64(&digest);
}

static int by_hash(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static bool is_improved(const struct label_row *r)
{
    return !r->base_correct && r->routing >= 0;
}

/* Families of one task and level count together, whatever their split or search. */
static uint32_t group_of(const struct label_set *s, uint32_t family)
{
    const struct label_family *f = &s->family[family];
    uint32_t i = 0;

    while (strcmp(s->family[i].task, f->task) != 0 || s->family[i].level != f->level)
        i++;
    return i;
}

/* Of each task and level, MOST rows stay: the first of the order, but so that SHARE of them is
 * improved where so many are. */
static void keep_per_level(const struct label_set *s, const struct place *place, uint64_t most,
                           double share, bool *leave_out)
{
    uint64_t *taken CLEANUP(mem_cleanup) = mem_calloc(MAX(s->families_len, 1), sizeof(*taken));
    bool *first CLEANUP(mem_cleanup) = mem_calloc(MAX(s->len, 1), sizeof(*first));

    for (size_t i = 0; i < s->len; i++) {
        size_t row = place[i].row;
        uint64_t *n = &taken[group_of(s, place[i].family)];

        if (leave_out[row] || !is_improved(&s->row[row]) || (double)*n >= share * (double)most)
            continue;
        first[row] = true;
        ++*n;
    }
    for (size_t i = 0; i < s->len; i++) {
        size_t row = place[i].row;

        if (!leave_out[row] && !first[row] && ++taken[group_of(s, place[i].family)] > most)
            leave_out[row] = true;
    }
}

/* Leave out rows that the default path answers rightly, the last of the order first, until SHARE of
 * the rest is improved; all of them when there are too few improved ones. */
static void keep_improved(const struct label_set *s, const struct place *place, double share,
                          bool *leave_out)
{
    size_t rest = 0, improved = 0;

    for (size_t i = 0; i < s->len; i++) {
        rest += !leave_out[i];
        improved += !leave_out[i] && is_improved(&s->row[i]);
    }
    for (size_t i = s->len; i-- > 0 && (double)improved < share * (double)rest;) {
        size_t row = place[i].row;

        if (leave_out[row] || !s->row[row].base_correct)
            continue;
        leave_out[row] = true;
        rest--;
    }
}

static void choose(const struct job *j, const struct label_set *s, bool *leave_out)
{
    struct place *place CLEANUP(mem_cleanup) = mem_calloc(MAX(s->len, 1), sizeof(*place));
    bool solved = strcmp(kind_text(j->kind, &j->params, "keep"), "solved") == 0;
    double share = kind_real(j->kind, &j->params, "improved_share");
    uint64_t most = (uint64_t)kind_int(j->kind, &j->params, "per_level");

    for (size_t i = 0; i < s->len; i++) {
        place[i] = (struct place){ hash_id(s->row[i].id), i, s->row[i].family };
        leave_out[i] = solved && s->row[i].routing < 0;
    }
    qsort(place, s->len, sizeof(*place), by_hash);
    if (most > 0)
        keep_per_level(s, place, most, share, leave_out);
    if (share > 0)
        keep_improved(s, place, share, leave_out);
}

int collect_run(struct job *j, struct err *err)
{
    struct label_set set CLEANUP(set_cleanup) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    bool *leave_out CLEANUP(mem_cleanup) = NULL;
    char path[PATH_MAX] = "";
    int rc = j->services->input(j->services->arg, "results", path, sizeof(path), err);
    size_t kept;

    rc = rc == 0 ? label_set_read(&set, path, err) : rc;
    if (rc < 0)
        return rc;
    atomic_store(&j->progress->total, set.len);
    atomic_store(&j->progress->done, set.len);
    progress_tick(j->progress);
    leave_out = mem_calloc(MAX(set.len, 1), sizeof(*leave_out));
    choose(j, &set, leave_out);
    kept = label_set_print(&set, leave_out, &text);
    if (kept == 0 && set.len > 0)
        return err_set(
            err, ERR_INVALID,
            "none of %zu examples is left by keep and improved_share: too few are solved "
            "or improved; search with more simulations or on more examples",
            set.len);
    rc = j->services->put_bytes(j->services->arg, "labels", buf_str(&text), text.len, &j->output[0],
                                err);
    if (rc == 0)
        j->outputs_len = 1;
    return rc;
}
