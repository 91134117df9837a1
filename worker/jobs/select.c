/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "select": a rung of halving. The coordinator put together what each candidate's seeds
 * reached; the best go on. A function of that text and of the parameters alone. */
#include <limits.h>
#include <string.h>

#include "worker/jobs/implement.h"
#include "worker/jobs/ranking.h"

/* A candidate takes about 110 bytes and 20 per seed: room for a million with 40 seeds. */
enum { FILE_BYTES_MAX = 1 << 30 };

int select_run(struct job *j, struct err *err)
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
    atomic_store(&j->progress->total, ranking.len);
    atomic_store(&j->progress->done, ranking.len);
    progress_tick(j->progress);
    rc = s->put_bytes(s->arg, "survivors", buf_str(&survivors), survivors.len, &j->output[0], err);
    if (rc == 0)
        j->outputs_len = 1;
    return rc;
}
