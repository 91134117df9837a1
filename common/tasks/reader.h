/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - from an adapter and a query to examples: inside common/tasks only. */
#ifndef COMMON_TASKS_READER_H
#define COMMON_TASKS_READER_H

#include "common/tasks/adapters.h"

/* files.c: which files a query reads. */
enum file_role { ROLE_DATA = 1, ROLE_LABELS = 2, ROLE_SHOTS = 4 };
struct found_file {
    char *path, *name;
    char *subject; /* of adapters whose file names tell it, else NULL */
    unsigned role; /* bits: SHOTS may be DATA too */
};
struct found {
    struct found_file *file;
    size_t len, cap;
    bool folder; /* as struct task_files */
    int shots;   /* few-shot examples that will be taken */
};
int found_open(struct found *ret, const struct adapter *a, const struct task_query *q,
               struct err *err) MUST_CHECK;
void found_release(struct found *f);

/* build.c: a record (json object, fields may be added to it) as an example, and as a few-shot text.
 */
struct built {
    struct json *root;
    uint64_t id; /* of the first such record */
    char *record;
    bool dropped;
};
int build_record(const struct adapter *a, struct json *root, struct built *ret,
                 struct err *err) MUST_CHECK;
void built_release(struct built *b);
/* The level of a record: 0 when it has none ("Level ?"). */
int build_level(const struct adapter *a, const struct json *root, int *ret,
                struct err *err) MUST_CHECK;
/* SHOTS is put between description and prompt. NUMBER: the record's, the source id of records
 * without one. */
int build_example(const struct adapter *a, struct built *b, enum task_prompts prompts,
                  const char *shots, size_t number, struct example *ret,
                  struct err *err) MUST_CHECK;
/* "prompt target\n\n" appended to OUT. */
int build_shot(const struct adapter *a, struct built *b, struct buf *out,
               struct err *err) MUST_CHECK;
/* dr_llm.c: Dr.LLM's prompt in the place of the one that E has. */
int build_dr_llm(const struct adapter *a, const struct json *root, enum task_prompts prompts,
                 struct example *e, struct err *err) MUST_CHECK;

/* reader.c */
struct reader;
int reader_open(struct reader **ret, const struct adapter *a, const struct task_query *q,
                struct err *err) MUST_CHECK;
void reader_close(struct reader *r);
uint64_t reader_count(const struct reader *r);
int reader_get(struct reader *r, uint64_t index, struct example *ret, struct err *err) MUST_CHECK;

#endif
