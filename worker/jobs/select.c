/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "select". Behind a rung of halving the coordinator put together what each candidate's
 * seeds reached, and the best go on. As a step it chooses the best static paths by a label set.
 * Either is a function of that text and of the parameters alone. */
#include <limits.h>
#include <string.h>

#include "worker/jobs/implement.h"
#include "worker/jobs/ranking.h"
#include "worker/jobs/static_paths.h"

/* A candidate takes about 110 bytes and 20 per seed: room for a million with 40 seeds. */
enum { FILE_BYTES_MAX = 1 << 30 };

/* Keep TEXT as output NAME of COUNT things that were looked at. */
static int put(struct job *j, const char *name, const struct buf *text, size_t count,
               struct err *err)
{
    const struct job_services *s = j->services;

    atomic_store(&j->progress->total, count);
    atomic_store(&j->progress->done, count);
    progress_tick(j->progress);
    int rc = s->put_bytes(s->arg, name, buf_str(text), text->len, &j->output[0], err);
    if (rc == 0)
        j->outputs_len = 1;
    return rc;
}

static int select_survivors(struct job *j, struct err *err)
{
    struct ranking ranking CLEANUP(ranking_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 }, survivors CLEANUP(buf_release) = { 0 };
    const struct job_services *s = j->services;
    char path[PATH_MAX] = "";
    int rc = s->input(s->arg, "results", path, sizeof(path), err);

    rc = rc == 0 ? buf_read_file(&text, path, FILE_BYTES_MAX, err) : rc;
    rc = rc == 0 ? ranking_parse(&ranking, buf_str(&text), text.len, "results", err) : rc;
    if (rc < 0)
        return rc;
    ranking_order(&ranking, strcmp(kind_text(j->kind, &j->params, "better"), "higher") == 0);
    ranking_print(&ranking, ranking_keep(kind_real(j->kind, &j->params, "keep"), ranking.len),
                  &survivors);
    return put(j, "survivors", &survivors, ranking.len, err);
}

static void set_cleanup(struct label_set *s)
{
    label_set_release(s);
}

static int select_paths(struct job *j, struct err *err)
{
    struct label_set set CLEANUP(set_cleanup) = { 0 };
    struct buf paths CLEANUP(buf_release) = { 0 };
    char path[PATH_MAX] = "";
    size_t chosen;
    int rc = j->services->input(j->services->arg, "labels", path, sizeof(path), err);

    rc = rc == 0 ? label_set_read(&set, path, err) : rc;
    rc = rc == 0
             ? static_paths_choose(&set, "labels", (size_t)kind_int(j->kind, &j->params, "beam"),
                                   kind_bool(j->kind, &j->params, "each_level"), &paths, &chosen,
                                   err)
             : rc;
    return rc < 0 ? rc : put(j, "paths", &paths, set.len, err);
}

int select_run(struct job *j, struct err *err)
{
    for (size_t i = 0; i < j->lease->n_inputs; i++)
        if (strcmp(j->lease->inputs[i]->name, "labels") == 0)
            return select_paths(j, err);
    return select_survivors(j, err);
}
