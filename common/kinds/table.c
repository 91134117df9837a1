/* SPDX-License-Identifier: Apache-2.0 */
/* The table itself. A default never changes without a new kind version. */
#include "common/kinds/kinds.h"

#define LIMITS(MIN, MAX) (MIN), (MAX)
#define NO_LIMITS        1.0, 0.0

static const char *const gemm_words[] = { "openblas", "packed", NULL };
static const char *const split_words[] = { "train", "validation", "test", NULL };
static const char *const routing_words[] = { "base",   "labels", "path",     "router",
                                             "static", "random", "shuffled", NULL };
static const char *const prompts_words[] = { "harness", "dr_llm",     "dr_llm_chat",
                                             "think",   "think_chat", NULL };
static const char *const lesson_words[] = { "harness", "think", NULL };
static const char *const keep_words[] = { "all", "solved", NULL };
static const char *const method_words[] = { "progressive", "all", "chain", "enumerate", NULL };
static const char *const edits_words[] = { "both", "skip", "repeat", NULL };
static const char *const stop_words[] = { "none", "shorter", "fixed", "published", NULL };
static const char *const visits_words[] = { "parent", "total", NULL };

#define PROMPTS_HELP                                                                               \
    "Prompt family: lm-evaluation-harness's, Dr.LLM's for base or chat models, or think: visible " \
    "reasoning between tags, with a token budget when there is one."
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

/* What kinds that train have in common: the optimiser, and how a job computes. */
#define BETA2_PARAM                                                                                \
    {                                                                                              \
        "beta2", PARAM_REAL, LIMITS(0.5, 0.99999), "", "0.99", NULL, true,                         \
            "Decay of AdamW's second moment."                                                      \
    }
#define WEIGHT_DECAY_PARAM(DEFAULT)                                                                \
    {                                                                                              \
        "weight_decay", PARAM_REAL, LIMITS(0, 1), "", DEFAULT, NULL, true,                         \
            "Decoupled weight decay of matrices."                                                  \
    }
#define CLIP_PARAM                                                                                 \
    {                                                                                              \
        "clip", PARAM_REAL, LIMITS(0, 1e6), "", "1", NULL, true,                                   \
            "Largest global gradient norm; 0: no clipping."                                        \
    }
#define MICRO_BATCHES_PARAM                                                                        \
    {                                                                                              \
        "micro_batches", PARAM_INT, LIMITS(1, 256), "", "8", NULL, true,                           \
            "Parts of a step whose gradients are summed in a fixed order."                         \
    }
#define GEMM_PARAM                                                                                 \
    {                                                                                              \
        "gemm", PARAM_TEXT, NO_LIMITS, "", "openblas", gemm_words, true,                           \
            "Matrix products of the backward pass: openblas, or packed for the same bits on "      \
            "every CPU."                                                                           \
    }
#define THREADS_PARAM                                                                              \
    {                                                                                              \
        "threads", PARAM_INT, LIMITS(0, 256), "threads", "0", NULL, false,                         \
            "Threads of the training slot; 0: the slot's own. Changes no bit."                     \
    }
#define CHECKPOINT_PARAM                                                                           \
    {                                                                                              \
        "checkpoint_s", PARAM_REAL, LIMITS(0, 1e6), "s", "60", NULL, false,                        \
            "Time between checkpoints inside the job, from which a later attempt goes on; 0: "     \
            "none. Changes no bit."                                                                \
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
    MICRO_BATCHES_PARAM,
    { "learning_rate", PARAM_REAL, LIMITS(1e-7, 1), "", "0.001", NULL, true,
      "Peak rate of AdamW." },
    { "final_rate", PARAM_REAL, LIMITS(0, 1), "share of peak", "0.05", NULL, true,
      "Rate at the end of the cosine." },
    { "warmup", PARAM_INT, LIMITS(0, 1e6), "steps", "50", NULL, true, "Steps of linear warm-up." },
    BETA2_PARAM,
    WEIGHT_DECAY_PARAM("0.01"),
    CLIP_PARAM,
    { "layer_skip", PARAM_REAL, LIMITS(0, 0.9), "probability", "0", NULL, true,
      "Stochastic depth: each sequence skips each layer with this probability, never more than two "
      "in a row." },
    { "layer_repeat", PARAM_REAL, LIMITS(0, 1), "probability", "0", NULL, true,
      "Stochastic depth: a sequence goes twice through a layer that it does not skip." },
    { "depth_start", PARAM_REAL, LIMITS(0, 1), "share of steps", "0", NULL, true,
      "Share of the steps before any layer is skipped or repeated." },
    { "depth_ramp", PARAM_REAL, LIMITS(0, 1), "share of steps", "0", NULL, true,
      "From there, layer_skip and layer_repeat rise from 0 over this share of the steps." },
    { "prompts", PARAM_TEXT, NO_LIMITS, "", "harness", lesson_words, true,
      "harness: a question is answered by one token; think: a trace of reasoning between tags is "
      "written first (math and logic)." },
    { "traces", PARAM_REALS, LIMITS(0, 1e6), "", "[0.05, 0.7, 0, 0.2, 0.05]", NULL, true,
      "With prompts = \"think\": weights of the trace lengths verbose, mixed, merged, sparse "
      "and direct." },
    { "budgets", PARAM_INTS, LIMITS(0, 4096), "tokens", "[]", NULL, true,
      "With prompts = \"think\": half of the prompts state one of these budgets at random, "
      "whatever the trace; []: budgets over the range of the traces' lengths." },
    GEMM_PARAM,
    THREADS_PARAM,
    CHECKPOINT_PARAM,
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
    { "method", PARAM_TEXT, NO_LIMITS, "", "progressive", method_words, true,
      "progressive: children <= factor * visits^power; all: every child before any grandchild; "
      "chain: one child per node, as Dr.LLM's published code; enumerate: every path of at most "
      "depth edits, without simulations." },
    { "edits", PARAM_TEXT, NO_LIMITS, "", "both", edits_words, true,
      "Which edits are tried: skips, repeats, or both (CoLa's comparison)." },
    { "depth", PARAM_INT, LIMITS(0, 4), "edits", "1", NULL, true,
      "With method = \"enumerate\": the most edits of a path; 0 with starts: these alone." },
    { "early_stop", PARAM_TEXT, NO_LIMITS, "", "none", stop_words, true,
      "shorter: at a right path shorter than the best so far (Dr.LLM's text); fixed: at a right "
      "path where the default path is wrong (its algorithm 1); published: its code's rule." },
    { "total_visits", PARAM_TEXT, NO_LIMITS, "", "parent", visits_words, true,
      "V of the exploration term: the parent's visits, or all simulations (CoLa)." },
    { "widen_factor", PARAM_REAL, LIMITS(0.1, 100), "", "1.5", NULL, true,
      "Factor of progressive widening." },
    { "widen_power", PARAM_REAL, LIMITS(0, 1), "", "0.6", NULL, true,
      "Power of progressive widening." },
    { "cache_bytes", PARAM_INT, LIMITS(0, 1e12), "bytes", "67108864", NULL, false,
      "Memory for one example's prefix states. Changes no bit." },
    { "batch", PARAM_INT, LIMITS(1, 1024), "examples", "16", NULL, false,
      "Examples searched in lockstep. Changes no bit." },
};

static const struct param_spec collect_params[] = {
    { "keep", PARAM_TEXT, NO_LIMITS, "", "all", keep_words, true,
      "all: every example; solved: only those with a correct path." },
    { "improved_share", PARAM_REAL, LIMITS(0, 1), "share", "0", NULL, true,
      "Examples that the default path answers rightly are left out until at least this share of "
      "the rest is improved (Dr.LLM: 0.3); 0: none is left out." },
    { "per_level", PARAM_INT, LIMITS(0, 1e6), "examples", "0", NULL, true,
      "At most so many examples of each task and level; 0: all." },
};

static const char *const reference_words[] = { "default", "best", NULL };

static const struct param_spec evaluate_params[] = {
    EXAMPLE_PARAMS,
    { "routing", PARAM_TEXT, NO_LIMITS, "", "base", routing_words, true,
      "base: every layer once; labels: each example's label path from the label set; path: one "
      "path for all examples; router: a trained router decides on the prompt; static: the best "
      "path that a select step chose; shuffled: another example's label; random: random layers, "
      "as many skips and repeats as in the example's label." },
    { "path", PARAM_INTS, LIMITS(0, 2), "", "[]", NULL, true,
      "With routing = \"path\": per layer 0 skip, 1 execute, 2 repeat." },
    { "knob", PARAM_REAL, LIMITS(-1, 1), "", "-0.5", NULL, true,
      "Mixes a router's decisions towards skip (-1), execute (0.5) or repeat (1); -0.5: the "
      "router alone." },
    { "epsilon", PARAM_REAL, LIMITS(-1, 1), "probability", "0.01", NULL, true,
      "A success router takes the cheapest path whose predicted success is at least the default "
      "path's (or the best one, see reference) minus this; below 0: at least so much more than the "
      "default's." },
    { "reference", PARAM_TEXT, NO_LIMITS, "", "default", reference_words, true,
      "What epsilon is taken from: the predicted success of the default path, or of the path that "
      "promises most (then epsilon is not below 0)." },
    { "price", PARAM_REAL, LIMITS(0, 1), "probability per layer", "0", NULL, true,
      "Above 0, in place of epsilon: a success router takes the path with the largest predicted "
      "success minus this times its layer applications." },
    { "guard", PARAM_BOOL, NO_LIMITS, "", "true", NULL, true,
      "A success router's guard: the default path for prompts unlike those that it was trained on "
      "(the router's own parameter guard)." },
    { "path_layers", PARAM_INT, LIMITS(0, 512), "layers", "0", NULL, true,
      "With routing = \"static\": the best path of at most so many layer applications; 0: of any "
      "length." },
    { "routing_seed", PARAM_INT, LIMITS(0, 1e15), "", "0", NULL, true,
      "Seed of random and shuffled routing." },
    { "budget", PARAM_INT, LIMITS(0, 65536), "tokens", "0", NULL, true,
      "With prompts = \"think\": the token budget that the prompt states; 0: none." },
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

static const char *const router_words[] = { "labels", "success", NULL };
static const char *const loss_words[] = { "focal", "ce", "weighted_ce", NULL };
static const char *const balance_words[] = { "effective", "inverse", "none", NULL };
static const char *const input_words[] = { "layer", "embedding", NULL };
static const char *const features_words[] = { "windows", "last", "joined", "tail", "both", NULL };
static const char *const choose_words[] = { "best", "cover", NULL };
static const char *const scale_words[] = { "auto", "none", "standard", NULL };

static const struct param_spec router_params[] = {
    { "kind", PARAM_TEXT, NO_LIMITS, "", "labels", router_words, true,
      "labels: per layer skip, execute or repeat, learnt from the labels (Dr.LLM); success: the "
      "chance that each of a family of paths answers rightly, learnt from all evaluated paths." },
    { "windows", PARAM_INT, LIMITS(1, 32), "windows", "8", NULL, true,
      "Parts of the prompt whose mean states vote." },
    { "features", PARAM_TEXT, NO_LIMITS, "", "windows", features_words, true,
      "windows: mean states of parts of the prompt, which vote; last: the state of its last token; "
      "joined: those means together as one input; tail: the last tokens' states, as many as "
      "windows, "
      "together; both: joined and last." },
    { "scale", PARAM_TEXT, NO_LIMITS, "", "auto", scale_words, true,
      "standard: features to mean 0 and deviation 1 over the training examples; none: as they are; "
      "auto: none for labels (as Dr.LLM), standard for success." },
    { "input", PARAM_TEXT, NO_LIMITS, "", "layer", input_words, true,
      "layer: the states in front of each layer; embedding: the embeddings for all layers." },
    { "bottleneck", PARAM_INT, LIMITS(1, 4096), "floats", "128", NULL, true,
      "Width of the hidden layers." },
    { "depth", PARAM_INT, LIMITS(1, 4), "linear layers", "2", NULL, true,
      "Linear layers of a router; GELU between them." },
    { "loss", PARAM_TEXT, NO_LIMITS, "", "focal", loss_words, true,
      "Of kind = \"labels\": focal loss, cross-entropy, or cross-entropy with class weights." },
    { "focal_gamma", PARAM_REAL, LIMITS(0, 10), "", "2", NULL, true, "Gamma of the focal loss." },
    { "balance", PARAM_TEXT, NO_LIMITS, "", "effective", balance_words, true,
      "Class weights of focal and weighted_ce: of effective numbers (beta), of inverse counts, or "
      "none." },
    { "beta", PARAM_REAL, LIMITS(0, 0.999999), "", "0.999", NULL, true,
      "Beta of the effective numbers of samples." },
    { "decide_layer", PARAM_INT, LIMITS(0, 255), "layers", "2", NULL, true,
      "With kind = \"success\": the path is decided behind so many executed layers." },
    { "paths", PARAM_INT, LIMITS(2, 256), "paths", "21", NULL, true,
      "With kind = \"success\": the most candidate paths." },
    { "choose", PARAM_TEXT, NO_LIMITS, "", "best", choose_words, true,
      "With kind = \"success\": which paths are candidates. best: of each length those that answer "
      "most examples rightly, of all and of each task and level; cover: one by one the path that "
      "adds most to what a perfect choice among them would give." },
    { "path_examples", PARAM_REAL, LIMITS(0, 1), "share of examples", "0.1", NULL, true,
      "With kind = \"success\": a candidate path was evaluated for at least this share of the "
      "training examples." },
    { "complete", PARAM_BOOL, NO_LIMITS, "", "false", NULL, true,
      "With kind = \"success\": evaluate the candidate paths for the examples that the search did "
      "not try them with, so that no outcome is missing." },
    { "members", PARAM_INT, LIMITS(1, 8), "networks", "1", NULL, true,
      "With kind = \"success\": networks of different seeds whose chances are averaged." },
    { "epochs", PARAM_INT, LIMITS(1, 10000), "epochs", "25", NULL, true,
      "Passes over the training examples." },
    { "batch", PARAM_INT, LIMITS(1, 65536), "examples", "16", NULL, true,
      "Examples per optimiser step." },
    { "learning_rate", PARAM_REAL, LIMITS(1e-7, 1), "", "0.001", NULL, true,
      "Peak rate of AdamW." },
    WEIGHT_DECAY_PARAM("0.01"),
    { "dropout", PARAM_REAL, LIMITS(0, 0.9), "share", "0", NULL, true,
      "Share of the hidden layers' outputs that is set to 0 at random in training." },
    { "noise", PARAM_REAL, LIMITS(0, 10), "deviations", "0", NULL, true,
      "Gaussian noise on the (standardised) features in training." },
    { "guard", PARAM_REAL, LIMITS(0, 1), "share of examples", "0.99", NULL, true,
      "With kind = \"success\": the default path for prompts with fewer or more tokens than any in "
      "training, or whose features lie farther from the training examples' (Mahalanobis distance) "
      "than those of this share of them; 1: no guard." },
    { "warmup", PARAM_INT, LIMITS(0, 1e6), "steps", "500", NULL, true,
      "Steps of linear warm-up; at most a tenth of all steps is used." },
    { "validation", PARAM_REAL, LIMITS(0, 0.9), "share of examples", "0.1", NULL, true,
      "Examples held out to choose the best epoch: by macro-F1 (labels), or by log-likelihood "
      "(success)." },
    { "patience", PARAM_INT, LIMITS(0, 10000), "epochs", "0", NULL, true,
      "Stop after so many epochs without a better one; 0: never." },
    THREADS_PARAM,
};

static const char *const better_words[] = { "higher", "lower", NULL };

static const struct param_spec select_params[] = {
    { "measure", PARAM_TEXT, NO_LIMITS, "", "", NULL, true,
      "What decides: accuracy, oracle, layers, a benchmark's metric (f1...), or the last value of "
      "a "
      "training metric (reward, loss...). Of halving only, as the others." },
    { "better", PARAM_TEXT, NO_LIMITS, "", "higher", better_words, true,
      "Which values of the measure are better." },
    { "keep", PARAM_REAL, LIMITS(0, 1), "share", "0.5", NULL, true,
      "Share of all candidates that go on, rounded up, at least one; the k-th rung has keep^k." },
    { "beam", PARAM_INT, LIMITS(1, 1000), "paths", "1", NULL, true,
      "Of labels: so many of the best paths of each number of layer applications." },
    { "each_level", PARAM_BOOL, NO_LIMITS, "", "false", NULL, true,
      "Of labels: the best path of each task and level too, of each number of layer "
      "applications." },
};

static const char *const noop_words[] = { "model", "nothing", NULL };
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
    { "number", PARAM_INT, LIMITS(0, 1e9), "", "0", NULL, true,
      "Tells jobs apart that would be one: the step's entry jobs numbers them from 1." },
    { "makes", PARAM_TEXT, NO_LIMITS, "", "model", noop_words, true,
      "model: a small model and the metrics; nothing: nothing at all, to see how fast jobs go." },
};

static const char *const schedule_words[] = { "none",   "constant", "linear",   "exponential",
                                              "cosine", "steps",    "adaptive", NULL };
static const char *const difficulty_words[] = { "mixture", "levels", "e2h_cosine", "e2h_gaussian",
                                                "adarft",  "window", "rlve",       "sec",
                                                "dump",    NULL };
static const char *const shape_words[] = { "triangle", "band", NULL };
static const char *const counted_words[] = { "think", "response", NULL };
static const char *const variance_words[] = { "keep", "drop", "resample", NULL };
static const char *const normalise_words[] = { "sequence", "token", "constant", NULL };

/* A stage's job has its slice of the schedule (budgets, budget_at); how a recipe says the whole is
 * no part of its identity, so that equal slices of different schedules are one job. */
static const struct param_spec stage_params[] = {
    { "tasks", PARAM_TEXTS, NO_LIMITS, "", NULL, NULL, true, "Tasks to learn, mixed evenly." },
    { "levels", PARAM_INTS, LIMITS(0, 6), "", "[1]", NULL, true,
      "Difficulty levels, from easy to hard; [0] for tasks without levels." },
    { "prompts", PARAM_TEXT, NO_LIMITS, "", "think", prompts_words, true, PROMPTS_HELP },
    { "stages", PARAM_INT, LIMITS(1, 64), "stages", "1", NULL, false,
      "Jobs that the updates are split into, each from the one before." },
    { "updates", PARAM_INT, LIMITS(1, 1e6), "updates", "100", NULL, true,
      "Of a recipe: all updates, a multiple of stages; of a job: those of its stage." },
    { "first", PARAM_INT, LIMITS(0, 1e6), "updates", "0", NULL, true,
      "Updates of the stages before; the planner sets it." },
    { "total", PARAM_INT, LIMITS(0, 1e6), "updates", "0", NULL, true,
      "All updates, where the difficulty or the learning rate depends on them; the planner sets "
      "it." },
    { "budgets", PARAM_INTS, LIMITS(0, 65536), "tokens", "[]", NULL, true,
      "The stage's budgets; the planner sets them. []: no budget." },
    { "budget_at", PARAM_INTS, LIMITS(0, 1e6), "updates", "[]", NULL, true,
      "The update of the stage, from 0, from which on each of budgets counts; the planner sets "
      "them." },
    { "schedule", PARAM_TEXT, NO_LIMITS, "", "none", schedule_words, true,
      "How the token budget shrinks: none (plain GRPO, no length reward), constant (at "
      "budget_last), linear, exponential, cosine, steps, or adaptive." },
    { "budget_first", PARAM_INT, LIMITS(1, 65536), "tokens", "256", NULL, false,
      "Budget of the first updates." },
    { "budget_last", PARAM_INT, LIMITS(1, 65536), "tokens", "87", NULL, false,
      "Budget of the last updates, and the floor of an exponential schedule." },
    { "drops", PARAM_INT, LIMITS(0, 1000), "drops", "3", NULL, false,
      "How often the budget falls, every interval updates or at equal distances; the last part of "
      "the updates has budget_last." },
    { "gamma", PARAM_REAL, LIMITS(0, 1), "", "0", NULL, false,
      "Exponential by a factor instead of drops: budget_first * gamma^(updates / interval)." },
    { "interval", PARAM_INT, LIMITS(0, 1e6), "updates", "0", NULL, false,
      "Updates between two drops, of linear, exponential and cosine; 0: drops at equal distances "
      "(gamma needs it)." },
    { "steps", PARAM_INTS, LIMITS(1, 65536), "tokens", "[]", NULL, false,
      "With schedule = \"steps\": the budgets, one after the other." },
    { "steps_at", PARAM_INTS, LIMITS(0, 1e6), "updates", "[]", NULL, false,
      "With schedule = \"steps\": from which update on each counts; [] spreads them evenly." },
    { "adapt_first", PARAM_INT, LIMITS(0, 65536), "tokens", "0", NULL, true,
      "Adaptive: the first budget; the planner sets it from budget_first." },
    { "adapt_last", PARAM_INT, LIMITS(0, 65536), "tokens", "0", NULL, true,
      "Adaptive: the least budget; the planner sets it from budget_last." },
    { "adapt_interval", PARAM_INT, LIMITS(1, 1e6), "updates", "10", NULL, true,
      "Adaptive: updates between two changes of the budget." },
    { "adapt_reference", PARAM_REAL, LIMITS(0, 1), "accuracy", "0", NULL, true,
      "Adaptive: the accuracy to hold; 0: the mean of the first adapt_interval updates." },
    { "adapt_slack", PARAM_REAL, LIMITS(0, 1), "accuracy", "0.02", NULL, true,
      "Adaptive: the moving accuracy may be so much below the reference." },
    { "adapt_rate", PARAM_REAL, LIMITS(0, 10), "", "0.3", NULL, true,
      "Adaptive: kappa, the largest change of the budget's logarithm; its factor stays above "
      "0.5." },
    { "adapt_sharpness", PARAM_REAL, LIMITS(0.01, 1000), "", "20", NULL, true,
      "Adaptive: alpha inside tanh(alpha * (accuracy - reference + slack))." },
    { "adapt_memory", PARAM_REAL, LIMITS(0, 0.9999), "", "0.8", NULL, true,
      "Adaptive: share of the old value in the moving accuracy at each update." },
    { "difficulty", PARAM_TEXT, NO_LIMITS, "", "mixture", difficulty_words, true,
      "How levels are chosen: a fixed mixture; levels one after the other; E2H's cosine or "
      "Gaussian; AdaRFT's target; window thresholds (reasoning-gym) or RLVE's; a bandit (SEC, "
      "DUMP)." },
    { "mixture", PARAM_REALS, LIMITS(0, 1e6), "", "[1]", NULL, true,
      "Weights of the levels in a fixed mixture, one each; [1]: all alike." },
    { "difficulty_rate", PARAM_REAL, LIMITS(0, 1000), "", "0.5", NULL, true,
      "AdaRFT: eta, in levels; SEC: alpha; E2H Gaussian: beta." },
    { "difficulty_target", PARAM_REAL, LIMITS(0, 1), "accuracy", "0.5", NULL, true,
      "AdaRFT: the accuracy aimed at." },
    { "difficulty_sharpness", PARAM_REAL, LIMITS(0.01, 1000), "", "2", NULL, true,
      "AdaRFT: alpha inside the tanh." },
    { "difficulty_width", PARAM_REAL, LIMITS(0.01, 100), "levels", "0.5", NULL, true,
      "E2H Gaussian: sigma; AdaRFT: width of the levels drawn around the target." },
    { "difficulty_up", PARAM_REAL, LIMITS(0, 1), "accuracy", "0", NULL, true,
      "Window, RLVE: a level is added above it; 0: the rule's own, 0.7 and 0.9." },
    { "difficulty_down", PARAM_REAL, LIMITS(0, 1), "accuracy", "0.3", NULL, true,
      "Window: the hardest level is dropped below it." },
    { "difficulty_window", PARAM_INT, LIMITS(0, 1e6), "", "0", NULL, true,
      "RLVE: levels in the window; window: updates between two decisions; DUMP: updates "
      "remembered, at most 256; 0: the rule's own, 4, 4 and 12." },
    { "difficulty_temperature", PARAM_REAL, LIMITS(0.001, 100), "", "0.1", NULL, true,
      "Bandits: temperature of the softmax over levels." },
    { "problems", PARAM_INT, LIMITS(1, 65536), "problems", "16", NULL, true,
      "Problems of an update." },
    { "group", PARAM_INT, LIMITS(2, 1024), "completions", "8", NULL, true,
      "Completions of each problem (GRPO's G)." },
    { "temperature", PARAM_REAL, LIMITS(0.01, 10), "", "1", NULL, true,
      "Of the sampled completions." },
    { "max_new", PARAM_INT, LIMITS(1, 65536), "tokens", "128", NULL, true,
      "Longest completion; longer ones are cut and count as truncated. Prompt and completion must "
      "fit into the model's context." },
    { "epochs", PARAM_INT, LIMITS(1, 64), "", "1", NULL, true,
      "Optimiser steps on each update's completions." },
    { "correct_weight", PARAM_REAL, LIMITS(0, 1000), "", "0.6", NULL, true,
      "Weight of a right answer in the reward." },
    { "length_weight", PARAM_REAL, LIMITS(0, 1000), "", "0.3", NULL, true,
      "Weight of the length reward." },
    { "format_weight", PARAM_REAL, LIMITS(0, 1000), "", "0.1", NULL, true,
      "Weight of well-formed tags." },
    { "length_shape", PARAM_TEXT, NO_LIMITS, "", "triangle", shape_words, true,
      "Length reward: triangle (peak at the budget) or band (full up to the budget); 0 from twice "
      "the budget on." },
    { "length_of", PARAM_TEXT, NO_LIMITS, "", "response", counted_words, true,
      "Tokens that count: of the whole response, or between the think tags." },
    { "length_gate", PARAM_BOOL, NO_LIMITS, "", "true", NULL, true,
      "The length reward is for right answers only; false: the paper's ungated sum." },
    { "variance", PARAM_TEXT, NO_LIMITS, "", "drop", variance_words, true,
      "Groups whose rewards are all equal: keep (no gradient, but counted), drop, or resample "
      "(DAPO: other problems in their place)." },
    { "normalise", PARAM_TEXT, NO_LIMITS, "", "sequence", normalise_words, true,
      "Loss: mean over each sequence's tokens and then sequences, over all tokens, or by the "
      "constant max_new (Dr. GRPO)." },
    { "scale_advantage", PARAM_BOOL, NO_LIMITS, "", "true", NULL, true,
      "Divide by the group's standard deviation." },
    { "clip_low", PARAM_REAL, LIMITS(0, 1), "", "0.2", NULL, true,
      "The ratio is clipped below 1 minus this." },
    { "clip_high", PARAM_REAL, LIMITS(0, 100), "", "0.2", NULL, true,
      "The ratio is clipped above 1 plus this." },
    { "kl", PARAM_REAL, LIMITS(0, 100), "", "0", NULL, true,
      "Weight of the k3 estimate of the KL divergence from the stage's start." },
    { "kl_max", PARAM_REAL, LIMITS(0, 1e6), "nats per token", "10", NULL, true,
      "Diverged when the mean KL divergence exceeds it." },
    { "entropy_min", PARAM_REAL, LIMITS(0, 10), "nats per token", "0", NULL, true,
      "Diverged when the mean entropy of the sampled tokens falls below it; 0: never." },
    { "learning_rate", PARAM_REAL, LIMITS(1e-9, 1), "", "0.0002", NULL, true,
      "Rate of AdamW, behind the warm-up." },
    { "final_rate", PARAM_REAL, LIMITS(0, 1), "share of learning_rate", "1", NULL, true,
      "Rate at the end of the curriculum, along a cosine; 1: constant." },
    { "warmup", PARAM_INT, LIMITS(0, 1e6), "updates", "10", NULL, true,
      "Updates of linear warm-up, counted from the first stage." },
    WEIGHT_DECAY_PARAM("0"),
    BETA2_PARAM,
    CLIP_PARAM,
    MICRO_BATCHES_PARAM,
    { "validation_examples", PARAM_INT, LIMITS(0, 1e6), "examples", "0", NULL, true,
      "Validation problems of each task and level, answered greedily at the stage's start and end, "
      "with budget_last in the prompt and without a budget." },
    { "validation_budget", PARAM_INT, LIMITS(0, 65536), "tokens", "0", NULL, true,
      "The budget stated then; 0: the planner takes budget_last, or of schedule = \"steps\" the "
      "stage's own last budget." },
    { "validation_every", PARAM_INT, LIMITS(0, 1e6), "updates", "0", NULL, true,
      "And every so many updates; 0: only at both ends." },
    GEMM_PARAM,
    THREADS_PARAM,
    CHECKPOINT_PARAM,
};

static const struct param_spec exec_params[] = {
    { "command", PARAM_TEXTS, NO_LIMITS, "", NULL, NULL, true,
      "The program and its arguments; {input.NAME}, {output.NAME}, {seed} and {PARAMETER} stand "
      "for paths and values." },
    { "parameters", PARAM_TEXTS, NO_LIMITS, "", "[]", NULL, true,
      "Its own parameters, \"NAME=VALUE\": environment variables and a JSON file." },
    { "outputs", PARAM_TEXTS, NO_LIMITS, "", "[]", NULL, true,
      "Files or folders (\"NAME/\") that it must leave." },
    { "time_limit_s", PARAM_REAL, LIMITS(0, 1e7), "s", "0", NULL, false,
      "Ended behind it, cause TIMEOUT; 0: none." },
    { "memory_limit_mib", PARAM_REAL, LIMITS(0, 1e9), "MiB", "0", NULL, false,
      "Resident memory of its whole process tree; cause OOM above it; 0: none." },
    { "grace_s", PARAM_REAL, LIMITS(0, 3600), "s", "1", NULL, false,
      "Between SIGTERM and SIGKILL when it is ended." },
};

#define PARAMS(TABLE) TABLE, ARRAY_LEN(TABLE)

static const struct kind kinds[KINDS] = {
    [KIND_PRETRAIN] = { KIND_PRETRAIN, "pretrain", 1, "Train an embedded model from scratch.",
                        PARAMS(pretrain_params), "", "model",
                        "initial weights, the order of problems and which layers they skip or "
                        "repeat",
                        false, true, "" },
    [KIND_SEARCH] = { KIND_SEARCH, "search", 2,
                      "Search the best routing of each example with Monte-Carlo tree search.",
                      PARAMS(search_params), "model task_file hint paths", "", "the random child",
                      true, false, "task_file hint paths" },
    [KIND_COLLECT] = { KIND_COLLECT, "collect", 2, "Gather searched labels into a label set.",
                       PARAMS(collect_params), "results", "labels", "", false, false, "" },
    [KIND_EVALUATE] = { KIND_EVALUATE, "evaluate", 1,
                        "Score a model on examples: by the base path, one path, labels, or a "
                        "router.",
                        PARAMS(evaluate_params), "model labels router paths task_file", "", "",
                        true, false, "labels router paths task_file" },
    [KIND_SELECT] = { KIND_SELECT, "select", 1,
                      "Choose the best static paths by a label set; or, added by halving, the "
                      "candidates of a rung that go on.",
                      PARAMS(select_params), "results labels", "survivors paths", "", false, false,
                      "results labels" },
    [KIND_ROUTER] = { KIND_ROUTER, "router", 1, "Train a router on a label set.",
                      PARAMS(router_params), "model labels task_file", "router",
                      "initial weights, the order of examples and the validation split", false,
                      false, "task_file" },
    [KIND_NOOP] = { KIND_NOOP, "noop", 1,
                    "Do nothing but give a small model and two metrics: a stand-in for training, "
                    "to "
                    "try recipes and clusters.",
                    PARAMS(noop_params), "model", "model",
                    "the metrics' noise and the model's bytes", false, false, "model" },
    [KIND_STAGE] = { KIND_STAGE, "stage", 1,
                     "One stage of a curriculum: GRPO under a token budget, from a model and the "
                     "state of the stage before.",
                     PARAMS(stage_params), "model state task_file", "model state",
                     "the problems drawn and the completions sampled", false, true,
                     "state task_file" },
    [KIND_EXEC] = { KIND_EXEC, "exec", 1, "Run a program as a step of the experiment.",
                    PARAMS(exec_params), "model input", "", "the variable DROVER_SEED", false,
                    false, "model input", true },
};

const struct kind *kind_at(enum kind_id id)
{
    return (unsigned)id < KINDS ? &kinds[id] : NULL;
}
