/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a file-based task: which records there are, by id; the example is made when asked.
 * Opening builds every example once, so that a broken record is named before any work is done. */
#include "common/tasks/reader.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "common/base/mem.h"
#include "common/tasks/fields.h"
#include "common/tasks/records.h"
#include "common/tasks/source.h"

enum { SHOTS_MAX = 1000 };

struct item {
    uint64_t id;
    uint32_t file, record;
};

struct twin {
    uint64_t id;
    uint32_t n;
    UT_hash_handle hh;
};

struct shot {
    uint64_t id;
    char *subject, *text;
};

struct reader {
    const struct adapter *a;
    enum task_prompts prompts;
    int level, shots;
    char *path;
    struct records **file;
    size_t files;
    struct item *item;
    size_t len, cap;
    struct twin *twins; /* while opening */
    struct shot *shot;
    size_t shots_len;
};

/* Record I of R, NULL in ret->root when it is dropped; errors name the place. */
static int record_at(const struct adapter *a, const struct records *r, size_t i, struct built *ret,
                     struct err *err)
{
    struct json *root = NULL;
    int rc = records_get(r, i, &root, err);

    *ret = (struct built){ .dropped = true };
    if (rc || !root)
        return rc;
    rc = build_record(a, root, ret, err);
    return rc ? records_refuse(r, i, err) : 0;
}

static int add_shots(struct reader *r, const struct found_file *f, int wanted, struct err *err)
{
    struct records *records = NULL;
    int rc = records_open(&records, r->a, f->path, NULL, f->subject, err);
    int taken = 0;

    /* One more than wanted: an example is never its own few-shot example. */
    for (size_t i = 0; rc == 0 && i < records_len(records) && taken <= wanted; i++) {
        struct buf text = { 0 };
        struct built b;
        rc = record_at(r->a, records, i, &b, err);
        if (rc == 0 && !b.dropped) {
            rc = build_shot(r->a, &b, &text, err);
            if (rc)
                rc = records_refuse(records, i, err);
            r->shot = mem_realloc(r->shot, r->shots_len + 1, sizeof(*r->shot));
            r->shot[r->shots_len++] =
                (struct shot){ .id = b.id,
                               .subject = f->subject ? mem_strdup(f->subject) : NULL,
                               .text = buf_detach(&text) };
            taken++;
        }
        built_release(&b);
    }
    records_close(records);
    if (rc == 0 && taken < wanted)
        rc = err_set(err, ERR_LIMIT, "%s has %d few-shot examples, asked for %d", f->path, taken,
                     wanted);
    return rc;
}

/* The few-shot part of the context of the example ID of SUBJECT. */
static void shots_for(const struct reader *r, uint64_t id, const char *subject, struct buf *out)
{
    int taken = 0;

    for (size_t i = 0; i < r->shots_len && taken < r->shots; i++) {
        const struct shot *s = &r->shot[i];
        if (s->id == id || (s->subject && strcmp(s->subject, subject) != 0))
            continue;
        buf_adds(out, s->text);
        taken++;
    }
}

static int example_at(const struct reader *r, const struct records *records, size_t i,
                      struct built *b, struct example *ret, struct err *err)
{
    struct buf shots CLEANUP(buf_release) = { 0 };
    const char *subject = json_text(json_get(b->root, "@subject"));

    shots_for(r, b->id, subject ? subject : "", &shots);
    int rc =
        build_example(r->a, b, r->prompts, buf_str(&shots), records_number(records, i), ret, err);
    return rc ? records_refuse(records, i, err) : 0;
}

/* How many records of this id came before: 0 for the first. */
static uint32_t count_twin(struct reader *r, uint64_t id)
{
    struct twin *t = NULL;

    HASH_FIND(hh, r->twins, &id, sizeof(id), t);
    if (t)
        return ++t->n;
    t = mem_calloc(1, sizeof(*t));
    t->id = id;
    HASH_ADD(hh, r->twins, id, sizeof(t->id), t);
    return 0;
}

static void forget_twins(struct reader *r)
{
    struct twin *t, *next;

    HASH_ITER(hh, r->twins, t, next)
    {
        HASH_DEL(r->twins, t);
        free(t);
    }
}

static int add_record(struct reader *r, size_t file, size_t i, struct err *err)
{
    struct built b;
    struct example e;
    int rc = record_at(r->a, r->file[file], i, &b, err);

    if (rc || b.dropped) {
        built_release(&b);
        return rc;
    }
    rc = example_at(r, r->file[file], i, &b, &e, err);
    if (rc) {
        built_release(&b);
        return rc;
    }
    uint32_t before = count_twin(r, b.id);
    uint64_t id = b.id;
    if (before > 0) {
        struct buf record CLEANUP(buf_release) = { 0 };
        buf_printf(&record, "%s\n#%u", b.record, before + 1);
        id = example_id(&r->a->spec, buf_str(&record));
    }
    bool wanted = !r->level || e.level == r->level;
    if (wanted && !(before > 0 && (r->a->flags & ADAPTER_OWN_IDS))) {
        if (r->len == r->cap) {
            r->cap = r->cap ? r->cap * 2 : 1024;
            r->item = mem_realloc(r->item, r->cap, sizeof(*r->item));
        }
        r->item[r->len++] =
            (struct item){ .id = id, .file = (uint32_t)file, .record = (uint32_t)i };
    }
    example_release(&e);
    built_release(&b);
    return 0;
}

static const char *labels_of(const struct found *f)
{
    for (size_t i = 0; i < f->len; i++)
        if (f->file[i].role & ROLE_LABELS)
            return f->file[i].path;
    return NULL;
}

static int read_all(struct reader *r, const struct found *f, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < f->len; i++)
        if (f->file[i].role & ROLE_SHOTS)
            rc = add_shots(r, &f->file[i], f->shots, err);
    r->file = mem_calloc(f->len, sizeof(*r->file));
    for (size_t i = 0; rc == 0 && i < f->len; i++) {
        if (!(f->file[i].role & ROLE_DATA))
            continue;
        size_t n = r->files;
        rc =
            records_open(&r->file[n], r->a, f->file[i].path, labels_of(f), f->file[i].subject, err);
        r->files += rc == 0;
        for (size_t k = 0; rc == 0 && k < records_len(r->file[n]); k++)
            rc = add_record(r, n, k, err);
    }
    if (rc == 0 && r->len == 0)
        rc = err_set(err, ERR_INVALID, "%s: no record of level %d", r->path, r->level);
    return rc;
}

int reader_open(struct reader **ret, const struct adapter *a, const struct task_query *q,
                struct err *err)
{
    struct found found = { 0 };
    int rc = found_open(&found, a, q, err);

    if (rc == 0 && found.shots > SHOTS_MAX)
        rc = err_set(err, ERR_LIMIT, "%s: %d few-shot examples; at most %d", a->spec.name,
                     found.shots, SHOTS_MAX);
    if (rc) {
        found_release(&found);
        return rc;
    }
    struct reader *r = mem_calloc(1, sizeof(*r));
    r->a = a;
    r->prompts = q->prompts;
    r->level = q->level;
    r->shots = found.shots;
    r->path = mem_strdup(q->path);
    rc = read_all(r, &found, err);
    forget_twins(r);
    found_release(&found);
    if (rc) {
        reader_close(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->files; i++)
        records_close(r->file[i]);
    for (size_t i = 0; i < r->shots_len; i++) {
        free(r->shot[i].subject);
        free(r->shot[i].text);
    }
    free(r->shot);
    free(r->file);
    free(r->item);
    free(r->path);
    free(r);
}

uint64_t reader_count(const struct reader *r)
{
    return r->len;
}

int reader_get(struct reader *r, uint64_t index, struct example *ret, struct err *err)
{
    struct built b;

    if (index >= r->len)
        return err_set(err, ERR_LIMIT, "%s has %zu examples, asked for %llu", r->path, r->len,
                       (unsigned long long)index + 1);
    const struct item *item = &r->item[index];
    int rc = record_at(r->a, r->file[item->file], item->record, &b, err);
    if (rc == 0)
        rc = example_at(r, r->file[item->file], item->record, &b, ret, err);
    if (rc == 0)
        ret->id = item->id;
    built_release(&b);
    return rc;
}
