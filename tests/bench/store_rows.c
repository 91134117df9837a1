/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/store_rows.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "tests/bench/embedded.h"

enum { WORKERS = 8 };

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xFF51AFD7ED558CCDu;
    x ^= x >> 33;
    x *= 0xC4CEB9FE1A85EC53u;
    return x ^ x >> 33;
}

static struct digest key_of(const char *name, uint64_t a)
{
    char text[64];

    snprintf(text, sizeof text, "%s %llu", name, (unsigned long long)a);
    return digest_of(text, strlen(text));
}

static void submit_run(struct rows *r, struct store_submission *sub, size_t param, size_t seed)
{
    struct digest point = key_of("point", param * ROWS_SEEDS + seed);
    struct store_param params[] = { { "a", NULL }, { "seed", NULL } };
    char a[16], b[16];
    struct err err = { 0 };
    uint64_t run;

    snprintf(a, sizeof a, "%zu", param);
    snprintf(b, sizeof b, "%zu", seed + 1);
    params[0].value = a;
    params[1].value = b;
    bench_must(store_submit_run(r->s, sub, &point, seed + 1, params, 2, &run, &err), &err, "run");
    for (size_t k = 0; k < ROWS_STEPS; k++) {
        size_t f = (param * ROWS_SEEDS + seed) * ROWS_STEPS + k;
        struct store_family family = {
            .key = key_of("family", f), .kind = "evaluate", .task = "arc_easy", .split = "test"
        };
        struct store_job_family jf = { 0 };
        struct store_job_spec spec = { .key = key_of("job", f),
                                       .kind = "evaluate",
                                       .numeric_class = "packed-1",
                                       .kind_version = 1,
                                       .params = "",
                                       .params_text = "",
                                       .end = r->examples,
                                       .families = &jf,
                                       .families_len = 1,
                                       .runs = &run,
                                       .runs_len = 1 };
        char step[16];

        snprintf(step, sizeof step, "s%zu", k);
        spec.step = step;
        bench_must(store_submit_family(r->s, &family, &r->family[f], &err), &err, "family");
        bench_must(store_submit_run_family(r->s, run, step, r->family[f], r->examples, &err), &err,
                   "run's family");
        jf.family = r->family[f];
        bench_must(store_submit_job(r->s, sub, &spec, &r->job[f], &err), &err, "job");
    }
}

void rows_open(struct rows *r, uint64_t examples)
{
    const char *tmp = getenv("TMPDIR");
    struct store_submission sub;
    struct digest revision = key_of("revision", 0);
    struct err err = { 0 };

    *r = (struct rows){ .examples = examples };
    snprintf(r->dir, sizeof r->dir, "%s/drover-bench-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    bench_must(mkdtemp(r->dir) ? 0 : err_set(&err, ERR_IO, "%s", r->dir), &err, "scratch folder");
    snprintf(r->path, sizeof r->path, "%s/results.db", r->dir);
    bench_must(store_open(&r->s, r->path, "", &err), &err, "store");
    bench_must(store_submit_begin(r->s, "bench", &revision, "", "", &sub, &err), &err, "submit");
    for (size_t p = 0; p < ROWS_PARAMS; p++) {
        for (size_t k = 0; k < ROWS_SEEDS; k++)
            submit_run(r, &sub, p, k);
    }
    bench_must(store_submit_end(r->s, &sub, NULL, &err), &err, "submit");
    bench_must(store_begin(r->s, &err), &err, "begin");
    for (size_t f = 0; f < ROWS_FAMILIES; f++)
        bench_must(store_attempt_start(r->s, r->job[f], 0, &r->attempt[f], &r->epoch[f], &err),
                   &err, "attempt");
    bench_must(store_commit(r->s, &err), &err, "commit");
}

void rows_close_store(struct rows *r)
{
    store_close(r->s);
    r->s = NULL;
}

static void remove_files(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char path[600];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (unlink(path) < 0)
            remove_files(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

void rows_close(struct rows *r)
{
    rows_close_store(r);
    remove_files(r->dir);
}

void rows_place(const struct rows *r, uint64_t k, size_t *ret_family, uint64_t *ret_index)
{
    uint64_t block = WORKERS * r->examples;

    *ret_family = (size_t)(k / block * WORKERS + k % block % WORKERS);
    *ret_index = k % block / WORKERS;
}

void rows_score(struct rows_score *x, size_t f, uint64_t index)
{
    uint64_t h = mix(index * ROWS_FAMILIES + f + 1), gold = mix(index) % ROWS_CHOICES;
    /* Steps differ by two points each, so that pairs have something to tell. */
    bool right = h % 100 < 50 + 2 * (f % ROWS_STEPS) + mix(index) % 30;

    for (size_t i = 0; i < ROWS_CHOICES; i++)
        x->logprob[i] = -(double)(mix(h + i) >> 11) * 0x1p-50;
    for (size_t i = 0; i < ROWS_LAYERS; i++)
        x->routing[i] = (uint8_t)((h >> i % 32 & 7) == 7 ? 0 : 1);
    snprintf(x->source_id, sizeof x->source_id, "Mercury_%llu", (unsigned long long)index);
    snprintf(x->question, sizeof x->question, "Which of these is question %llu of the set?",
             (unsigned long long)index);
    x->gold[0] = (char)('A' + gold);
    x->answer[0] = (char)('A' + (right ? gold : (gold + 1) % ROWS_CHOICES));
    x->gold[1] = x->answer[1] = '\0';
    x->value[0] = (struct store_value_of){ "brier", (double)(h >> 40) * 0x1p-24 };
    x->example = (struct store_example){ .id = mix(index + 77),
                                         .index = index,
                                         .task = "arc_easy",
                                         .split = "test",
                                         .source_id = x->source_id,
                                         .question = x->question,
                                         .gold = x->gold };
    x->score = (struct store_score){ .correct = right,
                                     .correct_norm = h >> 20 & 1,
                                     .answer = x->answer,
                                     .layer_rows = 28 * 90,
                                     .layers = 28.0 - (double)(h >> 8 & 7),
                                     .tokens = 60 + h % 60,
                                     .routing = x->routing,
                                     .routing_len = ROWS_LAYERS,
                                     .logprob = x->logprob,
                                     .logprob_len = ROWS_CHOICES,
                                     .values = x->value,
                                     .values_len = 1,
                                     .pick = (int)(right ? gold : (gold + 1) % ROWS_CHOICES),
                                     .gold = (int)gold };
}
