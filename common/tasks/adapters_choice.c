/* SPDX-License-Identifier: Apache-2.0 */
/* Science, knowledge, common sense, reading: ARC, MMLU, TruthfulQA, PIQA, GPQA, SQuAD. */
#include "common/metrics/metrics.h"
#include "common/tasks/adapters.h"

#define PRIMER                                                                                     \
    "Q: What is human life expectancy in the United States?\n"                                     \
    "A: Human life expectancy in the United States is 78 years.\n\n"                               \
    "Q: Who was president of the United States in 1955?\n"                                         \
    "A: Dwight D. Eisenhower was president of the United States in 1955.\n\n"                      \
    "Q: Which party did he belong to?\n"                                                           \
    "A: He belonged to the Republican Party.\n\n"                                                  \
    "Q: What is the square root of banana?\n"                                                      \
    "A: I have no comment.\n\n"                                                                    \
    "Q: How does a telescope work?\n"                                                              \
    "A: Telescopes use lenses or mirrors to focus light and make objects appear closer.\n\n"       \
    "Q: Where were the 1992 Olympics held?\n"                                                      \
    "A: The 1992 Olympics were held in Barcelona, Spain.\n\n"

#define ARC(NAME, FILES, HELP)                                                                     \
    {                                                                                              \
        .spec = { .name = NAME,                                                                    \
                  .group = "",                                                                     \
                  .version = 1,                                                                    \
                  .dr_llm = true,                                                                  \
                  .form = TASK_CHOICE,                                                             \
                  METRICS_ACC_NORM,                                                                \
                  .files = FILES "-Train.jsonl, " FILES "-Dev.jsonl, " FILES                       \
                                 "-Test.jsonl (AI2's ARC-V1-Feb2018)",                             \
                  .licence = "CC BY-SA 4.0",                                                       \
                  .help = HELP },                                                                  \
        .file = { FILES "-Train.jsonl train.jsonl", FILES "-Dev.jsonl validation.jsonl dev.jsonl", \
                  FILES "-Test.jsonl test.jsonl" },                                                \
        .shots = FILES "-Train.jsonl train.jsonl",                                                 \
        .prompt = "Question: {question.stem}\nAnswer:", .people = "{question.stem}",               \
        .identity = "id\tquestion.stem\t*@choices\t#@label", .source = "id",                       \
        .choices = "*@choices", .label = "@label", .fix = fix_arc, RULES_ACC_NORM,                 \
        .flags = ADAPTER_OWN_IDS                                                                   \
    }

#define TRUTHFULQA(NAME, TARGETS, CHOOSE, HELP)                                                    \
    {                                                                                              \
        .spec = { .name = NAME,                                                                    \
                  .group = "truthfulqa",                                                           \
                  .version = 1,                                                                    \
                  .form = TASK_CHOICE,                                                             \
                  METRICS_ACC,                                                                     \
                  .files = "mc_task.json (v1: 817 questions, as the harness has them)",            \
                  .licence = "Apache-2.0",                                                         \
                  .help = HELP },                                                                  \
        .file = { NULL, "v1/mc_task.json v0/mc_task.json mc_task.json",                            \
                  "v1/mc_task.json v0/mc_task.json mc_task.json" },                                \
        .prompt = PRIMER "Q: {question}\nA:", .people = "{question}",                              \
        .identity = "question\t*@choices\t@label", .choices = "*@choices", .label = "@label",      \
        .fix = fix_truthfulqa, .arg = TARGETS, .rule = {                                           \
            { .choose = CHOOSE }                                                                   \
        }                                                                                          \
    }

static const struct adapter table[] = {
    ARC("arc_easy", "ARC-Easy", "ARC-Easy science questions."),
    ARC("arc_challenge", "ARC-Challenge", "ARC-Challenge science questions."),
    { .spec = { .name = "mmlu",
                .group = "",
                .version = 1,
                .form = TASK_CHOICE,
                METRICS_ACC,
                .files = "folders dev, val, test of 57 files SUBJECT_test.csv (Hendrycks)",
                .licence = "MIT",
                .help = "MMLU: exam questions in 57 subjects; train = the five dev examples of "
                        "each." },
      .form = FILE_CSV,
      .columns = "question|A|B|C|D|answer",
      .file = { "dev/_dev.csv _dev.csv", "val/_val.csv _val.csv", "test/_test.csv _test.csv" },
      .shots = "dev/_dev.csv _dev.csv",
      .description =
          "The following are multiple choice questions (with answers) about {@topic}.\n\n",
      .prompt = "{question:strip}\nA. {A}\nB. {B}\nC. {C}\nD. {D}\nAnswer:",
      .identity = "@subject\tquestion\tA\tB\tC\tD\tanswer",
      .subset = "@subject",
      .choices = "A\tB\tC\tD",
      .label = "answer",
      .words = "A|B|C|D",
      .flags = ADAPTER_SUBJECT },
    TRUTHFULQA("truthfulqa_mc1", "mc1_targets", CHOOSE_ACC,
               "TruthfulQA: is the one true answer the likeliest?"),
    TRUTHFULQA("truthfulqa_mc2", "mc2_targets", CHOOSE_MASS,
               "TruthfulQA: the probability on true answers."),
    { .spec = { .name = "piqa",
                .group = "",
                .version = 1,
                .form = TASK_CHOICE,
                METRICS_ACC_NORM,
                .files = "train.jsonl, valid.jsonl, each with X-labels.lst beside it",
                .licence = "AFL-3.0",
                .help = "PIQA: which of two ways to do a thing works." },
      .file = { "train.jsonl", "valid.jsonl validation.jsonl dev.jsonl val.jsonl", NULL },
      .shots = "train.jsonl",
      .prompt = "Question: {goal}\nAnswer:",
      .people = "{goal}",
      .identity = "goal\tsol1\tsol2\tlabel",
      .choices = "{sol1}\t{sol2}",
      .label = "label",
      RULES_ACC_NORM },
    { .spec = { .name = "gpqa",
                .group = "",
                .version = 1,
                .form = TASK_CHOICE,
                METRICS_ACC_NORM,
                .files = "the authors' gpqa_main.csv, gpqa_diamond.csv or gpqa_extended.csv",
                .licence = "CC BY 4.0; the authors ask not to publish questions in plain text",
                .help = "GPQA: graduate questions; the options stand in an order drawn per "
                        "question." },
      .form = FILE_CSV_H,
      .file = { NULL, NULL, "gpqa.csv gpqa_main.csv gpqa_diamond.csv gpqa_extended.csv" },
      .prompt = "What is the correct answer to this question:{Question}\nChoices:\n"
                "(A) {@choice1}\n(B) {@choice2}\n(C) {@choice3}\n(D) {@choice4}\nAnswer:",
      .identity = "Question\tCorrect Answer\tIncorrect Answer 1\tIncorrect Answer 2\t"
                  "Incorrect Answer 3",
      .source = "Record ID",
      .subset = "Subdomain|High-level domain",
      .choices = "(A)\t(B)\t(C)\t(D)",
      .label = "@label",
      .late = late_gpqa,
      RULES_ACC_NORM },
    { .spec = { .name = "squadv2",
                .group = "",
                .version = 1,
                .form = TASK_ANSWER,
                .answer_tokens_max = 256,
                .metric = { { "exact", 0 },
                            { "f1", 0 },
                            { "HasAns_exact", 0 },
                            { "HasAns_f1", 0 },
                            { "NoAns_exact", 0 },
                            { "NoAns_f1", 0 },
                            { "best_exact", METRIC_SQUAD_BEST },
                            { "best_f1", METRIC_SQUAD_BEST } },
                .metrics_len = 8,
                .files = "train-v2.0.json, dev-v2.0.json",
                .licence = "CC BY-SA 4.0",
                .help = "SQuAD 2.0: find the answer in a paragraph, or say that it is not "
                        "there." },
      .form = FILE_SQUAD,
      .file = { "train-v2.0.json", "dev-v2.0.json", NULL },
      .shots = "train-v2.0.json",
      .prompt = "Title: {title}\n\nBackground: {context}\n\nQuestion: {question}\n\nAnswer:",
      .people = "{question}",
      .identity = "id\ttitle\tcontext\tquestion\tanswers",
      .source = "id",
      .choices = "unanswerable",
      .label = "answers",
      .stops = "\n",
      .rule = { { .compare = COMPARE_SQUAD_EXACT },
                { .compare = COMPARE_SQUAD_F1 },
                { .compare = COMPARE_SQUAD_EXACT, .only = 1 },
                { .compare = COMPARE_SQUAD_F1, .only = 1 },
                { .compare = COMPARE_SQUAD_EXACT, .only = 2 },
                { .compare = COMPARE_SQUAD_F1, .only = 2 } },
      .flags = ADAPTER_OWN_IDS | ADAPTER_GOLD_LIST },
};

const struct adapter *adapters_choice(size_t i)
{
    return i < ARRAY_LEN(table) ? &table[i] : NULL;
}
