/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_blobs.c - every blob that is not marked evicted must be there, whole. */
#include <sys/stat.h>

#include "store/keep/doctor_private.h"
#include "store/store_private.h"

struct tally_of_blobs {
    uint64_t n, bytes, evicted;
    uint64_t missing, torn, user_gone, user_changed;
    char first[DIGEST_HEX]; /* of what is wrong with our own */
};

static void note(struct tally_of_blobs *t, uint64_t *count, const struct digest *digest)
{
    (*count)++;
    if (t->first[0] == '\0')
        (void)digest_hex(digest, t->first);
}

/* Compare the bytes at PATH with DIGEST, when asked to. */
static bool is_whole(const struct doctor *d, const char *path, const struct digest *digest)
{
    struct digest found;
    uint64_t size;

    return !d->deep ||
           (digest_file(path, &found, &size, NULL) == 0 && digest_equal(&found, digest));
}

static void look_at(const struct doctor *d, struct tally_of_blobs *t, const struct stmt *st)
{
    const struct digest digest = stmt_col_digest(st, 0);
    const uint64_t size = stmt_col_u64(st, 1);
    const char *path = stmt_col_text(st, 2);
    const bool folder = stmt_col(st, 4) != 0;
    char ours[BLOBS_PATH_MAX];
    uint64_t have = 0;
    struct stat file;

    t->n++;
    if (stmt_col(st, 3) != 0) {
        t->evicted++;
    } else if (blobs_have(d->s->blobs, &digest, &have)) {
        t->bytes += have;
        if ((!folder && have != size) ||
            !is_whole(d, blobs_path(d->s->blobs, &digest, ours), &digest))
            note(t, &t->torn, &digest);
    } else if (!path || path[0] == '\0') {
        note(t, &t->missing, &digest);
    } else if (stat(path, &file) != 0) {
        t->user_gone++;
    } else if (!folder && ((uint64_t)file.st_size != size || !is_whole(d, path, &digest))) {
        t->user_changed++;
    }
}

static void tell(struct doctor *d, const struct tally_of_blobs *t)
{
    static const char again[] = "submit the recipe again: its maker runs once more and must make "
                                "the same bytes";

    if (t->missing > 0)
        doctor_tell(d, "blobs", DOCTOR_BAD, again, "%llu files are missing, the first is %s",
                    (unsigned long long)t->missing, t->first);
    if (t->torn > 0)
        doctor_tell(d, "blobs", DOCTOR_BAD,
                    "remove the file, then submit the recipe again: its maker runs once more",
                    "%llu files are not what their names say, the first is %s",
                    (unsigned long long)t->torn, t->first);
    if (t->user_gone + t->user_changed > 0)
        doctor_tell(d, "files", DOCTOR_WARNING,
                    "put them back if jobs that are still to run read them",
                    "of your own files %llu are gone and %llu have changed",
                    (unsigned long long)t->user_gone, (unsigned long long)t->user_changed);
    if (t->missing + t->torn == 0)
        doctor_tell(d, "blobs", DOCTOR_OK, "", "%llu, of them %llu evicted; %.1f MiB%s",
                    (unsigned long long)t->n, (unsigned long long)t->evicted,
                    (double)t->bytes / (1 << 20), d->deep ? ", each as its digest says" : "");
}

int doctor_blobs(struct doctor *d, struct err *err)
{
    struct tally_of_blobs t = { 0 };
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, d->s->db, "SELECT digest, size, path, evicted, folder FROM blob",
                          NULL, err);

    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        look_at(d, &t, &st);
        rc = 0;
    }
    stmt_release(&st);
    if (rc == 0)
        tell(d, &t);
    return rc;
}
