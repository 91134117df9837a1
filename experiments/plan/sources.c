/* SPDX-License-Identifier: Apache-2.0 */
/* What lies outside the plan: models, task files, and how many examples there are. Everything is
 * read once per plan. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/memory.h"

/* A manifest travels inside the plan: WIRE_CHUNK_MAX. */
enum { MANIFEST_BYTES_MAX = 1 << 20 };

/* Every level of a synthetic task has at least 100,000 distinct problems, and a split at least a
 * tenth of them. */
enum { SURE_TO_EXIST = 8000 };

struct memo_model {
    char *name; /* path NUL-free, newline, tokenizer; of a task: its query */
    struct plan_input input;
    UT_hash_handle hh;
};

struct memo_count {
    char *name;     /* the query */
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

static struct plan_input folder_input(struct build *b, const char *name, const char *path,
                                      const struct outside_model *m)
{
    return (struct plan_input){ .name = name,
                                .source = PLAN_BLOB,
                                .digest = m->digest,
                                .size_bytes = m->manifest.len,
                                .path = absolute(b, path),
                                .output = "",
                                .folder = true };
}

/* A manifest and its members among the plan's files. */
static int add_folder(struct build *b, const struct outside_model *m, const char *path,
                      struct err *err)
{
    int rc = add_file(b, &m->digest, m->manifest.len, path, buf_str(&m->manifest), err);

    for (size_t i = 0; !rc && i < m->len; i++)
        rc = add_file(b, &m->member[i].digest, m->member[i].size_bytes, m->member[i].path, NULL,
                      err);
    return rc;
}

static int read_model(struct build *b, const char *path, const char *tokenizer,
                      struct plan_input *ret, struct err *err)
{
    struct outside_model m CLEANUP(outside_model_release) = { 0 };
    int rc = outside_model(b->outside, path, tokenizer, &m, err);

    if (!rc)
        rc = add_folder(b, &m, path, err);
    if (rc)
        return rc;
    *ret = folder_input(b, "model", path, &m);
    return 0;
}

/* The input known under NAME, or false. */
static bool recall(const struct build *b, const struct buf *name, struct plan_input *ret)
{
    struct memo_model *m = NULL;

    HASH_FIND(hh, b->models, name->data, name->len, m);
    if (m)
        *ret = m->input;
    return m != NULL;
}

static void remember(struct build *b, const struct buf *name, const struct plan_input *input)
{
    struct memo_model *m = mem_calloc(1, sizeof(*m));

    m->input = *input;
    m->name = mem_strdup(name->data);
    HASH_ADD_KEYPTR(hh, b->models, m->name, name->len, m);
}

int build_model_input(struct build *b, const char *path, const char *tokenizer,
                      struct plan_input *ret, struct err *err)
{
    struct buf name CLEANUP(buf_release) = { 0 };

    buf_printf(&name, "%s\n%s", path, tokenizer ? tokenizer : "");
    if (recall(b, &name, ret))
        return 0;
    int rc = read_model(b, path, tokenizer, ret, err);
    if (rc == 0)
        remember(b, &name, ret);
    return rc;
}

static int file_input(struct build *b, const char *path, struct plan_input *ret, struct err *err)
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

int build_path_input(struct build *b, const char *path, struct plan_input *ret, struct err *err)
{
    struct stat s;

    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return build_model_input(b, path, NULL, ret, err); /* any folder: its files */
    return file_input(b, path, ret, err);
}

static void release_source(struct task_source **s)
{
    task_close(*s);
}

static struct task_query query_of(const struct step *s, const struct step_task *t, int level)
{
    return (struct task_query){ .task = t->spec->name,
                                .level = level,
                                .split = s->split,
                                .path = t->file,
                                .prompts = s->prompts,
                                .fewshot = s->fewshot };
}

static void print_query(const struct task_query *q, struct buf *out)
{
    buf_printf(out, "task %s %d %s %s %d %s", q->task, q->level, split_name(q->split),
               task_prompts_name(q->prompts), q->fewshot, q->path ? q->path : "");
}

int build_prompt_bytes(struct build *b, const struct step *s, const struct step_task *task,
                       int level, int64_t budget, uint64_t *ret, struct err *err)
{
    enum { EXAMPLES = 64 };
    struct task_source *source CLEANUP(release_source) = NULL;
    struct task_query q = query_of(s, task, level);
    struct buf name CLEANUP(buf_release) = { 0 };
    struct memo_count *c = NULL;
    int rc = 0;

    q.budget = (size_t)budget;
    buf_printf(&name, "prompt %" PRId64 " ", budget);
    print_query(&q, &name);
    HASH_FIND(hh, b->counts, name.data, name.len, c);
    if (!c) {
        uint64_t longest = 0;
        rc = task_open(&source, &q, err);
        for (uint64_t i = 0; !rc && i < EXAMPLES; i++) {
            struct example e = { 0 };
            if (task_get(source, i, &e, NULL) != 0)
                break;
            longest = MAX(longest, strlen(e.prompt) + (e.system ? strlen(e.system) : 0));
            example_release(&e);
        }
        if (rc)
            return rc;
        c = mem_calloc(1, sizeof(*c));
        c->name = mem_strdup(buf_str(&name));
        c->known = longest;
        HASH_ADD_KEYPTR(hh, b->counts, c->name, name.len, c);
    }
    *ret = c->known;
    return 0;
}

static int read_files(struct build *b, const char *path, const struct task_files *f,
                      struct plan_input *ret, struct err *err)
{
    struct outside_model m CLEANUP(outside_model_release) = { 0 };
    const char **list CLEANUP(mem_cleanup) = mem_calloc(2 * f->len + 1, sizeof(*list));
    const char **paths = list + f->len;

    for (size_t i = 0; i < f->len; i++) {
        list[i] = f->file[i].name;
        paths[i] = f->file[i].path;
    }
    int rc = outside_files(b->outside, list, paths, f->len, &m, err);
    if (!rc && m.manifest.len > MANIFEST_BYTES_MAX)
        rc = err_set(err, ERR_LIMIT, "%s: too many files", path);
    if (!rc)
        rc = add_folder(b, &m, path, err);
    if (!rc)
        *ret = folder_input(b, "task_file", path, &m);
    return rc;
}

int build_task_input(struct build *b, const struct step *s, const struct step_task *task,
                     struct plan_input *ret, struct err *err)
{
    struct task_files files CLEANUP(task_files_release) = { 0 };
    struct buf name CLEANUP(buf_release) = { 0 };
    const struct task_query q = query_of(s, task, 0);

    print_query(&q, &name);
    if (recall(b, &name, ret))
        return 0;
    int rc = task_files(&q, &files, err);
    if (!rc && files.len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "%s: no file of %s", task->file, task->spec->name);
    if (!rc)
        rc = files.folder || files.len > 1 ? read_files(b, task->file, &files, ret, err)
                                           : file_input(b, files.file[0].path, ret, err);
    if (!rc)
        remember(b, &name, ret);
    return rc;
}

/* How many examples there are: exactly for files, up to WANTED for synthetic tasks. */
static int count(const struct step_task *task, const struct task_query *q, uint64_t wanted,
                 struct memo_count *c, struct err *err)
{
    struct task_source *s CLEANUP(release_source) = NULL;
    struct example e = { 0 };
    struct err inner = { 0 };

    if (task->spec->synthetic && wanted <= SURE_TO_EXIST) {
        c->known = MAX(c->known, wanted);
        return 0;
    }
    int rc = task_open(&s, q, err);
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

int build_count(struct build *b, const struct step *s, const struct step_task *task, int level,
                uint64_t *wanted, struct err *err)
{
    const struct task_query q = query_of(s, task, level);
    struct buf name CLEANUP(buf_release) = { 0 };
    struct memo_count *c = NULL;

    print_query(&q, &name);
    HASH_FIND(hh, b->counts, name.data, name.len, c);
    if (!c) {
        c = mem_calloc(1, sizeof(*c));
        c->name = mem_strdup(buf_str(&name));
        HASH_ADD_KEYPTR(hh, b->counts, c->name, name.len, c);
    }
    if (!c->all && (c->known < *wanted || c->known == 0)) {
        int rc = count(task, &q, *wanted, c, err);
        if (rc)
            return rc;
    }
    if (*wanted == 0)
        *wanted = c->known;
    if (*wanted > c->known)
        return err_set(err, ERR_LIMIT, "%llu examples of %s%s%s (%s) are asked for, %llu exist",
                       (unsigned long long)*wanted, task->spec->name, level ? " level " : "",
                       level ? (const char[]){ (char)('0' + level), '\0' } : "",
                       split_name(s->split), (unsigned long long)c->known);
    if (*wanted == 0)
        return err_set(err, ERR_INVALID, "%s has no examples",
                       task->file ? task->file : "the task");
    return 0;
}
