/* SPDX-License-Identifier: Apache-2.0 */
/* AGIEval's sets, each a file of its own; multiple choice, or a short answer (cloze). */
#include "common/tasks/adapters.h"

#define SPEC(NAME, FILES, LICENCE, HELP)                                                           \
    .name = "agieval_" NAME, .group = "agieval", .version = 1, .files = FILES ".jsonl (v1)",       \
    .licence = LICENCE, .help = "AGIEval: " HELP

#define FILES_OF(FILES) .file = { NULL, NULL, FILES ".jsonl" }

#define CHOICE(NAME, FILES, STYLE, LICENCE, HELP)                                                  \
    {                                                                                              \
        .spec = { SPEC(NAME, FILES, LICENCE, HELP), .form = TASK_CHOICE, METRICS_ACC_NORM },       \
        FILES_OF(FILES), .prompt = "{@query}", .identity = "passage\tquestion\toptions\t@label",   \
        .choices = "*options", .label = "@label", .fix = fix_agieval, .arg = STYLE, RULES_ACC_NORM \
    }

#define CLOZE(NAME, FILES, STYLE, LICENCE, HELP)                                                   \
    {                                                                                              \
        .spec = { SPEC(NAME, FILES, LICENCE, HELP), .form = TASK_ANSWER, .answer_tokens_max = 32,  \
                  METRICS_ACC },                                                                   \
        FILES_OF(FILES), .prompt = "{@query}", .people = "{question}",                             \
        .identity = "question\tanswer", .answer = "{answer}", .stops = "Q:", .fix = fix_agieval,   \
        .arg = STYLE, .rule = {                                                                    \
            { .extract = EXTRACT_AGIEVAL, .compare = COMPARE_HENDRYCKS }                           \
        }                                                                                          \
    }

static const struct adapter table[] = {
    CHOICE("aqua_rat", "aqua-rat", "en", "Apache-2.0", "algebra word problems."),
    CHOICE("sat_math", "sat-math", "en", "MIT", "SAT mathematics."),
    CHOICE("sat_en", "sat-en", "en", "MIT", "SAT reading."),
    CHOICE("sat_en_without_passage", "sat-en-without-passage", "en", "MIT",
           "SAT reading without the passage."),
    CHOICE("lsat_ar", "lsat-ar", "en", "MIT", "LSAT analytical reasoning."),
    CHOICE("lsat_lr", "lsat-lr", "en", "MIT", "LSAT logical reasoning."),
    CHOICE("lsat_rc", "lsat-rc", "en", "MIT", "LSAT reading comprehension."),
    CHOICE("logiqa_en", "logiqa-en", "en", "CC BY-NC-SA 4.0", "LogiQA in English."),
    CHOICE("logiqa_zh", "logiqa-zh", "zh", "CC BY-NC-SA 4.0", "LogiQA in Chinese."),
    CHOICE("gaokao_english", "gaokao-english", "en", "MIT", "Gaokao English."),
    CHOICE("gaokao_biology", "gaokao-biology", "zh", "MIT", "Gaokao biology."),
    CHOICE("gaokao_chemistry", "gaokao-chemistry", "zh", "MIT", "Gaokao chemistry."),
    CHOICE("gaokao_chinese", "gaokao-chinese", "zh", "MIT", "Gaokao Chinese."),
    CHOICE("gaokao_geography", "gaokao-geography", "zh", "MIT", "Gaokao geography."),
    CHOICE("gaokao_history", "gaokao-history", "zh", "MIT", "Gaokao history."),
    CHOICE("gaokao_mathqa", "gaokao-mathqa", "zh", "MIT", "Gaokao mathematics."),
    CHOICE("gaokao_physics", "gaokao-physics", "zh", "MIT", "Gaokao physics."),
    CHOICE("jec_qa_kd", "jec-qa-kd", "zh", "academic use only", "Chinese bar examination."),
    CHOICE("jec_qa_ca", "jec-qa-ca", "zh", "academic use only", "Chinese bar examination, cases."),
    CLOZE("gaokao_mathcloze", "gaokao-mathcloze", "zh_cloze", "MIT",
          "Gaokao mathematics, short answers."),
    CLOZE("math", "math", "en_cloze", "MIT", "1000 of MATH's problems."),
};

const struct adapter *adapters_agieval(size_t i)
{
    return i < ARRAY_LEN(table) ? &table[i] : NULL;
}
