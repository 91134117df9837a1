/* SPDX-License-Identifier: Apache-2.0 */
/* GLUE (tab separated files or JSONL) and SuperGLUE (JSONL): sentences, a question about them, and
 * one word per label. */
#include "common/metrics/metrics.h"
#include "common/tasks/adapters.h"

#define GLUE_FILES(FOLDER)                                                                         \
    .file = { "train.tsv train.jsonl " FOLDER "/train.tsv " FOLDER "/train.jsonl",                 \
              "dev.tsv validation.jsonl dev.jsonl val.jsonl " FOLDER "/dev.tsv " FOLDER            \
              "/validation.jsonl " FOLDER "/dev.jsonl " FOLDER "/val.jsonl",                       \
              NULL },                                                                              \
    .shots = "train.tsv train.jsonl " FOLDER "/train.tsv " FOLDER "/train.jsonl",                  \
    .source = "idx|index|id"
#define SUPERGLUE_FILES(FOLDER)                                                                    \
    .file = { "train.jsonl " FOLDER "/train.jsonl",                                                \
              "val.jsonl validation.jsonl dev.jsonl " FOLDER "/val.jsonl " FOLDER                  \
              "/validation.jsonl " FOLDER "/dev.jsonl",                                            \
              NULL },                                                                              \
    .shots = "train.jsonl " FOLDER "/train.jsonl", .source = "idx"

#define GLUE_SPEC_PART(NAME, FOLDER, PART, HELP)                                                   \
    .name = NAME, .group = "glue", .version = 1, .form = TASK_CHOICE,                              \
    .files = FOLDER "/train.tsv, " FOLDER "/dev" PART ".tsv (or train.jsonl, validation" PART      \
                    ".jsonl)",                                                                     \
    .licence = "unclear; GLUE's terms", .help = HELP
#define GLUE_SPEC(NAME, FOLDER, HELP) GLUE_SPEC_PART(NAME, FOLDER, "", HELP)
#define SUPERGLUE_SPEC(NAME, FOLDER, LICENCE, HELP)                                                \
    .name = NAME, .group = "superglue", .version = 1, .form = TASK_CHOICE,                         \
    .files = FOLDER "/train.jsonl, " FOLDER "/val.jsonl", .licence = LICENCE, .help = HELP
#define METRICS_ACC_F1 .metric = { { "acc", 0 }, { "f1", METRIC_F1 } }, .metrics_len = 2

#define MNLI(NAME, PART, HELP)                                                                     \
    {                                                                                              \
        .spec = { GLUE_SPEC_PART(NAME, "MNLI", "_" PART, HELP), METRICS_ACC }, .form = FILE_TSV_H, \
        .file = { "train.tsv train.jsonl MNLI/train.tsv MNLI/train.jsonl",                         \
                  "dev_" PART ".tsv validation_" PART ".jsonl dev_" PART ".jsonl "                 \
                  "MNLI/dev_" PART ".tsv MNLI/validation_" PART ".jsonl MNLI/dev_" PART ".jsonl "  \
                  "validation.jsonl dev.jsonl val.jsonl MNLI/validation.jsonl MNLI/dev.jsonl",     \
                  NULL },                                                                          \
        .shots = "train.tsv train.jsonl MNLI/train.tsv MNLI/train.jsonl",                          \
        .source = "idx|index|id",                                                                  \
        .prompt = "{premise|sentence1}\nQuestion: {hypothesis|sentence2:dot} True, False or "      \
                  "Neither?\nAnswer:",                                                             \
        .identity = "premise|sentence1\thypothesis|sentence2\tgold_label|label",                   \
        .choices = "True\tNeither\tFalse", .label = "gold_label|label",                            \
        .words = "entailment|neutral|contradiction", .flags = ADAPTER_SKIP_DASH                    \
    }

static const struct adapter table[] = {
    { .spec = { GLUE_SPEC("cola", "CoLA", "CoLA: is the sentence acceptable English?"),
                .metric = { { "mcc", METRIC_MCC }, { "acc", 0 } }, .metrics_len = 2 },
      .form = FILE_TSV,
      .columns = "source|label|mark|sentence",
      .file = { "train.tsv train.jsonl in_domain_train.tsv CoLA/train.tsv CoLA/train.jsonl",
                "dev.tsv validation.jsonl dev.jsonl val.jsonl in_domain_dev.tsv CoLA/dev.tsv "
                "CoLA/validation.jsonl CoLA/dev.jsonl CoLA/val.jsonl",
                NULL },
      .shots = "train.tsv train.jsonl in_domain_train.tsv CoLA/train.tsv CoLA/train.jsonl",
      .source = "idx",
      .prompt = "{sentence}\nQuestion: Does this sentence make sense?\nAnswer:",
      .identity = "sentence\tlabel",
      .choices = "no\tyes",
      .label = "label" },
    { .spec = { GLUE_SPEC("sst2", "SST-2", "SST-2: the sentiment of a film review's sentence."),
                METRICS_ACC },
      .form = FILE_TSV_H,
      GLUE_FILES("SST-2"),
      .prompt = "{sentence}\nQuestion: Is this sentence positive or negative?\nAnswer:",
      .identity = "sentence\tlabel",
      .choices = "negative\tpositive",
      .label = "label",
      .words = "negative|positive" },
    { .spec = { GLUE_SPEC("mrpc", "MRPC", "MRPC: do two sentences say the same?"), METRICS_ACC_F1 },
      .form = FILE_TSV_H,
      .file = { "train.tsv train.jsonl msr_paraphrase_train.txt MRPC/train.tsv MRPC/train.jsonl",
                "dev.tsv validation.jsonl dev.jsonl val.jsonl MRPC/dev.tsv MRPC/validation.jsonl "
                "MRPC/dev.jsonl MRPC/val.jsonl",
                "msr_paraphrase_test.txt MRPC/msr_paraphrase_test.txt" },
      .shots = "train.tsv train.jsonl msr_paraphrase_train.txt MRPC/train.tsv MRPC/train.jsonl",
      .source = "idx",
      .prompt = "Sentence 1: {sentence1|#1 String}\nSentence 2: {sentence2|#2 String}\n"
                "Question: Do both sentences mean the same thing?\nAnswer:",
      .identity = "sentence1|#1 String\tsentence2|#2 String\tlabel|Quality",
      .choices = "no\tyes",
      .label = "label|Quality",
      .words = "not_equivalent|equivalent" },
    { .spec = { GLUE_SPEC("qqp", "QQP", "QQP: do two questions ask the same?"), METRICS_ACC_F1 },
      .form = FILE_TSV_H,
      GLUE_FILES("QQP"),
      .prompt = "Question 1: {question1}\nQuestion 2: {question2}\n"
                "Question: Do both questions ask the same thing?\nAnswer:",
      .identity = "question1\tquestion2\tlabel|is_duplicate",
      .choices = "no\tyes",
      .label = "label|is_duplicate",
      .words = "not_duplicate|duplicate",
      .flags = ADAPTER_SKIP_SHORT },
    MNLI("mnli", "matched", "MNLI: does the second sentence follow from the first?"),
    MNLI("mnli_mismatch", "mismatched", "MNLI on genres that its training does not have."),
    { .spec = { GLUE_SPEC("qnli", "QNLI", "QNLI: does the sentence answer the question?"),
                METRICS_ACC },
      .form = FILE_TSV_H,
      GLUE_FILES("QNLI"),
      .prompt = "{question}\n{sentence}\nQuestion: Does this response answer the question?\n"
                "Answer:",
      .identity = "question\tsentence\tlabel",
      .choices = "yes\tno",
      .label = "label",
      .words = "entailment|not_entailment" },
    { .spec = { GLUE_SPEC("rte", "RTE", "RTE: does the second sentence follow from the first?"),
                METRICS_ACC },
      .form = FILE_TSV_H,
      GLUE_FILES("RTE"),
      .prompt = "{sentence1|premise}\nQuestion: {sentence2|hypothesis} True or False?\nAnswer:",
      .identity = "sentence1|premise\tsentence2|hypothesis\tlabel",
      .choices = "True\tFalse",
      .label = "label",
      .words = "entailment|not_entailment" },
    { .spec = { GLUE_SPEC("wnli", "WNLI", "WNLI: is the pronoun replaced rightly?"), METRICS_ACC },
      .form = FILE_TSV_H,
      GLUE_FILES("WNLI"),
      .prompt = "{sentence1}\nQuestion: {sentence2} True or False?\nAnswer:",
      .identity = "sentence1\tsentence2\tlabel",
      .choices = "False\tTrue",
      .label = "label",
      .words = "not_entailment|entailment" },
    { .spec = { SUPERGLUE_SPEC("boolq", "BoolQ", "CC BY-SA 3.0",
                               "BoolQ: yes/no questions about a passage."),
                METRICS_ACC },
      SUPERGLUE_FILES("BoolQ"),
      .prompt = "{passage}\nQuestion: {question}?\nAnswer:",
      .identity = "passage\tquestion\tlabel",
      .choices = "no\tyes",
      .label = "label|answer" },
    { .spec = { SUPERGLUE_SPEC("cb", "CB", "unclear",
                               "CommitmentBank: is the speaker committed to the clause?"),
                .metric = { { "acc", 0 }, { "f1", METRIC_MACRO_F1 } }, .metrics_len = 2 },
      SUPERGLUE_FILES("CB"),
      .prompt = "{premise}\nQuestion: {hypothesis}. True, False, or Neither?\nAnswer:",
      .identity = "premise\thypothesis\tlabel",
      .choices = "True\tFalse\tNeither",
      .label = "label",
      .words = "entailment|contradiction|neutral" },
    { .spec = { SUPERGLUE_SPEC("copa", "COPA", "BSD-2-Clause",
                               "COPA: which is the cause or the effect?"),
                METRICS_ACC },
      SUPERGLUE_FILES("COPA"),
      .prompt = "{@premise}",
      .people = "{@premise}",
      .identity = "premise\tchoice1\tchoice2\tquestion\tlabel",
      .choices = "*@choices",
      .label = "label",
      .fix = fix_copa },
    { .spec = { SUPERGLUE_SPEC("wic", "WiC", "CC BY-NC 4.0",
                               "WiC: has the word one meaning in both sentences?"),
                METRICS_ACC },
      SUPERGLUE_FILES("WiC"),
      .prompt = "Sentence 1: {sentence1}\nSentence 2: {sentence2}\nQuestion: Is the word "
                "'{@word}' used in the same way in the two sentences above?\nAnswer:",
      .identity = "sentence1\tsentence2\t@word\tlabel",
      .choices = "no\tyes",
      .label = "label",
      .fix = fix_wic },
    { .spec = { SUPERGLUE_SPEC("wsc", "WSC", "CC BY 4.0", "WSC: whom does the pronoun mean?"),
                METRICS_ACC },
      SUPERGLUE_FILES("WSC"),
      .prompt = "Passage: {@passage}\nQuestion: In the passage above, does the pronoun "
                "\"*{target.span2_text|span2_text}*\" refer to "
                "\"*{target.span1_text|span1_text}*\"?\nAnswer:",
      .identity = "@passage\ttarget.span1_text|span1_text\ttarget.span2_text|span2_text\t"
                  "target.span2_index|span2_index\tlabel",
      .choices = "no\tyes",
      .label = "label",
      .fix = fix_wsc },
    { .spec = { SUPERGLUE_SPEC("multirc", "MultiRC", "unclear",
                               "MultiRC: is this answer to the question right?"),
                METRICS_ACC },
      .form = FILE_MULTI,
      SUPERGLUE_FILES("MultiRC"),
      .prompt = "{paragraph}\nQuestion: {question}\nAnswer:",
      .identity = "paragraph\tquestion\tanswer\tlabel",
      .choices = "{answer}\nIs the answer correct? yes\t{answer}\nIs the answer correct? no",
      .label = "label",
      .words = "1|0" },
    { .spec = { SUPERGLUE_SPEC("sglue_rte", "RTE", "unclear", "RTE in SuperGLUE's form."),
                METRICS_ACC },
      SUPERGLUE_FILES("RTE"),
      .prompt = "{premise}\nQuestion: {hypothesis} True or False?\nAnswer:",
      .identity = "premise\thypothesis\tlabel",
      .choices = "True\tFalse",
      .label = "label",
      .words = "entailment|not_entailment" },
};

const struct adapter *adapters_glue(size_t i)
{
    return i < ARRAY_LEN(table) ? &table[i] : NULL;
}
