/* SPDX-License-Identifier: Apache-2.0 */
/* A folder holds a benchmark's files under their own names (adapters.c: file[]) or, when a single
 * file with companions was sent to another machine, under the names "data", "labels" and "shots"
 * (".subject" behind them where the name tells it). */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/tasks/fields.h"
#include "common/tasks/reader.h"

enum { FILES_MAX = 1024 };

static const char *const stand_ins[] = { "data", "labels", "shots" };

void found_release(struct found *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free(f->file[i].path);
        free(f->file[i].name);
        free(f->file[i].subject);
    }
    free(f->file);
    *f = (struct found){ 0 };
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void add(struct found *f, const char *path, const char *name, const char *subject,
                unsigned role)
{
    for (size_t i = 0; i < f->len; i++)
        if (strcmp(f->file[i].path, path) == 0) {
            f->file[i].role |= role;
            return;
        }
    if (f->len == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 8;
        f->file = mem_realloc(f->file, f->cap, sizeof(*f->file));
    }
    f->file[f->len++] = (struct found_file){ .path = mem_strdup(path),
                                             .name = mem_strdup(name),
                                             .subject = subject ? mem_strdup(subject) : NULL,
                                             .role = role };
}

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);

    return n > m && strcmp(s + n - m, tail) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in FOLDER that end in TAIL (or start with HEAD, when TAIL is NULL), sorted. */
static char **list(const char *folder, const char *head, const char *tail, size_t *ret_len)
{
    DIR *d = opendir(folder);
    char **name = NULL;
    size_t len = 0;

    *ret_len = 0;
    if (!d)
        return NULL;
    name = mem_calloc(FILES_MAX, sizeof(*name));
    for (struct dirent *e; (e = readdir(d)) && len < FILES_MAX;)
        if (tail ? ends_with(e->d_name, tail) : strncmp(e->d_name, head, strlen(head)) == 0)
            name[len++] = mem_strdup(e->d_name);
    closedir(d);
    if (len > 0)
        qsort(name, len, sizeof(*name), by_text);
    *ret_len = len;
    return name;
}

/* All files of FOLDER/SUB that end in TAIL, or start with HEAD: one per subject. */
static size_t add_subjects(struct found *f, const char *folder, const char *sub, const char *head,
                           const char *tail, unsigned role)
{
    struct buf place CLEANUP(buf_release) = { 0 };
    size_t len, before = f->len;

    buf_printf(&place, "%s%s%s", folder, *sub ? "/" : "", sub);
    char **name = list(buf_str(&place), head, tail, &len);
    for (size_t i = 0; i < len; i++) {
        struct buf path CLEANUP(buf_release) = { 0 }, subject CLEANUP(buf_release) = { 0 };
        buf_printf(&path, "%s/%s", buf_str(&place), name[i]);
        if (tail)
            buf_add(&subject, name[i], strlen(name[i]) - strlen(tail));
        else
            buf_adds(&subject, name[i] + strlen(head));
        if (is_file(buf_str(&path)))
            add(f, buf_str(&path), name[i], buf_str(&subject), role);
        free(name[i]);
    }
    free(name);
    return f->len - before;
}

/* One candidate "test.jsonl" or "test/_test.csv". Returns how many files it is. */
static size_t try_candidate(struct found *f, const struct adapter *a, const char *folder,
                            const char *candidate, size_t n, unsigned role)
{
    struct buf name CLEANUP(buf_release) = { 0 }, path CLEANUP(buf_release) = { 0 };

    buf_add(&name, candidate, n);
    if (a->flags & ADAPTER_SUBJECT) {
        char *tail = strchr(name.data, '_');
        size_t sub = tail ? (size_t)(tail - name.data) : 0;
        char place[64] = "";
        if (sub > 1 && sub < sizeof(place))
            memcpy(place, name.data, sub - 1);
        return add_subjects(f, folder, place, NULL, tail ? tail : ".csv", role);
    }
    buf_printf(&path, "%s/%s", folder, buf_str(&name));
    if (!is_file(buf_str(&path)))
        return 0;
    add(f, buf_str(&path), base_of(buf_str(&name)), NULL, role);
    return 1;
}

/* The files of ROLE in FOLDER: stand-ins first, then the candidates in order. */
static size_t find_in_folder(struct found *f, const struct adapter *a, const char *folder,
                             const char *candidates, unsigned role)
{
    const char *stand_in = stand_ins[role == ROLE_DATA ? 0 : role == ROLE_LABELS ? 1 : 2];
    struct buf path CLEANUP(buf_release) = { 0 };
    size_t n, found = 0;
    const char *name;

    if (a->flags & ADAPTER_SUBJECT) {
        char head[16];
        snprintf(head, sizeof(head), "%s.", stand_in);
        found = add_subjects(f, folder, "", head, NULL, role);
    } else {
        buf_printf(&path, "%s/%s", folder, stand_in);
        if (is_file(buf_str(&path))) {
            add(f, buf_str(&path), stand_in, NULL, role);
            found = 1;
        }
    }
    for (size_t i = 0; candidates && !found && (name = text_part(candidates, ' ', i, &n)); i++)
        found = try_candidate(f, a, folder, name, n, role);
    return found;
}

/* PIQA's form: X.jsonl and X-labels.lst. */
static void add_labels(struct found *f, const char *data, bool single)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    const char *dot = strrchr(data, '.');

    buf_add(&path, data, dot ? (size_t)(dot - data) : strlen(data));
    buf_adds(&path, "-labels.lst");
    if (is_file(buf_str(&path)))
        add(f, buf_str(&path), single ? stand_ins[1] : base_of(buf_str(&path)), NULL, ROLE_LABELS);
}

static int refuse_folder(const struct adapter *a, const struct task_query *q, struct err *err)
{
    struct buf has CLEANUP(buf_release) = { 0 };

    for (int s = 0; s < SPLITS; s++)
        if (a->file[s])
            buf_printf(&has, "%s\"%s\"", has.len ? " or " : "", split_name((enum split)s));
    if (!a->file[q->split])
        return err_set(err, ERR_INVALID,
                       "%s has no public %s labels; say split = %s, or give one file as the path",
                       a->spec.name, split_name(q->split), buf_str(&has));
    return err_set(err, ERR_NOT_FOUND, "%s: no %s file of %s; looked for %s", q->path,
                   split_name(q->split), a->spec.name, a->file[q->split]);
}

/* "abstract_algebra_test.csv" -> "abstract_algebra". */
static char *subject_of(const char *name)
{
    static const char *const tails[] = { "_test", "_val", "_dev", "_train" };
    struct buf b = { 0 };

    buf_add(&b, name, strcspn(name, "."));
    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        if (ends_with(buf_str(&b), tails[i])) {
            b.len -= strlen(tails[i]);
            b.data[b.len] = '\0';
            break;
        }
    return buf_detach(&b);
}

/* The user's file is believed; its companions lie beside it. */
static void find_single(struct found *f, const struct adapter *a, const struct task_query *q,
                        bool shots)
{
    struct buf folder CLEANUP(buf_release) = { 0 }, name CLEANUP(buf_release) = { 0 };
    const char *base = base_of(q->path);
    char *subject = a->flags & ADAPTER_SUBJECT ? subject_of(base) : NULL;

    buf_printf(&name, "%s%s%s", stand_ins[0], subject ? "." : "", subject ? subject : "");
    add(f, q->path, buf_str(&name), subject, ROLE_DATA);
    add_labels(f, q->path, true);
    if (base == q->path)
        buf_adds(&folder, ".");
    else
        buf_add(&folder, q->path, (size_t)(base - q->path) - (base - q->path > 1));
    struct found near = { 0 };
    if (shots && !find_in_folder(&near, a, buf_str(&folder), a->shots, ROLE_SHOTS) && subject) {
        buf_adds(&folder, "/.."); /* mmlu/test/x_test.csv: mmlu/dev/x_dev.csv */
        find_in_folder(&near, a, buf_str(&folder), a->shots, ROLE_SHOTS);
    }
    for (size_t i = 0; i < near.len; i++) {
        if (subject && strcmp(near.file[i].subject, subject) != 0)
            continue;
        buf_clear(&name);
        buf_printf(&name, "%s%s%s", stand_ins[2], subject ? "." : "", subject ? subject : "");
        add(f, near.file[i].path, buf_str(&name), subject, ROLE_SHOTS);
    }
    found_release(&near);
    f->folder = f->len > 1 || subject;
    free(subject);
}

static int find_folder(struct found *f, const struct adapter *a, const struct task_query *q,
                       bool shots, struct err *err)
{
    f->folder = true;
    if (!find_in_folder(f, a, q->path, a->file[q->split], ROLE_DATA))
        return refuse_folder(a, q, err);
    if (strcmp(f->file[0].name, stand_ins[0]) == 0)
        find_in_folder(f, a, q->path, NULL, ROLE_LABELS);
    else if (!(a->flags & ADAPTER_SUBJECT))
        add_labels(f, f->file[0].path, false);
    if (shots)
        find_in_folder(f, a, q->path, a->shots, ROLE_SHOTS);
    return 0;
}

static bool has_role(const struct found *f, unsigned role)
{
    for (size_t i = 0; i < f->len; i++)
        if (f->file[i].role & role)
            return true;
    return false;
}

/* How many few-shot examples are asked for; the default's may be absent. */
static int wanted_shots(const struct adapter *a, const struct task_query *q, struct err *err)
{
    bool dr_llm = q->prompts != PROMPTS_HARNESS || (a->flags & ADAPTER_BOXED);

    if (q->fewshot <= 0)
        return q->fewshot == 0 || dr_llm ? 0 : a->spec.fewshot;
    if (dr_llm)
        return err_set(err, ERR_INVALID,
                       "%s: Dr.LLM's prompts take no few-shot examples; leave fewshot out",
                       a->spec.name);
    if (!a->shots)
        return err_set(err, ERR_INVALID,
                       "%s has no file that few-shot examples could come from; leave fewshot out",
                       a->spec.name);
    return q->fewshot;
}

int found_open(struct found *ret, const struct adapter *a, const struct task_query *q,
               struct err *err)
{
    struct found f = { 0 };
    int rc = 0, shots = wanted_shots(a, q, err);

    if (shots < 0)
        return shots;
    if (is_folder(q->path))
        rc = find_folder(&f, a, q, shots > 0, err);
    else if (is_file(q->path))
        find_single(&f, a, q, shots > 0);
    else
        rc = err_errno(err, errno ? errno : ENOENT, "open %s", q->path);
    if (rc == 0 && shots > 0 && !has_role(&f, ROLE_SHOTS)) {
        if (q->fewshot > 0)
            rc = err_set(err, ERR_NOT_FOUND,
                         "%s: no few-shot file of %s in its folder; looked for %s", q->path,
                         a->spec.name, a->shots);
        shots = 0;
    }
    if (rc) {
        found_release(&f);
        return rc;
    }
    f.shots = shots;
    *ret = f;
    return 0;
}
