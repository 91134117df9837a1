/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/keys_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"
#include "experiments/plan/step.h"

#define WHEN_HELP                                                                                  \
    "In which runs the entry varies; elsewhere its parameters keep the step's own value."
#define WHEN                                                                                       \
    {                                                                                              \
        "when", "condition", "", KINDS_ALL, WHEN_HELP                                              \
    }
#define SET                                                                                        \
    {                                                                                              \
        "set", "text", NULL, KINDS_ALL, "What varies: STEP.PARAMETER, or seed."                    \
    }

static const struct recipe_key root_keys[] = {
    { "name", "text", NULL, KINDS_ALL,
      "The experiment's name: letters, digits, _ - / and dots. A recipe of the same name is "
      "another "
      "revision." },
    { "description", "text", "", KINDS_ALL, "For people." },
    { "priority", "integer", "the one it has, at first 0", KINDS_ALL,
      "The experiment's, -1000000 to 1000000: jobs of a higher one go first. `--priority` of run "
      "and submit and `drover priority` change it." },
    { "paths", "group of texts", "", KINDS_ALL,
      "Variables that are paths: ${paths.NAME}. Relative ones start at the recipe's folder, those "
      "of "
      "--set at the current one." },
    { "vars", "group of values", "", KINDS_ALL, "Variables: ${vars.NAME}." },
    { "steps", "list of groups", NULL, KINDS_ALL, "What a run does; 1 to 64 steps in any order." },
    { "sweep", "list of groups", "one run", KINDS_ALL,
      "What varies between runs: entries of any form, which multiply." },
    { "exclude", "list of conditions", "", KINDS_ALL,
      "Points of the sweep for which one of them holds are left out." },
    { "halving", "group", "", KINDS_ALL, "Go on with the best candidates only, rung by rung." },
    { "tables", "list of groups", "", KINDS_ALL, "Tables that `drover table` prints (tables.md)." },
};

static const struct recipe_key step_keys[] = {
    { "id", "text", NULL, KINDS_ALL,
      "The step's name, once per recipe: letters, digits, _ and -." },
    { "job", "text", NULL, KINDS_ALL, "The job kind, see below." },
    { "when", "condition", "", KINDS_ALL, "In which runs the step is. Without it: in all." },
    { "seed", "\"run\" or integer", "0", KINDS_SEEDED,
      "\"run\": the run's seed. A step takes the run's seed only if it says so." },
    { "retries", "integer", "2", KINDS_ALL,
      "Further tries after a failure of its own, at most 100; lost workers cost none." },
    { "model", "text or group", NULL, KINDS_MODEL,
      "The id of a step that makes a model; a path; or { path = \"...\"; tokenizer = \"...\"; }. A "
      "noop step may leave it out; absent beside labels, router or static: the model of these. Of "
      "a "
      "stage step with the id train, \"train\" is the last stage's model and \"train.2\" the "
      "second's." },
    { "model.path", "text", "", KINDS_MODEL,
      "A Hugging Face folder, a GGUF file, or a llama2.c checkpoint." },
    { "model.tokenizer", "text", "", KINDS_MODEL,
      "The tokenizer's file when it does not lie beside the model." },
    { "labels", "text", "", KINDS_LABELS,
      "The id of a search or collect step. evaluate: examples run by their labels (routing = "
      "\"labels\"); beside a router, it is compared with them; random and shuffled routing also "
      "take an evaluate step. router, select: what they learn from (required)." },
    { "router", "text", "", KINDS_ROUTED,
      "The id of a router step, which decides (routing = \"router\")." },
    { "static", "text", "", KINDS_ROUTED,
      "The id of a select step: all examples run by its best path (routing = \"static\")." },
    { "starts", "text", "", KINDS_SEARCH,
      "The id of a select step: with method = \"enumerate\", paths within depth edits of its paths "
      "are tried too." },
    { "results", "text or texts", NULL, KINDS_RESULTS,
      "Ids of search steps, or of evaluate steps, at most 16." },
    { "tasks", "texts", NULL, KINDS_SHARDS,
      "Names of tasks, at most 64; `drover tasks` lists them all." },
    { "levels", "integers", "all", KINDS_SHARDS,
      "Difficulty levels. Absent or []: each level of a synthetic task, all of a file together." },
    { "files", "group of texts", "", KINDS_FILES,
      "{ TASK = \"FILE OR FOLDER\"; } for tasks that are read from files. Without it counts the "
      "recipe's paths.TASK." },
    { "inputs", "group of texts", "", KINDS_EXEC,
      "{ NAME = \"STEP\"; } for what a step makes (\"STEP.OUTPUT\" when it makes several things), "
      "or { NAME = \"./PATH\"; } for a file or folder: {input.NAME} in the command." },
    { "jobs", "integer", "1", KINDS_NOOP,
      "So many jobs, at most 100000, that differ by their number alone: to see how fast jobs go." },
    { "cores", "integer", "one slot", KINDS_ALL,
      "Cores that each job needs: it goes to workers that offer so many (slots x threads) and have "
      "them free. Like memory and requires, no part of what the job is: changes no result." },
    { "memory", "text", "not asked", KINDS_ALL,
      "Memory that each job needs: \"512M\", \"8G\" (drover-worker --memory)." },
    { "requires", "texts", "", KINDS_ALL,
      "Labels that the worker must have: [\"gpu\"] (drover-worker --label gpu)." },
    { "shard", "integer", "50", KINDS_SHARDS, "Examples per job. Changes no result." },
};

static const struct recipe_key grid_keys[] = {
    SET,
    { "values", "list", NULL, KINDS_ALL,
      "1 to 4096 different values; for parameters that are lists, a list of lists: ([0.7, 0.3], "
      "[1.0])." },
    WHEN,
};

static const struct recipe_key zip_keys[] = {
    { "zip", "list of groups", NULL, KINDS_ALL,
      "Parameters that advance together, each { set; values; }, all with as many values." },
    WHEN,
};

static const struct recipe_key zip_column_keys[] = {
    SET,
    { "values", "list", NULL, KINDS_ALL, "1 to 4096 values, which may repeat." },
};

static const struct recipe_key points_keys[] = {
    { "points", "list of groups", NULL, KINDS_ALL,
      "Points one by one: { STEP = { PARAMETER = VALUE; }; seed = N; }. What a point does not name "
      "keeps the step's own value." },
    WHEN,
};

static const struct recipe_key random_keys[] = {
    { "random", "list of groups", NULL, KINDS_ALL,
      "Parameters to draw, each { set; } and one of uniform, log_uniform, integers, choice." },
    { "points", "integer", NULL, KINDS_ALL,
      "How many, 1 to 100000. More of them, or another parameter, change none that were drawn." },
    { "seed", "integer", "1", KINDS_ALL, "Seed of the draw; it has nothing to do with the runs'." },
    WHEN,
};

static const struct recipe_key random_column_keys[] = {
    SET,
    { "uniform", "[low, high]", "", KINDS_ALL, "Numbers of nine digits, evenly from low to high." },
    { "log_uniform", "[low, high]", "", KINDS_ALL,
      "Numbers of nine digits whose logarithm is even; 0 < low." },
    { "integers", "[low, high]", "", KINDS_ALL, "Integers, both ends included." },
    { "choice", "list", "", KINDS_ALL, "One of these values." },
};

static const struct recipe_key halving_keys[] = {
    { "rungs", "list", NULL, KINDS_ALL,
      "2 to 16 steps in the order in which they are reached, each the id of a step or { step; "
      "score; "
      "}." },
    { "measure", "text", NULL, KINDS_ALL,
      "What decides: of evaluate and search steps accuracy, layers or a benchmark's metric (of a "
      "search also oracle), of training the last value of a metric (reward, loss...)." },
    { "better", "`higher` or `lower`", "higher", KINDS_ALL, "Which values are better." },
    { "keep", "number", "0.5", KINDS_ALL,
      "Share of the candidates that go on after each rung, rounded up; at least one does." },
};

static const struct recipe_key rung_keys[] = {
    { "step", "text", NULL, KINDS_ALL, "The step." },
    { "score", "text", "the step itself", KINDS_ALL,
      "The step whose result decides: an evaluate or search step that needs the rung's step." },
};

#define KEYS(TITLE, TABLE)                                                                         \
    {                                                                                              \
        TITLE, TABLE, ARRAY_LEN(TABLE)                                                             \
    }

static const struct {
    const char *title;
    const struct recipe_key *keys;
    size_t len;
} places[RECIPE_PLACES] = {
    [KEYS_ROOT] = KEYS("The recipe", root_keys),
    [KEYS_STEP] = KEYS("A step", step_keys),
    [KEYS_GRID] = KEYS("The sweep: an axis of a grid", grid_keys),
    [KEYS_ZIP] = KEYS("The sweep: zip", zip_keys),
    [KEYS_ZIP_COLUMN] = KEYS("A parameter of a zip", zip_column_keys),
    [KEYS_POINTS] = KEYS("The sweep: a list of points", points_keys),
    [KEYS_RANDOM] = KEYS("The sweep: random points", random_keys),
    [KEYS_RANDOM_COLUMN] = KEYS("A parameter of random points", random_column_keys),
    [KEYS_HALVING] = KEYS("Halving", halving_keys),
    [KEYS_RUNG] = KEYS("A rung", rung_keys),
};

const char *recipe_place_title(enum recipe_place place)
{
    assert((unsigned)place < RECIPE_PLACES);
    return places[place].title;
}

const struct recipe_key *recipe_keys(enum recipe_place place, size_t *ret_len)
{
    assert((unsigned)place < RECIPE_PLACES);
    *ret_len = places[place].len;
    return places[place].keys;
}

const char *const *recipe_key_names(enum recipe_place place, const char *names[RECIPE_KEYS_MAX])
{
    size_t len;
    const struct recipe_key *keys = recipe_keys(place, &len);

    assert(len < RECIPE_KEYS_MAX);
    for (size_t i = 0; i < len; i++)
        names[i] = keys[i].name;
    names[len] = NULL;
    return names;
}

bool recipe_key_fits(const struct recipe_key *key, const struct kind *k)
{
    switch (key->kinds) {
    case KINDS_ALL:
        return true;
    case KINDS_SEEDED:
        return *k->seed_drives != '\0';
    case KINDS_MODEL:
        return step_has_word(k->inputs, "model");
    case KINDS_LABELS:
        return step_has_word(k->inputs, "labels");
    case KINDS_ROUTED:
        return step_has_word(k->inputs, "router");
    case KINDS_SEARCH:
        return k->id == KIND_SEARCH;
    case KINDS_RESULTS: /* those of a rung are the halving's */
        return step_has_word(k->inputs, "results") && !step_has_word(k->optional, "results");
    case KINDS_SHARDS:
        return k->shards;
    case KINDS_FILES:
        return step_reads_files(k);
    case KINDS_EXEC:
        return k->id == KIND_EXEC;
    case KINDS_NOOP:
        return k->id == KIND_NOOP;
    }
    return false;
}

const char *recipe_key_kinds(const struct recipe_key *key, char *out, size_t size)
{
    size_t len = 0;

    if (key->kinds == KINDS_ALL)
        return "all";
    *out = '\0';
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = kind_at((enum kind_id)i);
        if (!recipe_key_fits(key, k))
            continue;
        len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "", k->name);
        assert(len < size);
    }
    return out;
}
