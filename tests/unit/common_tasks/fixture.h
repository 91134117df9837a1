/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - benchmark files of our own making, and what a task makes of them. */
#ifndef TESTS_UNIT_COMMON_TASKS_FIXTURE_H
#define TESTS_UNIT_COMMON_TASKS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/tasks/task.h"
#include "tests/support/folder.h"

/* A file NAME with TEXT in the folder; "sub/name" makes sub. Returns its path (static, one of 4).
 */
static inline const char *fixture_file(const char *folder, const char *name, const char *text)
{
    static char path[4][512];
    static int next;
    char *p = path[next++ % 4];

    snprintf(p, 512, "%s/%s", folder, name);
    for (char *slash = p + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(p, 0700);
        *slash = '/';
    }
    FILE *f = fopen(p, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    return p;
}

/* A new folder; *state for setup. */
static inline int fixture_setup(void **state)
{
    char folder[] = "/tmp/drover-tasks-XXXXXX";

    if (!mkdtemp(folder))
        return -1;
    *state = strdup(folder);
    return 0;
}

static inline int fixture_teardown(void **state)
{
    int rc = folder_remove(*state);

    free(*state);
    return rc;
}

static inline struct task_query fixture_query(const char *task, const char *path)
{
    return (struct task_query){ .task = task, .path = path, .split = SPLIT_TEST, .fewshot = -1 };
}

static inline struct task_source *fixture_open(struct task_query q)
{
    struct task_source *s = NULL;
    struct err err = { 0 };

    if (task_open(&s, &q, &err))
        fail_msg("%s: %s", q.task, err.text);
    return s;
}

/* Example INDEX of a query, and how many there are. */
static inline struct example fixture_example(struct task_query q, uint64_t index, uint64_t *ret_n)
{
    struct task_source *s = fixture_open(q);
    struct err err = { 0 };
    struct example e;
    uint64_t n = 0;

    assert_int_equal(task_count(s, &n, NULL), 0);
    if (ret_n)
        *ret_n = n;
    if (task_get(s, index, &e, &err))
        fail_msg("%s: %s", q.task, err.text);
    task_close(s);
    return e;
}

/* A record and the example that it must become. Choices are written " text(characters)", '|'
 * between; stops '|' between. */
struct golden {
    const char *task, *text, *prompt, *choices, *gold;
    uint64_t mask, at, n;
    int level;
    const char *subset, *source;
    size_t tokens;
    const char *stops;
};

static inline void golden_same(const struct golden *g, const char *what, const char *got,
                               const char *want)
{
    if (strcmp(got, want) != 0)
        fail_msg("%s: the %s is\n%s|\nnot\n%s|", g->task, what, got, want);
}

static inline void golden_number(const struct golden *g, const char *what, uint64_t got,
                                 uint64_t want)
{
    if (got != want)
        fail_msg("%s: the %s is %llu, not %llu", g->task, what, (unsigned long long)got,
                 (unsigned long long)want);
}

/* TASK is among the LEN goldens. */
static inline void golden_covers(const struct golden *g, size_t len, const char *task)
{
    for (size_t i = 0; i < len; i++)
        if (strcmp(g[i].task, task) == 0)
            return;
    fail_msg("no golden example of %s", task);
}

static inline void golden_check(const char *folder, const struct golden *g)
{
    struct buf choices CLEANUP(buf_release) = { 0 }, stops CLEANUP(buf_release) = { 0 };
    struct task_query q = fixture_query(g->task, fixture_file(folder, "data", g->text));
    uint64_t n = 0;
    struct example e = fixture_example(q, g->at, &n);
    bool one = g->mask && !(g->mask & (g->mask - 1));

    for (size_t i = 0; i < e.choices_len; i++)
        buf_printf(&choices, "%s%s(%zu)", i ? "|" : "", e.choice[i], e.choice_chars[i]);
    for (size_t i = 0; i < e.stops_len; i++)
        buf_printf(&stops, "%s%s", i ? "|" : "", e.stop[i]);
    golden_same(g, "prompt", e.prompt, g->prompt);
    golden_same(g, "list of choices", buf_str(&choices), g->choices);
    golden_same(g, "gold answer", e.gold, g->gold);
    golden_same(g, "list of stops", buf_str(&stops), g->stops ? g->stops : "");
    golden_same(g, "subset", e.subset, g->subset ? g->subset : "");
    golden_same(g, "source id", e.source_id, g->source);
    golden_number(g, "gold mask", e.gold_mask, g->mask);
    golden_number(g, "gold choice", (uint64_t)(e.gold_choice + 1),
                  one ? (uint64_t)__builtin_ctzll(g->mask) + 1 : 0);
    golden_number(g, "limit of tokens", e.answer_tokens_max, g->tokens);
    golden_number(g, "level", (uint64_t)e.level, (uint64_t)g->level);
    golden_number(g, "number of examples", n, g->n);
    assert_true(e.id != 0 && e.question[0] != '\0' && !e.chat && !e.system && !e.begin);
    example_release(&e);
}

/* The path of data that is not handed on with the others, for its licence: who has it puts it
 * there. NULL: it is not. */
static inline const char *fixture_own(const char *name)
{
    static char path[512];
    const char *shared = getenv("DROVER_SHARED");

    snprintf(path, sizeof(path), "%s/data/%s", shared && *shared ? shared : "../shared", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* The path of shared data, or NULL after saying so. */
static inline const char *fixture_shared(const char *name)
{
    const char *path = fixture_own(name);

    if (!path)
        print_message("SKIP-DATA %s\n", name);
    return path;
}

#endif
