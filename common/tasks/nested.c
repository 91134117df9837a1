/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tasks/fields.h"
#include "common/tasks/records.h"

static void copy_field(struct json *to, const char *key, const struct json *from)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (field_text(from, &text))
        json_set(to, key, json_new_text(buf_str(&text)));
}

void squad_each(const struct json *tree, part_fn fn, void *arg)
{
    const struct json *data = json_get(tree, "data");

    for (size_t i = 0; i < json_len(data); i++) {
        const struct json *paragraphs = json_get(json_at(data, i), "paragraphs");
        for (size_t j = 0; j < json_len(paragraphs); j++) {
            const struct json *qas = json_get(json_at(paragraphs, j), "qas");
            for (size_t k = 0; k < json_len(qas); k++)
                fn((const uint32_t[]){ (uint32_t)i, (uint32_t)j, (uint32_t)k }, arg);
        }
    }
}

struct json *squad_record(const struct json *tree, const uint32_t part[3])
{
    const struct json *article = json_at(json_get(tree, "data"), part[0]);
    const struct json *paragraph = json_at(json_get(article, "paragraphs"), part[1]);
    const struct json *qa = json_at(json_get(paragraph, "qas"), part[2]);
    const struct json *answers = json_get(qa, "answers");
    struct json *texts = json_new_array(), *flat = json_new_object();

    copy_field(flat, "title", json_get(article, "title"));
    copy_field(flat, "context", json_get(paragraph, "context"));
    copy_field(flat, "question", json_get(qa, "question"));
    copy_field(flat, "id", json_get(qa, "id"));
    for (size_t i = 0; i < json_len(answers); i++) {
        const char *text = json_text(json_get(json_at(answers, i), "text"));
        if (text)
            json_push(texts, json_new_text(text));
    }
    bool impossible = json_bool(json_get(qa, "is_impossible"), false);
    if (json_is_array(answers) && (impossible || json_len(texts) > 0))
        json_set(flat, "answers", texts);
    else
        json_free(texts); /* unlabelled: refused where gold is looked for */
    return flat;
}

void multi_each(const struct json *root, part_fn fn, void *arg)
{
    const struct json *questions = field_find(root, "passage.questions");

    if (!questions)
        fn((const uint32_t[]){ 0, 0, 0 }, arg);
    for (size_t q = 0; q < json_len(questions); q++) {
        const struct json *answers = json_get(json_at(questions, q), "answers");
        for (size_t i = 0; i < json_len(answers); i++)
            fn((const uint32_t[]){ (uint32_t)q, (uint32_t)i, 0 }, arg);
    }
}

struct json *multi_record(const struct json *root, const uint32_t part[3])
{
    const struct json *questions = field_find(root, "passage.questions");

    if (!questions)
        return NULL;
    const struct json *question = json_at(questions, part[0]);
    const struct json *answer = json_at(json_get(question, "answers"), part[1]);
    struct json *flat = json_new_object();
    copy_field(flat, "paragraph", field_find(root, "passage.text"));
    copy_field(flat, "question", json_get(question, "question"));
    copy_field(flat, "answer", json_get(answer, "text"));
    copy_field(flat, "label", json_get(answer, "label"));
    return flat;
}
