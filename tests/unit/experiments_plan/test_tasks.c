/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: tasks read from files and folders, prompts, paths and sampling make the keys and jobs that
 * they should, and what does not fit is refused with its place. Method: small files in a folder of
 * the test's own; pairs of recipes that must or must not share keys. */
#include "tests/unit/experiments_plan/recipes.h"

#include <unistd.h>

/* A folder of the test's own, and a file in it. */
struct place {
    char dir[64], file[3][160];
    size_t len;
};

static void place_new(struct place *p)
{
    *p = (struct place){ .dir = "/tmp/drover-plan-XXXXXX" };
    assert_non_null(mkdtemp(p->dir));
}

static const char *place_file(struct place *p, const char *name, const char *text)
{
    char *path = p->file[p->len++];
    FILE *f;

    assert_true(strlen(p->dir) + strlen(name) + 2 < sizeof(p->file[0]));
    stpcpy(stpcpy(stpcpy(path, p->dir), "/"), name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void place_remove(struct place *p)
{
    for (size_t i = 0; i < p->len; i++)
        unlink(p->file[i]);
    rmdir(p->dir);
}

#define GSM8K(N) "{\"question\": \"What is 1 + " N "?\", \"answer\": \"1 + " N " = 9\\n#### 9\"}\n"

/* An evaluation of TASK on FILES with REST; the model is the file MODEL. */
static struct plan *evaluate(const char *model, const char *task, const char *files,
                             const char *rest)
{
    struct buf text = { 0 };
    struct plan *p;

    buf_printf(&text,
               "name = \"t\"; steps = ( { id = \"e\"; job = \"evaluate\"; model = { path = "
               "\"%s\"; }; tasks = [\"%s\"]; files = { %s = \"%s\"; }; %s } );",
               model, task, task, files, rest);
    p = make(buf_str(&text), NULL);
    buf_release(&text);
    return p;
}

static const struct plan_input *task_input(const struct plan *p)
{
    for (size_t i = 0; i < p->job[0].inputs_len; i++)
        if (strcmp(p->job[0].input[i].name, "task_file") == 0)
            return &p->job[0].input[i];
    fail();
    return NULL;
}

static const struct plan_file *file_of(const struct plan *p, const struct digest *d)
{
    for (size_t i = 0; i < p->files_len; i++)
        if (digest_equal(&p->file[i].digest, d))
            return &p->file[i];
    fail();
    return NULL;
}

static void a_task_folder_travels_as_a_manifest(void **state)
{
    struct place at[2];
    struct plan *p[2];

    (void)state;
    for (int i = 0; i < 2; i++) { /* where it lies is no identity */
        place_new(&at[i]);
        const char *model = place_file(&at[i], "model.bin", "weights");
        place_file(&at[i], "test.jsonl", GSM8K("8") GSM8K("9"));
        place_file(&at[i], "train.jsonl", GSM8K("7"));
        p[i] = evaluate(model, "gsm8k", at[i].dir, "fewshot = 1;");
    }
    const struct plan_input *in = task_input(p[0]);
    const struct plan_file *manifest = file_of(p[0], &in->digest);
    assert_true(in->folder);
    assert_int_equal(in->source, PLAN_BLOB);
    assert_string_equal(in->path, at[0].dir);
    assert_non_null(manifest->manifest);
    assert_int_equal(in->size_bytes, strlen(manifest->manifest));
    assert_non_null(strstr(manifest->manifest, "test.jsonl "));
    assert_non_null(strstr(manifest->manifest, "train.jsonl "));
    assert_null(strstr(manifest->manifest, "model.bin")); /* only what the task reads */
    assert_int_equal(p[0]->job[0].end, 2);
    assert_int_equal(p[0]->files_len, 5);
    assert_true(digest_equal(&p[0]->job[0].key, &p[1]->job[0].key));
    plan_free(p[1]);
    /* Other worked examples are another evaluation. */
    at[1].len--;
    place_file(&at[1], "train.jsonl", GSM8K("6"));
    p[1] = evaluate(at[1].file[0], "gsm8k", at[1].dir, "fewshot = 1;");
    assert_false(digest_equal(&p[0]->job[0].key, &p[1]->job[0].key));
    for (int i = 0; i < 2; i++) {
        plan_free(p[i]);
        place_remove(&at[i]);
    }
}

static void a_task_file_is_what_it_always_was(void **state)
{
    struct place at;
    struct plan *p;

    (void)state;
    place_new(&at);
    const char *model = place_file(&at, "model.bin", "weights");
    const char *file = place_file(&at, "mine.jsonl", GSM8K("8"));
    p = evaluate(model, "gsm8k", file, "fewshot = 0;");
    const struct plan_input *in = task_input(p);
    assert_false(in->folder);
    assert_string_equal(in->path, file);
    assert_null(file_of(p, &in->digest)->manifest);
    plan_free(p);
    place_remove(&at);
}

#define MATH(LEVEL, N)                                                                             \
    "{\"problem\": \"What is $1 + " N "$?\", \"level\": \"Level " LEVEL                            \
    "\", \"subject\": \"Algebra\", \"unique_id\": \"test/" N "\", \"answer\": \"9\"}\n"

static void levels_of_a_file_are_taken_together_or_as_listed(void **state)
{
    struct place at;
    struct plan *p;

    (void)state;
    place_new(&at);
    const char *model = place_file(&at, "model.bin", "weights");
    const char *file =
        place_file(&at, "math.jsonl", MATH("1", "1") MATH("3", "2") MATH("3", "3") MATH("5", "4"));
    p = evaluate(model, "hendrycks_math", file, "");
    assert_int_equal(p->families_len, 1);
    assert_int_equal(p->family[0].level, 0);
    assert_int_equal(p->job[0].end, 4);
    plan_free(p);
    p = evaluate(model, "hendrycks_math", file, "levels = [3, 5];");
    assert_int_equal(p->families_len, 2);
    assert_int_equal(p->family[0].level, 3);
    assert_int_equal(p->job[0].end, 2);
    assert_int_equal(p->family[1].level, 5);
    assert_int_equal(p->job[1].end, 1);
    plan_free(p);
    place_remove(&at);
}

#define SCORE(REST)                                                                                \
    "{ id = \"score\"; job = \"evaluate\"; model = \"base\"; tasks = [\"math\"]; levels = [1];"    \
    "  examples = 10; " REST " }"

/* Of what the examples' results belong to. */
static struct digest score_key(const char *rest)
{
    struct buf text = { 0 };
    struct digest key = { { 0 } };
    struct plan *p;

    buf_printf(&text, RECIPE(TRAIN ", " SCORE("%s"), ""), rest);
    p = make(buf_str(&text), NULL);
    assert_int_equal(p->families_len, 1);
    key = p->family[0].key;
    plan_free(p);
    buf_release(&text);
    return key;
}

static void same_score(const char *a, const char *b, bool same)
{
    struct digest x = score_key(a), y = score_key(b);

    if (digest_equal(&x, &y) != same)
        fail_msg("\"%s\" and \"%s\": %s keys expected", a, b, same ? "equal" : "different");
}

static void what_an_evaluation_leaves_unsaid_is_its_default(void **state)
{
    (void)state;
    same_score("", "prompts = \"harness\"; fewshot = -1; max_new = 0; temperature = 0;", true);
    same_score("", "batch = 4; shard = 3;", true);
    same_score("", "max_new = 5;", false);
    same_score("", "temperature = 0.5;", false);
    same_score("temperature = 0.5;", "temperature = 0.5; sampling_seed = 2;", false);
    /* Greedy is greedy. */
    same_score("", "temperature = 0.0; top_k = 5; top_p = 0.5; sampling_seed = 3;", true);
    same_score("", "path = [1, 1, 0, 2];", false);
    same_score("path = [1, 0];", "routing = \"path\"; path = [1, 0];", true);
    same_score("path = [1, 0];", "path = [1, 0, 1];", false);
}

static void prompts_paths_and_examples_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *set, *expected;
    } cases[] = {
        { "score.prompts=dr_llm", "steps[1].prompts: math has no dr_llm prompt, only harness" },
        { "score.prompts=dr-llm", "did you mean \"dr_llm\"" },
        { "score.fewshot=5", "steps[1].fewshot: math is a synthetic task" },
        { "score.fewshot=65", "allowed are -1 to 64" },
        { "score.routing=path", "steps[1].routing: \"path\" needs path = [" },
        { "score.path=[1,3]", "allowed are 0 to 2" },
        { "score.path=[1,0,0,0]", "steps[1].path: skips layers 1 to 3; at most 2 in a row" },
        { "score.path=[0,0]", "steps[1].path: skips every layer" },
        { "score.tasks=[\"gsm8\"]", "did you mean \"gsm8k\"" },
        { "score.tasks=[\"gsm8k\"]", "files.gsm8k: missing; say files = { gsm8k = " },
        { "score.top_p=2", "allowed are 0 to 1" },
    };
    const char *text = RECIPE(TRAIN ", " SCORE(""), "");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refusal(text, cases[i].set, cases[i].expected);
    assert_refusal(RECIPE(TRAIN ",\n" SCORE("routing = \"base\";\n path = [1, 0];"), ""), NULL,
                   "t.cfg:3: steps[1].path: needs routing = \"path\", not \"base\"");
    assert_refusal(RECIPE(TRAIN "," SEARCH "," ORACLE, ""), "oracle.path=[1,0]",
                   "a step with labels runs by them");
}

/* Benchmarks as they come, all in one step per split. */
static void benchmarks_as_they_lie_are_planned_whole(void **state)
{
    static const struct {
        const char *task;
        uint64_t examples;
    } expected[] = { { "mmlu", 14042 },    { "gsm8k", 1319 }, { "svamp", 1000 },
                     { "arc_easy", 2376 }, { "piqa", 1838 },  { "boolq", 3270 },
                     { "copa", 100 },      { "wsc", 104 },    { "squadv2", 6078 } };
    static const char text[] =
        "name = \"t\"; paths = { data = \"\"; };\n"
        "steps = (\n"
        "{ id = \"test\"; job = \"evaluate\"; split = \"test\"; shard = 1000;"
        "  model = { path = \"${paths.data}/gsm8k/LICENSE\"; };"
        "  tasks = [\"mmlu\", \"gsm8k\", \"svamp\", \"arc_easy\"];"
        "  files = { mmlu = \"${paths.data}/mmlu\"; gsm8k = \"${paths.data}/gsm8k\";"
        "    svamp = \"${paths.data}/svamp\";"
        "    arc_easy = \"${paths.data}/arc/ARC-Easy-Test.jsonl\"; }; },\n"
        "{ id = \"dev\"; job = \"evaluate\"; split = \"validation\"; shard = 1000;"
        "  model = { path = \"${paths.data}/gsm8k/LICENSE\"; };"
        "  tasks = [\"piqa\", \"boolq\", \"copa\", \"wsc\", \"squadv2\"];"
        "  files = { piqa = \"${paths.data}/piqa\"; boolq = \"${paths.data}/superglue\";"
        "    copa = \"${paths.data}/superglue\"; wsc = \"${paths.data}/superglue\";"
        "    squadv2 = \"${paths.data}/squad2\"; }; } );";
    const char *shared = getenv("DROVER_SHARED");
    char set[256];
    struct plan *p;

    (void)state;
    snprintf(set, sizeof(set), "paths.data=%s/data", shared ? shared : "../shared");
    if (access(set + strlen("paths.data="), R_OK) != 0) {
        print_message("SKIP-DATA benchmarks\n");
        skip();
    }
    p = make(text, set);
    assert_int_equal(p->families_len, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < p->families_len; i++) {
        assert_string_equal(p->family[i].task, expected[i].task);
        assert_int_equal(p->run[0].family[i].examples, expected[i].examples);
    }
    for (size_t i = 0; i < p->files_len; i++)
        if (p->file[i].manifest)
            assert_true(strlen(p->file[i].manifest) < 1 << 20);
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_folder_travels_as_a_manifest),
        cmocka_unit_test(a_task_file_is_what_it_always_was),
        cmocka_unit_test(levels_of_a_file_are_taken_together_or_as_listed),
        cmocka_unit_test(what_an_evaluation_leaves_unsaid_is_its_default),
        cmocka_unit_test(benchmarks_as_they_lie_are_planned_whole),
        cmocka_unit_test(prompts_paths_and_examples_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
