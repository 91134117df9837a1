/* SPDX-License-Identifier: Apache-2.0 */
/* The table itself. A default never changes without a new kind version. */
#include "common/kinds/kinds.h"

#define LIMITS(MIN, MAX) (MIN), (MAX)
#define NO_LIMITS        1.0, 0.0

static const char *const gemm_words[] = { "openblas", "packed", NULL };
static const char *const split_words[] = { "train", "validation", "test", NULL };
static const char *const routing_words[] = { "base", "labels", "path", NULL };
static const char *const prompts_words[] = { "harness", "dr_llm", "dr_llm_chat", NULL };
static const char *const keep_words[] = { "all", "solved", NULL };
static const char *const widening_words[] = { "progressive", "all", NULL };

#define PROMPTS_HELP  "Prompt family: lm-evaluation-harness's, or Dr.LLM's for base or chat models."
#define FEWSHOT_HELP  "Worked examples in front of the question; -1: the task's usual number."
#define EXAMPLES_HELP "How many distinct examples per task and level."

/* What every job on examples says about them. Shards, counts and paths are part of no identity;
 * task, level and split enter the family's key by themselves. */
#define EXAMPLE_PARAMS                                                                             \
    { "task", PARAM_TEXT, NO_LIMITS, "", NULL, NULL, true, "Family of examples." },                \
        { "level", PARAM_INT, LIMITS(0, 6), "",                                                    \
          "0",     NULL,      true,         "Difficulty level; 0 for a task without levels." },    \
        { "split", PARAM_TEXT,  NO_LIMITS, "",                                                     \
          "test",  split_words, true,      "Which part of the task the examples come from." },     \
        { "prompts", PARAM_TEXT, NO_LIMITS, "", "harness", prompts_words, true, PROMPTS_HELP },    \
        { "fewshot", PARAM_INT, LIMITS(-1, 64), "examples", "-1", NULL, true, FEWSHOT_HELP },      \
    {                                                                                              \
        "examples", PARAM_INT, LIMITS(1, 1e6), "examples", NULL, NULL, false, EXAMPLES_HELP        \
    }

static const struct param_spec pretrain_params[] = {
    { "layers", PARAM_INT, LIMITS(1, 64), "layers", "8", NULL, true, "Depth of the model." },
    { "dim", PARAM_INT, LIMITS(16, 2048), "floats", "64", NULL, true, "Width of the model." },
    { "heads", PARAM_INT, LIMITS(1, 64), "heads", "4", NULL, true, "Attention heads." },
    { "kv_heads", PARAM_INT, LIMITS(0, 64), "heads", "0", NULL, true,
      "Key/value heads; 0: as many as heads." },
    { "hidden", PARAM_INT, LIMITS(16, 8192), "floats", "128", NULL, true,
      "Width of the feed-forward block." },
    { "positions", PARAM_INT, LIMITS(16, 4096), "tokens", "128", NULL, true,
      "Longest sequence that the model takes." },
    { "rope_theta", PARAM_REAL, LIMITS(10, 1e7), "", "10000", NULL, true,
      "Base of the rotary frequencies." },
    { "tasks", PARAM_TEXTS, NO_LIMITS, "", NULL, NULL, true,
      "Synthetic tasks to learn, mixed evenly." },
    { "levels", PARAM_INTS, LIMITS(1, 6), "", "[1, 2, 3, 4, 5, 6]", NULL, true,
      "Difficulty levels to draw from, evenly once the ramp is over; one named twice counts "
      "twice." },
    { "ramp", PARAM_REAL, LIMITS(0, 1), "share of steps", "0.3", NULL, true,
      "Levels open one after the other over this share of the steps." },
    { "steps", PARAM_INT, LIMITS(1, 1e6), "steps", "1500", NULL, true, "Optimiser steps." },
    { "batch", PARAM_INT, LIMITS(1, 65536), "examples", "256", NULL, true,
      "Training problems per step." },
    { "micro_batches", PARAM_INT, LIMITS(1, 256), "", "8", NULL, true,
      "Parts of a step whose gradients are summed in a fixed order." },
    { "learning_rate", PARAM_REAL, LIMITS(1e-7, 1), "", "0.001", NULL, true,
      "Peak rate of AdamW." },
    { "final_rate", PARAM_REAL, LIMITS(0, 1), "share of peak", "0.05", NULL, true,
      "Rate at the end of the cosine." },
    { "warmup", PARAM_INT, LIMITS(0, 1e6), "steps", "50", NULL, true, "Steps of linear warm-up." },
    { "beta2", PARAM_REAL, LIMITS(0.5, 0.99999), "", "0.99", NULL, true,
      "Decay of AdamW's second moment." },
    { "weight_decay", PARAM_REAL, LIMITS(0, 1), "", "0.01", NULL, true,
      "Decoupled weight decay of matrices." },
    { "clip", PARAM_REAL, LIMITS(0, 1e6), "", "1", NULL, true,
      "Largest global gradient norm; 0: no clipping." },
    { "gemm", PARAM_TEXT, NO_LIMITS, "", "openblas", gemm_words, true,
      "Matrix products of the backward pass: openblas, or packed for the same bits on every CPU." },
    { "threads", PARAM_INT, LIMITS(0, 256), "threads", "0", NULL, false,
      "Threads of the training slot; 0: the slot's own. Changes no bit." },
};

static const struct param_spec search_params[] = {
    EXAMPLE_PARAMS,
    { "simulations", PARAM_INT, LIMITS(1, 100000), "simulations", "50", NULL, true,
      "Simulations per example; a multiple of round." },
    { "round", PARAM_INT, LIMITS(1, 256), "evaluations", "5", NULL, true,
      "Selections with virtual loss that are evaluated together." },
    { "exploration", PARAM_REAL, LIMITS(0, 1000), "", "1.8", NULL, true,
      "Weight c of the exploration term." },
    { "length_penalty", PARAM_REAL, LIMITS(0, 1000), "", "3.0", NULL, true,
      "Weight lambda of path length over depth in the selection." },
    { "random_child", PARAM_REAL, LIMITS(0, 1), "probability", "0.1", NULL, true,
      "Chance of a random child during selection." },
    { "widening", PARAM_TEXT, NO_LIMITS, "", "progressive", widening_words, true,
      "progressive: children <= factor * visits^power; all: every child before any grandchild." },
    { "widen_factor", PARAM_REAL, LIMITS(0.1, 100), "", "1.5", NULL, true,
      "Factor of progressive widening." },
    { "widen_power", PARAM_REAL, LIMITS(0, 1), "", "0.6", NULL, true,
      "Power of progressive widening." },
    { "cache_bytes", PARAM_INT, LIMITS(0, 1e12), "bytes", "67108864", NULL, false,
      "Memory for one example's prefix states. Changes no bit." },
};

static const struct param_spec collect_params[] = {
    { "keep", PARAM_TEXT, NO_LIMITS, "", "all", keep_words, true,
      "all: every example; solved: only those with a correct path." },
};

static const struct param_spec evaluate_params[] = {
    EXAMPLE_PARAMS,
    { "routing", PARAM_TEXT, NO_LIMITS, "", "base", routing_words, true,
      "base: every layer once; labels: each example's label path from the label set; path: one "
      "path for all examples." },
    { "path", PARAM_INTS, LIMITS(0, 2), "", "[]", NULL, true,
      "With routing = \"path\": per layer 0 skip, 1 execute, 2 repeat." },
    { "max_new", PARAM_INT, LIMITS(0, 65536), "tokens", "0", NULL, true,
      "Longest generated answer; 0: the task's own limit." },
    { "temperature", PARAM_REAL, LIMITS(0, 10), "", "0", NULL, true,
      "Of sampled answers; 0: greedy." },
    { "top_k", PARAM_INT, LIMITS(0, 1e6), "tokens", "0", NULL, true,
      "Sample among so many most likely tokens; 0: all." },
    { "top_p", PARAM_REAL, LIMITS(0, 1), "probability", "1", NULL, true,
      "Sample among the fewest tokens that reach this probability." },
    { "sampling_seed", PARAM_INT, LIMITS(0, 1e15), "", "0", NULL, true,
      "Seed of sampled answers." },
    { "batch", PARAM_INT, LIMITS(1, 1024), "examples", "16", NULL, false,
      "Examples evaluated together. Changes no bit." },
};

static const char *const better_words[] = { "higher", "lower", NULL };

static const struct param_spec select_params[] = {
    { "measure", PARAM_TEXT, NO_LIMITS, "", NULL, NULL, true,
      "What decides: accuracy, oracle, layers, a benchmark's metric (f1...), or the last value of "
      "a "
      "training metric (reward, loss...)." },
    { "better", PARAM_TEXT, NO_LIMITS, "", "higher", better_words, true,
      "Which values of the measure are better." },
    { "keep", PARAM_REAL, LIMITS(0, 1), "share", "0.5", NULL, true,
      "Share of all candidates that go on, rounded up, at least one; the k-th rung has keep^k." },
};

static const struct param_spec noop_params[] = {
    { "schedule", PARAM_TEXT, NO_LIMITS, "", "constant", NULL, true,
      "Any name; each has a merit of its own in the reward." },
    { "gamma", PARAM_REAL, LIMITS(0, 1), "", "1", NULL, true,
      "The reward is best in the middle of its range." },
    { "weights", PARAM_REALS, LIMITS(-1e9, 1e9), "", "[1]", NULL, true,
      "Numbers whose centre enters the reward." },
    { "stage", PARAM_INT, LIMITS(0, 1e6), "", "0", NULL, true,
      "How far training has come: the reward rises with it." },
    { "points", PARAM_INT, LIMITS(0, 50000), "points", "8", NULL, true,
      "Points of the metrics reward and loss that are reported." },
    { "sleep_ms", PARAM_INT, LIMITS(0, 3.6e6), "ms", "0", NULL, false,
      "Time to spend. Changes no bit." },
};

#define PARAMS(TABLE) TABLE, ARRAY_LEN(TABLE)

static const struct kind kinds[KINDS] = {
    [KIND_PRETRAIN] = { KIND_PRETRAIN, "pretrain", 1, "Train an embedded model from scratch.",
                        PARAMS(pretrain_params), "", "model",
                        "initial weights and the order of problems", false, true, "" },
    [KIND_SEARCH] = { KIND_SEARCH, "search", 1,
                      "Search the best routing of each example with Monte-Carlo tree search.",
                      PARAMS(search_params), "model task_file", "", "the random child", true, false,
                      "task_file" },
    [KIND_COLLECT] = { KIND_COLLECT, "collect", 1, "Gather searched labels into a label set.",
                       PARAMS(collect_params), "results", "labels", "", false, false, "" },
    [KIND_EVALUATE] = { KIND_EVALUATE, "evaluate", 1,
                        "Score a model on examples: by the base path, by one path, or by labels.",
                        PARAMS(evaluate_params), "model labels task_file", "", "", true, false,
                        "labels task_file" },
    [KIND_SELECT] = { KIND_SELECT, "select", 1,
                      "Choose the candidates of a rung that go on. Added by halving; no step's "
                      "job.",
                      PARAMS(select_params), "results", "survivors", "", false, false, "" },
    [KIND_NOOP] = { KIND_NOOP, "noop", 1,
                    "Do nothing but give a small model and two metrics: a stand-in for training, "
                    "to "
                    "try recipes and clusters.",
                    PARAMS(noop_params), "model", "model",
                    "the metrics' noise and the model's bytes", false, false, "model" },
};

const struct kind *kind_at(enum kind_id id)
{
    return (unsigned)id < KINDS ? &kinds[id] : NULL;
}
