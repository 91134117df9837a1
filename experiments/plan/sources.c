/* SPDX-License-Identifier: Apache-2.0 */
/* What lies outside the plan: models, task files, and how many examples there are. Everything is
 * read once per plan. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/memory.h"

/* Every level of a synthetic task has at least 100,000 distinct problems, and a split at least a
 * tenth of them. */
enum { SURE_TO_EXIST = 8000 };

struct memo_model {
    char *name; /* path NUL-free, newline, tokenizer */
    struct plan_input input;
    UT_hash_handle hh;
};

struct memo_count {
    char *name;     /* "task level split path" */
    uint64_t known; /* so many exist */
    bool all;       /* and no more */
    UT_hash_handle hh;
};

void memo_release(struct build *b)
{
    struct memo_model *m, *next_model;
    struct memo_count *c, *next_count;

    HASH_ITER(hh, b->models, m, next_model)
    {
        HASH_DEL(b->models, m);
        free(m->name);
        free(m);
    }
    HASH_ITER(hh, b->counts, c, next_count)
    {
        HASH_DEL(b->counts, c);
        free(c->name);
        free(c);
    }
}

static const char *absolute(struct build *b, const char *path)
{
    char *full CLEANUP(mem_cleanup) = realpath(path, NULL);
    return build_text(b, full ? full : path);
}

static int add_file(struct build *b, const struct digest *digest, uint64_t size, const char *path,
                    const char *manifest, struct err *err)
{
    uint32_t index;
    bool is_new;
    int rc = build_file(b, digest, &index, &is_new, err);

    if (rc || !is_new)
        return rc;
    struct plan_file *f = &b->plan->file[index];
    f->size_bytes = size;
    f->path = absolute(b, path);
    f->manifest = manifest ? build_text(b, manifest) : NULL;
    return 0;
}

static int read_model(struct build *b, const char *path, const char *tokenizer,
                      struct plan_input *ret, struct err *err)
{
    struct outside_model m CLEANUP(outside_model_release) = { 0 };
    int rc = outside_model(b->outside, path, tokenizer, &m, err);

    if (!rc)
        rc = add_file(b, &m.digest, m.manifest.len, path, buf_str(&m.manifest), err);
    for (size_t i = 0; !rc && i < m.len; i++)
        rc = add_file(b, &m.member[i].digest, m.member[i].size_bytes, m.member[i].path, NULL, err);
    if (rc)
        return rc;
    *ret = (struct plan_input){ .name = "model",
                                .source = PLAN_BLOB,
                                .digest = m.digest,
                                .size_bytes = m.manifest.len,
                                .path = absolute(b, path),
                                .output = "",
                                .folder = true };
    return 0;
}

int build_model_input(struct build *b, const char *path, const char *tokenizer,
                      struct plan_input *ret, struct err *err)
{
    struct buf name CLEANUP(buf_release) = { 0 };
    struct memo_model *m = NULL;

    buf_printf(&name, "%s\n%s", path, tokenizer ? tokenizer : "");
    HASH_FIND(hh, b->models, name.data, name.len, m);
    if (m) {
        *ret = m->input;
        return 0;
    }
    int rc = read_model(b, path, tokenizer, ret, err);
    if (rc)
        return rc;
    m = mem_calloc(1, sizeof(*m));
    m->input = *ret;
    m->name = mem_strdup(buf_str(&name));
    HASH_ADD_KEYPTR(hh, b->models, m->name, name.len, m);
    return 0;
}

int build_file_input(struct build *b, const char *path, struct plan_input *ret, struct err *err)
{
    struct digest d;
    uint64_t size;
    int rc = outside_file(b->outside, path, &d, &size, err);

    rc = rc ? rc : add_file(b, &d, size, path, NULL, err);
    if (rc)
        return rc;
    *ret = (struct plan_input){ .name = "task_file",
                                .source = PLAN_BLOB,
                                .digest = d,
                                .size_bytes = size,
                                .path = absolute(b, path),
                                .output = "" };
    return 0;
}

static void release_source(struct task_source **s)
{
    task_close(*s);
}

/* How many examples there are: exactly for files, up to WANTED for synthetic tasks. */
static int count(const struct step_task *task, int level, enum split split, uint64_t wanted,
                 struct memo_count *c, struct err *err)
{
    struct task_source *s CLEANUP(release_source) = NULL;
    struct example e = { 0 };
    struct err inner = { 0 };

    if (task->spec->synthetic && wanted <= SURE_TO_EXIST) {
        c->known = MAX(c->known, wanted);
        return 0;
    }
    int rc = task_open(&s, task->spec->name, level, split, task->file, err);
    if (rc)
        return rc;
    if (!task->spec->synthetic) {
        c->all = true;
        return task_count(s, &c->known, err);
    }
    rc = task_get(s, wanted - 1, &e, &inner);
    if (rc == 0) {
        example_release(&e);
        c->known = wanted;
        return 0;
    }
    if (rc != ERR_LIMIT) {
        if (err)
            *err = inner;
        return rc;
    }
    c->all = true;
    return task_count(s, &c->known, err);
}

int build_count(struct build *b, const struct step_task *task, int level, enum split split,
                uint64_t *wanted, struct err *err)
{
    struct buf name CLEANUP(buf_release) = { 0 };
    struct memo_count *c = NULL;

    buf_printf(&name, "%s %d %s %s", task->spec->name, level, split_name(split),
               task->file ? task->file : "");
    HASH_FIND(hh, b->counts, name.data, name.len, c);
    if (!c) {
        c = mem_calloc(1, sizeof(*c));
        c->name = mem_strdup(buf_str(&name));
        HASH_ADD_KEYPTR(hh, b->counts, c->name, name.len, c);
    }
    if (!c->all && (c->known < *wanted || c->known == 0)) {
        int rc = count(task, level, split, *wanted, c, err);
        if (rc)
            return rc;
    }
    if (*wanted == 0)
        *wanted = c->known;
    if (*wanted > c->known)
        return err_set(err, ERR_LIMIT, "%llu examples of %s%s%s (%s) are asked for, %llu exist",
                       (unsigned long long)*wanted, task->spec->name, level ? " level " : "",
                       level ? (const char[]){ (char)('0' + level), '\0' } : "", split_name(split),
                       (unsigned long long)c->known);
    if (*wanted == 0)
        return err_set(err, ERR_INVALID, "%s has no examples",
                       task->file ? task->file : "the task");
    return 0;
}
