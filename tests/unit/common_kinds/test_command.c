/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a command's texts mean what they say, values stay inside their argument, and what is wrong
 * is named before anything runs.
 * Method: texts with known expansions, and every refusal with the word that it must hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kinds/command.h"

static const char *value(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "lr") == 0           ? "0.1"
           : strcmp(name, "input.data") == 0 ? "/a b/$(rm -rf ~); {lr}"
           : strcmp(name, "empty") == 0      ? ""
                                             : NULL;
}

static void assert_expands(const char *text, const char *want)
{
    struct buf out CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(command_expand(text, value, NULL, &out, &err), 0);
    assert_string_equal(buf_str(&out), want);
}

static void values_stand_where_their_names_were(void **state)
{
    (void)state;
    assert_expands("--lr={lr}", "--lr=0.1");
    assert_expands("{lr}{empty}{lr}", "0.10.1");
    assert_expands("x={input.data}", "x=/a b/$(rm -rf ~); {lr}"); /* not expanded again */
    assert_expands("{{\"a\": {lr}}}", "{\"a\": 0.1}");
    assert_expands("", "");
}

static void lone_braces_and_unknown_names_are_refused(void **state)
{
    static const char *const wrong[] = { "{",     "}",        "{lr", "lr}",    "{}",
                                         "{lr }", "{nobody}", "{{{", "{a{lr}}" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct buf out CLEANUP(buf_release) = { 0 };
        struct err err = { 0 };
        assert_int_equal(command_expand(wrong[i], value, NULL, &out, &err), ERR_INVALID);
    }
}

struct given {
    const char *command[4], *parameters[4], *outputs[10];
};

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list[n] != NULL)
        n++;
    return n;
}

static void put(struct params *p, const char *name, const char *const *list)
{
    struct err err = { 0 };
    const struct param_value v = { .type = PARAM_TEXTS,
                                   .texts = (char **)(uintptr_t)list,
                                   .len = count(list) };
    if (v.len > 0)
        assert_int_equal(params_set(p, name, &v, &err), 0);
}

static int check(struct given g, bool model, struct err *err)
{
    static const char *const inputs[] = { "data", NULL };
    struct params p CLEANUP(params_release) = { 0 };

    put(&p, "command", g.command);
    put(&p, "parameters", g.parameters);
    put(&p, "outputs", g.outputs);
    *err = (struct err){ 0 };
    return command_check(&p, inputs, model, err);
}

#define GOOD(MODEL, ...)                                                                           \
    assert_int_equal(check((struct given){ __VA_ARGS__ }, MODEL, &(struct err){ 0 }), 0)
#define WRONG(WORD, ...)                                                                           \
    do {                                                                                           \
        struct err why;                                                                            \
        assert_int_equal(check((struct given){ __VA_ARGS__ }, false, &why), ERR_INVALID);          \
        if (strstr(why.text, WORD) == NULL)                                                        \
            fail_msg("\"%s\" is not in \"%s\"", WORD, why.text);                                   \
    } while (0)

static void what_a_step_says_is_checked_as_a_whole(void **state)
{
    (void)state;
    GOOD(false, .command = { "python3", "{input.data}", "{seed}", "{lr}" },
         .parameters = { "lr=1" });
    GOOD(true, .command = { "/bin/x", "{model}", "{output.a.txt}" }, .outputs = { "a.txt", "b/" });
    WRONG("command:", .command = { NULL });
    WRONG("relative", .command = { "bin/x" });
    WRONG("may not be", .command = { "{input.data}" });
    WRONG("empty", .command = { "" });
    WRONG("names no model", .command = { "x", "{model}" });
    WRONG("did you mean {input.data}", .command = { "x", "{input.dat}" });
    WRONG("did you mean {output.model}", .command = { "x", "{output.modle}" },
          .outputs = { "model/" });
    WRONG("NAME=VALUE", .command = { "x" }, .parameters = { "lr" });
    WRONG("NAME=VALUE", .command = { "x" }, .parameters = { "=1" });
    WRONG("NAME=VALUE", .command = { "x" }, .parameters = { "a-b=1" });
    WRONG("twice", .command = { "x" }, .parameters = { "lr=1", "LR=2" });
    WRONG("twice", .command = { "x" }, .parameters = { "seed=1" });
    WRONG("plain name", .command = { "x" }, .outputs = { "../a" });
    WRONG("plain name", .command = { "x" }, .outputs = { "a/b" });
    WRONG("plain name", .command = { "x" }, .outputs = { "/" });
    WRONG("plain name", .command = { "x" }, .outputs = { ".hidden" });
    WRONG("plain name", .command = { "x" }, .outputs = { "a-name-of-more-than-thirty-one-bytes" });
    WRONG("twice", .command = { "x" }, .outputs = { "a", "a/" });
    WRONG("at most 8", .command = { "x" },
          .outputs = { "a", "b", "c", "d", "e", "f", "g", "h", "i" });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_where_their_names_were),
        cmocka_unit_test(lone_braces_and_unknown_names_are_refused),
        cmocka_unit_test(what_a_step_says_is_checked_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
