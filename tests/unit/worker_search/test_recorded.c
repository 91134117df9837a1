/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: labels of an earlier drover stay what they were: the bits of the methods progressive and
 * all never change while the kind's version does not. Method: digests of 1,680 whole searches,
 * recorded by kind version 1 (before searches were machines), with the scripted scorer. */
#include "tests/unit/worker_search/scripted.h"

#include "common/base/digest.h"

enum { EXAMPLES = 40 };

static const size_t depth[] = { 1, 2, 6, 8, 12, 28 };
static const struct search_params recorded_params[] = {
    { 50, 5, 1.8, 3, 0.1, 1.5, 0.6, .method = SEARCH_PROGRESSIVE },
    { 200, 5, 1.8, 3, 0.1, 1.5, 0.6, .method = SEARCH_PROGRESSIVE },
    { 50, 1, 1.8, 3, 0.1, 1.5, 0.6, .method = SEARCH_PROGRESSIVE },
    { 48, 16, 1.0, 0.5, 0.3, 2.0, 0.5, .method = SEARCH_PROGRESSIVE },
    { 60, 5, 1.8, 3, 0.1, 1.5, 0.6, .method = SEARCH_ALL },
    { 400, 4, 1.8, 5, 0, 1.5, 0.6, .method = SEARCH_ALL },
    { 30, 3, 0, 0, 1, 0.5, 0.9, .method = SEARCH_PROGRESSIVE },
};
static const char *const recorded[][6] = {
    { "f141b5601eed58d0", "6648a3bf06e2432e", "e97baaa3e4d40712", "5ccb6488b58be3cc",
      "096dbbb1029d4b42", "96eb2a49fed70531" },
    { "4486411f735840d1", "51577af6b7f954a8", "1b71e297b5312eef", "46e76d09ad1d7497",
      "65687562028cdf96", "ea70d4a8268441f6" },
    { "f141b5601eed58d0", "2368c4a19ffc55ee", "eb2d832fbf503ecf", "e9b4fa2ae3168bb8",
      "04fb72be6f20ddf9", "48bd504eea3e9f64" },
    { "3d16ac19920be947", "ecea8e61eee058f9", "e737e41cb6242ebc", "73f4d7f71eff02d8",
      "940aacef29d0bc54", "81fabadf339982a3" },
    { "8d5de9626e2c11ac", "784f6322e1d6bd27", "3a1fecd64bb0df8e", "345e2665517cda07",
      "682307896bc5cf9c", "5acaf015dad9fea0" },
    { "fe01c10bd648eab8", "fa8ca571ac857d56", "c0123999abbf90d0", "b7ba116965faa539",
      "1abdace452598b97", "a833a4c31a40dd3a" },
    { "11d43a67bd0345e6", "d6d2f57958fdda32", "800d1a969b97f753", "8b5995f02ca4a8f4",
      "56082b0552c4fc08", "69f3cc0efbe01245" },
};

struct witness {
    struct script script;
    struct digester d;
};

static int eval(void *arg, const uint8_t *const *routing, size_t n, double *reward, struct err *err)
{
    struct witness *w = arg;

    (void)err;
    for (size_t i = 0; i < n; i++) {
        reward[i] = script_reward(&w->script, routing[i]);
        digest_add_bytes(&w->d, routing[i], w->script.layers);
    }
    digest_add_u64(&w->d, n);
    return 0;
}

static void add_result(struct digester *d, const struct search_result *r, size_t layers)
{
    digest_add_u64(d, r->evaluations);
    digest_add_u64(d, r->simulations);
    digest_add_u64(d, r->path_layers);
    digest_add_u64(d, r->has_label);
    digest_add_bytes(d, r->label, layers);
    for (size_t i = 0; i < r->evaluations; i++) {
        digest_add_i64(d, r->entry[i].parent);
        digest_add_u64(d, r->entry[i].visits);
        digest_add_double(d, r->entry[i].value);
        digest_add_double(d, r->entry[i].reward);
    }
}

static void check(const struct search_params *p, size_t layers, const char *want)
{
    struct witness w = { .script = { .layers = layers, .right = 4 } };
    struct digest got;
    char hex[DIGEST_HEX];

    digest_begin(&w.d);
    for (uint64_t i = 0; i < EXAMPLES; i++) {
        struct search_result r;
        struct err err = { 0 };

        w.script.salt = i * 77 + 1;
        if (search_run(p, layers, i / 3, i, eval, &w, &r, &err) < 0)
            fail_msg("%s", err.text);
        add_result(&w.d, &r, layers);
        search_result_release(&r);
    }
    got = digest_end(&w.d);
    assert_memory_equal(digest_hex(&got, hex), want, 16);
}

static void searches_are_bit_for_bit_those_of_kind_version_1(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(recorded_params) / sizeof(*recorded_params); i++)
        for (size_t k = 0; k < sizeof(depth) / sizeof(*depth); k++)
            check(&recorded_params[i], depth[k], recorded[i][k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_are_bit_for_bit_those_of_kind_version_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
