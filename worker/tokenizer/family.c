/* SPDX-License-Identifier: Apache-2.0 */
/* family.c - what the vocabularies of GPT-2, Llama 3 and Qwen2 go with: the pre-tokenizer, NFC, the
 * special tokens. */
#include <stdio.h>
#include <string.h>

#include "worker/tokenizer/tokenizer_private.h"

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define WORDS(NUMBERS)                                                                             \
    "(?i:" CONTRACTIONS ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" NUMBERS                                 \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *name;
    const char *stage[4];
    bool nfc, whole_first;
} families[] = {
    [FAMILY_NONE] = { .name = "none" },
    [FAMILY_GPT2] = { .name = "gpt2",
                      .stage = { CONTRACTIONS
                                 "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+" } },
    [FAMILY_LLAMA3] = { .name = "llama3", .stage = { WORDS("\\p{N}{1,3}") }, .whole_first = true },
    [FAMILY_QWEN2] = { .name = "qwen2", .stage = { WORDS("\\p{N}") }, .nfc = true },
    /* llama.cpp's for files that name none */
    [FAMILY_DEFAULT] = { .name = "default",
                         .stage = { "[\\p{P}\\$\\+<=>\\^~\\|]+",
                                    CONTRACTIONS
                                    "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
                                    "\\p{N}+", "[0-9][0-9][0-9]" } },
};

static const char *const gpt2_specials[] = { "<|endoftext|>" };
static const char *const qwen2_specials[] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>" };
enum { LLAMA3_SPECIALS = 256, LLAMA3_NAMED = 11 };
/* NULL: the next <|reserved_special_token_N|>. */
static const char *const llama3_specials[LLAMA3_NAMED] = {
    "<|begin_of_text|>",
    "<|end_of_text|>",
    NULL,
    NULL,
    "<|finetune_right_pad_id|>",
    NULL,
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
};

const char *family_name(enum family f)
{
    return families[f].name;
}

int family_by_name(const char *name, enum family *ret, struct err *err)
{
    for (enum family f = FAMILY_GPT2; f <= FAMILY_QWEN2; f++)
        if (!strcmp(name, families[f].name)) {
            *ret = f;
            return 0;
        }
    return err_set(err, ERR_INVALID,
                   "pre-tokenizer '%.40s' is not known: gpt2, llama3 and qwen2 are", name);
}

int family_apply(struct tokenizer *t, enum family f, struct err *err)
{
    int rc;

    t->nfc = families[f].nfc;
    t->whole_first |= families[f].whole_first;
    for (size_t i = 0; i < ARRAY_LEN(families[f].stage) && families[f].stage[i]; i++) {
        rc = regex_new(&t->stage[t->stages], families[f].stage[i], err);
        if (rc)
            return rc;
        t->stages++;
    }
    snprintf(t->kind, sizeof(t->kind), "byte-level BPE (%s)", families[f].name);
    return 0;
}

static int add_special(struct tokenizer *t, const char *text, uint32_t id, const char *path,
                       struct err *err)
{
    struct added a = {
        .text = (char *)text, .len = (uint32_t)strlen(text), .id = id, .special = true
    };
    uint32_t there = tokenizer_id(t, text);

    if (there != NO_ID)
        a.id = there;
    else if (id < t->vocab && t->piece[id].type != PIECE_NONE)
        return err_set(err, ERR_INVALID, "%s: id %u is taken, but should be %s", path, id, text);
    return tokenizer_add(t, &a, path, err);
}

static int llama3_add(struct tokenizer *t, uint32_t first, const char *path, struct err *err)
{
    unsigned reserved = 0;
    int rc = 0;

    for (uint32_t i = 0; i < LLAMA3_SPECIALS && !rc; i++) {
        char text[48];

        if (i < LLAMA3_NAMED && llama3_specials[i])
            snprintf(text, sizeof(text), "%s", llama3_specials[i]);
        else
            snprintf(text, sizeof(text), "<|reserved_special_token_%u|>", reserved++);
        rc = add_special(t, text, first + i, path, err);
    }
    return rc;
}

int family_specials(struct tokenizer *t, enum family f, uint32_t first, const char *path,
                    struct err *err)
{
    const char *const *list = f == FAMILY_GPT2 ? gpt2_specials : qwen2_specials;
    size_t len = f == FAMILY_GPT2    ? ARRAY_LEN(gpt2_specials)
                 : f == FAMILY_QWEN2 ? ARRAY_LEN(qwen2_specials)
                                     : 0;
    int rc = f == FAMILY_LLAMA3 ? llama3_add(t, first, path, err) : 0;

    for (uint32_t i = 0; i < len && !rc; i++)
        rc = add_special(t, list[i], first + i, path, err);
    if (rc)
        return rc;
    if (f == FAMILY_LLAMA3) {
        t->bos = tokenizer_id(t, "<|begin_of_text|>");
        t->eos = tokenizer_id(t, "<|end_of_text|>");
        t->prefix[0] = t->bos;
        t->prefix_len = 1;
    } else if (len) {
        t->eos = tokenizer_id(t, "<|endoftext|>");
        t->bos = f == FAMILY_GPT2 ? t->eos : NO_ID;
    }
    return 0;
}
