/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a trained model of others runs as its authors' program runs it.
 * Method: stories260K in both checkpoint versions; logits of the first 16 positions and 200 greedy
 * tokens against golden data made by llama2.c's run.c. Needs the shared data. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/json.h"
#include "worker/model/generate.h"
#include "worker/tokenizer/tokenizer.h"

enum { POSITIONS = 16, VOCAB = 512 };

static char folder[4096];

static const char *file(const char *name)
{
    static char path[5000];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void need_data(void)
{
    const char *shared = getenv("DROVER_SHARED");

    snprintf(folder, sizeof(folder), "%s/data/models/stories260K",
             shared && *shared ? shared : "../shared");
    if (access(file("stories260K.bin"), R_OK)) {
        print_message("SKIP-DATA stories260K\n");
        skip();
    }
}

static struct model *open_version(int version)
{
    struct model *m = NULL;
    struct err err = { 0 };
    char tokenizer[5000];
    int rc;

    snprintf(tokenizer, sizeof(tokenizer), "%s", file("tok512.bin"));
    rc = model_open(&m, file(version ? "stories260K_v1.bin" : "stories260K.bin"), tokenizer, NULL,
                    &err);
    if (rc)
        fail_msg("%s", err.text);
    return m;
}

static void read_golden(uint32_t tokens[POSITIONS], double logits[POSITIONS][VOCAB])
{
    FILE *f = fopen(file("golden_greedy_200.jsonl"), "r");
    char *line = NULL;
    size_t room = 0;

    assert_non_null(f);
    for (int p = 0; p < POSITIONS; p++) {
        struct json *row = NULL;
        const struct json *list;

        assert_true(getline(&line, &room, f) > 0);
        assert_int_equal(json_parse(line, strlen(line), &row, NULL), 0);
        tokens[p] = (uint32_t)json_integer(json_get(row, "token"), -1);
        list = json_get(row, "logits");
        assert_int_equal(json_len(list), VOCAB);
        for (size_t v = 0; v < VOCAB; v++)
            logits[p][v] = json_number(json_at(list, v), NAN);
        json_free(row);
    }
    free(line);
    fclose(f);
}

static void check_logits(int version)
{
    static double golden[POSITIONS][VOCAB];
    static float logits[POSITIONS][VOCAB];
    uint32_t tokens[POSITIONS];
    const uint8_t routing[5] = { 1, 1, 1, 1, 1 };
    struct model *m = open_version(version);
    struct sweep *s = sweep_new(m, NULL);
    struct sweep_seq seq = {
        .tokens = tokens, .rows = POSITIONS, .routing = routing, .logits = &logits[0][0]
    };
    double worst = 0.0;

    read_golden(tokens, golden);
    assert_int_equal(sweep_run(s, &seq, 1, NULL, NULL), 0);
    for (size_t p = 0; p < POSITIONS; p++)
        for (size_t v = 0; v < VOCAB; v++)
            worst = fmax(worst, fabs((double)logits[p][v] - golden[p][v]));
    print_message("version %d: largest difference %.2e\n", version, worst);
    assert_true(worst <= 1e-4);
    assert_int_equal(sweep_layer_rows(s), 5 * POSITIONS);
    sweep_free(s);
    model_free(m);
}

static void logits_of_version_0_are_those_of_llama2c(void **state)
{
    (void)state;
    need_data();
    check_logits(0);
}

static void logits_of_version_1_are_those_of_llama2c(void **state)
{
    (void)state;
    need_data();
    check_logits(1);
}

static void greedy_text_of_200_tokens_is_exact(void **state)
{
    const uint8_t routing[5] = { 1, 1, 1, 1, 1 };
    struct buf expected = { 0 };

    (void)state;
    need_data();
    assert_int_equal(buf_read_file(&expected, file("expected_greedy_200.txt"), 1 << 16, NULL), 0);
    for (int version = 0; version < 2; version++) {
        struct model *m = open_version(version);
        struct sweep *s = sweep_new(m, NULL);
        struct generation g = { .routing = routing, .max_new = 200 };
        uint32_t *prompt;

        assert_int_equal(
            tokenizer_encode(m->tok, "", 0, TOKENIZER_BOS, &prompt, &g.prompt_len, NULL), 0);
        assert_int_equal(g.prompt_len, 1);
        g.prompt = prompt;
        assert_int_equal(generate_run(s, &g, 1, 1, NULL, NULL), 0);
        assert_int_equal(g.ids_len, 200);
        assert_int_equal(g.finish, FINISH_LENGTH);
        assert_string_equal(buf_str(&g.text), buf_str(&expected));
        generation_release(&g);
        free(prompt);
        sweep_free(s);
        model_free(m);
    }
    buf_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_of_version_0_are_those_of_llama2c),
        cmocka_unit_test(logits_of_version_1_are_those_of_llama2c),
        cmocka_unit_test(greedy_text_of_200_tokens_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
