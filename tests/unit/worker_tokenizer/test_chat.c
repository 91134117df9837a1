/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: conversations become the texts of the published templates.
 * Method: the templates of Llama 3.1, 3.2 and Qwen2.5 expanded by hand. */
#include "tests/unit/worker_tokenizer/files.h"

#include "worker/tokenizer/chat.h"

static void assert_chat(enum chat_family f, const struct chat_message *m, size_t len,
                        const char *date, const char *want)
{
    struct buf out = { 0 };
    struct err err = { 0 };

    buf_adds(&out, "x");
    if (chat_render(f, m, len, date, &out, &err))
        fail_msg("%s", err.text);
    assert_string_equal(out.data + 1, want); /* appended */
    buf_release(&out);
}

static void qwen_without_a_system_message_gets_its_own(void **state)
{
    (void)state;
    assert_chat(CHAT_QWEN2, (struct chat_message[]){ { "user", " Hi \n" } }, 1, "1 Jan 2030",
                "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
                "assistant.<|im_end|>\n<|im_start|>user\n Hi \n<|im_end|>\n"
                "<|im_start|>assistant\n");
}

static void qwen_keeps_system_and_turns_as_they_are(void **state)
{
    (void)state;
    assert_chat(CHAT_QWEN2,
                (struct chat_message[]){ { "system", "Be brief." },
                                         { "user", "1+1?" },
                                         { "assistant", "2" },
                                         { "system", "More." },
                                         { "user", "2+2?" } },
                5, NULL,
                "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n"
                "<|im_start|>assistant\n2<|im_end|>\n<|im_start|>system\nMore.<|im_end|>\n"
                "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n");
}

static void llama_has_its_date_lines_and_trimmed_turns(void **state)
{
    (void)state;
    assert_chat(CHAT_LLAMA3, (struct chat_message[]){ { "user", " \n\tHi there \xc2\xa0\n" } }, 1,
                NULL,
                "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
                "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
                "<|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

static void llama_puts_the_system_message_behind_the_date(void **state)
{
    (void)state;
    assert_chat(CHAT_LLAMA3,
                (struct chat_message[]){ { "system", "  Be brief.\n" },
                                         { "user", "1+1?" },
                                         { "assistant", "2\n" },
                                         { "user", "" } },
                4, "01 Jan 2030",
                "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
                "Cutting Knowledge Date: December 2023\nToday Date: 01 Jan 2030\n\nBe brief."
                "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n1+1?<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\n2<|eot_id|>"
                "<|start_header_id|>user<|end_header_id|>\n\n<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

static void senseless_chats_are_refused(void **state)
{
    struct buf out = { 0 };
    struct err err = { 0 };

    (void)state;
    expect_error(chat_render(CHAT_NONE, &(struct chat_message){ "user", "x" }, 1, NULL, &out, &err),
                 &err, ERR_INVALID, "no chat tokens", "none");
    expect_error(chat_render(CHAT_QWEN2, NULL, 0, NULL, &out, &err), &err, ERR_INVALID,
                 "at least one message", "empty");
    expect_error(
        chat_render(CHAT_LLAMA3, &(struct chat_message){ "tool", "x" }, 1, NULL, &out, &err), &err,
        ERR_INVALID, "'tool'", "role");
    assert_int_equal(out.len, 0);
}

static void the_family_shows_in_the_special_tokens(void **state)
{
    struct tokenizer *t;
    struct buf out = { 0 };
    uint32_t *ids;
    size_t len;

    (void)state;
    NEED_SHARED("qwen2/vocab.json");
    t = open_ok(shared("tiny/tiktoken_small.model"), 0, NULL);
    assert_int_equal(chat_family_of(t), CHAT_LLAMA3);
    assert_int_equal(
        chat_render(CHAT_LLAMA3, &(struct chat_message){ "user", "x" }, 1, NULL, &out, NULL), 0);
    assert_int_equal(tokenizer_encode(t, out.data, out.len, TOKENIZER_SPECIAL, &ids, &len, NULL),
                     0);
    assert_int_equal(ids[0], 2000); /* <|begin_of_text|>, <|start_header_id|> */
    assert_int_equal(ids[1], 2006);
    free(ids);
    tokenizer_free(t);
    t = open_ok(shared("qwen2/vocab.json"), 0, NULL);
    assert_int_equal(chat_family_of(t), CHAT_QWEN2);
    assert_string_equal(chat_family_name(CHAT_QWEN2), "qwen2");
    assert_ids(t, "<|im_start|>user\nx<|im_end|>\n", TOKENIZER_SPECIAL,
               (uint32_t[]){ 151644, 872, 198, 87, 151645, 198 }, 6);
    tokenizer_free(t);
    t = open_ok(shared("gpt2/encoder.json"), 0, NULL);
    assert_int_equal(chat_family_of(t), CHAT_NONE);
    tokenizer_free(t);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qwen_without_a_system_message_gets_its_own),
        cmocka_unit_test(qwen_keeps_system_and_turns_as_they_are),
        cmocka_unit_test(llama_has_its_date_lines_and_trimmed_turns),
        cmocka_unit_test(llama_puts_the_system_message_behind_the_date),
        cmocka_unit_test(senseless_chats_are_refused),
        cmocka_unit_test(the_family_shows_in_the_special_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
