/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "collect": the label rows that the coordinator put together become a label set, whatever
 * shards they came from. */
#include <limits.h>
#include <string.h>

#include "worker/jobs/implement.h"
#include "worker/jobs/label_set.h"

static void set_cleanup(struct label_set *s)
{
    label_set_release(s);
}

int collect_run(struct job *j, struct err *err)
{
    struct label_set set CLEANUP(set_cleanup) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    bool solved = strcmp(kind_text(j->kind, &j->params, "keep"), "solved") == 0;
    char path[PATH_MAX] = "";
    int rc = j->services->input(j->services->arg, "results", path, sizeof(path), err);

    rc = rc == 0 ? label_set_read(&set, path, err) : rc;
    if (rc < 0)
        return rc;
    atomic_store(&j->progress->total, set.len);
    atomic_store(&j->progress->done, set.len);
    progress_tick(j->progress);
    (void)label_set_print(&set, solved, &text);
    rc = j->services->put_bytes(j->services->arg, "labels", buf_str(&text), text.len, &j->output[0],
                                err);
    if (rc == 0)
        j->outputs_len = 1;
    return rc;
}
