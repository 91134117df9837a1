/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tokenizer/chat.h"

#include <string.h>

static const char default_date[] = "26 Jul 2024";
static const char qwen_system[] =
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";

enum chat_family chat_family_of(const struct tokenizer *t)
{
    if (tokenizer_id(t, "<|start_header_id|>") != UINT32_MAX &&
        tokenizer_id(t, "<|eot_id|>") != UINT32_MAX)
        return CHAT_LLAMA3;
    if (tokenizer_id(t, "<|im_start|>") != UINT32_MAX &&
        tokenizer_id(t, "<|im_end|>") != UINT32_MAX)
        return CHAT_QWEN2;
    return CHAT_NONE;
}

const char *chat_family_name(enum chat_family f)
{
    switch (f) {
    case CHAT_NONE:
        return "none";
    case CHAT_LLAMA3:
        return "llama3";
    case CHAT_QWEN2:
        return "qwen2";
    }
    return "none";
}

static bool is_system(const struct chat_message *m)
{
    return !strcmp(m->role, "system");
}

static int check(enum chat_family f, const struct chat_message *m, size_t len, struct err *err)
{
    if (f == CHAT_NONE)
        return err_set(err, ERR_INVALID,
                       "the tokenizer has no chat tokens (<|start_header_id|> and <|eot_id|>, or "
                       "<|im_start|> and <|im_end|>): it belongs to no model tuned on chats that "
                       "is supported (Llama 3.x, Qwen2.x)");
    if (!len)
        return err_set(err, ERR_INVALID, "a chat needs at least one message");
    for (size_t i = 0; i < len; i++)
        if (!is_system(&m[i]) && strcmp(m[i].role, "user") != 0 &&
            strcmp(m[i].role, "assistant") != 0)
            return err_set(err, ERR_INVALID,
                           "message %zu: role '%.40s' is none of system, user, assistant", i,
                           m[i].role);
    return 0;
}

/* Length of the white space (Unicode's White_Space and U+001C..1F, as Python's strip takes it) that
 * S starts with; 0 for none. */
static size_t space_len(const char *s)
{
    static const char *const wide[] = {
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
        "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
        "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
    };

    if ((*s >= 9 && *s <= 13) || (*s >= 28 && *s <= 32))
        return 1;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (!strncmp(s, wide[i], strlen(wide[i])))
            return strlen(wide[i]);
    return 0;
}

static void add_trimmed(struct buf *out, const char *s)
{
    size_t n, end = 0;

    while ((n = space_len(s)) > 0)
        s += n;
    for (size_t i = 0; s[i]; i += n ? n : 1) {
        n = space_len(s + i);
        if (!n)
            end = i + 1;
    }
    buf_add(out, s, end);
}

static void llama_turn(struct buf *out, const char *role, const char *content)
{
    buf_printf(out, "<|start_header_id|>%s<|end_header_id|>\n\n", role);
    add_trimmed(out, content);
    buf_adds(out, "<|eot_id|>");
}

static void render_llama(const struct chat_message *m, size_t len, const char *date,
                         struct buf *out)
{
    size_t first = is_system(&m[0]);

    buf_printf(out,
               "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
               "Cutting Knowledge Date: December 2023\nToday Date: %s\n\n",
               date ? date : default_date);
    if (first)
        add_trimmed(out, m[0].content);
    buf_adds(out, "<|eot_id|>");
    for (size_t i = first; i < len; i++)
        llama_turn(out, m[i].role, m[i].content);
    buf_adds(out, "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

static void qwen_turn(struct buf *out, const char *role, const char *content)
{
    buf_printf(out, "<|im_start|>%s\n", role);
    buf_adds(out, content);
    buf_adds(out, "<|im_end|>\n");
}

static void render_qwen(const struct chat_message *m, size_t len, struct buf *out)
{
    if (!is_system(&m[0]))
        qwen_turn(out, "system", qwen_system);
    for (size_t i = 0; i < len; i++)
        qwen_turn(out, m[i].role, m[i].content);
    buf_adds(out, "<|im_start|>assistant\n");
}

int chat_render(enum chat_family f, const struct chat_message *m, size_t len, const char *date,
                struct buf *out, struct err *err)
{
    int rc = check(f, m, len, err);

    if (rc)
        return rc;
    if (f == CHAT_LLAMA3)
        render_llama(m, len, date, out);
    else
        render_qwen(m, len, out);
    return 0;
}
