/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_checkpoint.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/jobs/parcel.h"

#define WORD "stage 1"

enum { STATE_BYTES_MAX = 16 << 20 };

int stage_checkpoint_write(const char *path, const struct stage_state *s,
                           const struct stage_conf *c, const struct trainer *t,
                           struct progress *progress, struct err *err)
{
    struct buf trainer CLEANUP(buf_release) = { 0 }, state CLEANUP(buf_release) = { 0 };
    int rc;

    buf_printf(&trainer, "%s.trainer", path);
    stage_state_print(s, c, true, &state);
    rc = trainer_save_state(t, buf_str(&trainer), TRAIN_STATE_ALL, err);
    progress_tick(progress);
    rc = rc ? rc : parcel_write(path, WORD, &state, buf_str(&trainer), progress, err);
    (void)unlink(buf_str(&trainer));
    return rc;
}

int stage_checkpoint_read(const char *path, const char *scratch, uint64_t step,
                          struct stage_state *s, const struct stage_conf *c, struct trainer *t,
                          struct progress *progress, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct stage_state *state CLEANUP(mem_cleanup) = mem_calloc(1, sizeof(*state));
    int rc = parcel_read(path, WORD, &text, scratch, progress, err);

    rc = rc ? rc : stage_state_parse(state, c, buf_str(&text), text.len, path, err);
    if (rc == 0 && (state->updates != step || step <= c->first || step > c->first + c->updates))
        rc = err_set(err, ERR_INVALID, "%s is of another place in the stage", path);
    rc = rc ? rc : trainer_load_state(t, scratch, err);
    (void)unlink(scratch);
    if (rc == 0)
        *s = *state;
    return rc;
}

/* ---- between stages ------------------------------------------------------------------------- */

int stage_folder_write(const char *dir, const struct stage_state *s, const struct stage_conf *c,
                       const struct trainer *t, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 }, text CLEANUP(buf_release) = { 0 };
    int rc;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_errno(err, errno, "make %s", dir);
    buf_printf(&path, "%s/state.json", dir);
    stage_state_print(s, c, false, &text);
    rc = buf_write_file(buf_str(&path), text.data, text.len, err);
    if (rc || !t)
        return rc;
    buf_clear(&path);
    buf_printf(&path, "%s/optimiser.bin", dir);
    return trainer_save_state(t, buf_str(&path), TRAIN_STATE_MOMENTS, err);
}

int stage_folder_read(const char *dir, struct stage_state *ret, const struct stage_conf *c,
                      struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 }, text CLEANUP(buf_release) = { 0 };
    int rc;

    buf_printf(&path, "%s/state.json", dir);
    rc = buf_read_file(&text, buf_str(&path), STATE_BYTES_MAX, err);
    return rc ? rc : stage_state_parse(ret, c, buf_str(&text), text.len, buf_str(&path), err);
}

int stage_folder_load(const char *dir, struct trainer *t, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };

    buf_printf(&path, "%s/optimiser.bin", dir);
    return trainer_load_state(t, buf_str(&path), err);
}
