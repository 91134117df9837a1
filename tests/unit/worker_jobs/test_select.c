/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a rung keeps the best candidates by the mean of their seeds, however the text is ordered;
 * bad text is refused with its line; the bytes never change. Static paths are, for each number of
 * layer applications, the best of those that all examples were tried with. Method: random rungs
 * against an oracle that counts who stands in front of whom; random label sets against counts that
 * were kept when they were made; hand-made texts; golden digests. */
#include "tests/support/fake_job.h"

#include "common/base/rng.h"
#include "worker/jobs/ranking.h"

enum { CANDIDATES = 12, SEEDS = 4 };

struct rung {
    struct digest candidate[CANDIDATES];
    double value[CANDIDATES][SEEDS];
    size_t values[CANDIDATES], failed[CANDIDATES];
    bool out[CANDIDATES];
};

static void draw(struct rung *g, struct rng *r)
{
    for (size_t i = 0; i < CANDIDATES; i++) {
        uint32_t name = rng_u32(r);

        g->candidate[i] = digest_of(&name, sizeof(name));
        g->failed[i] = rng_below(r, 3) ? 0 : 1 + rng_below(r, SEEDS);
        g->values[i] = SEEDS - g->failed[i];
        g->out[i] = rng_below(r, 5) == 0;
        for (size_t k = 0; k < g->values[i]; k++) /* few values: many ties */
            g->value[i][k] = (double)rng_below(r, 3) / 2 - 0.5;
    }
}

static void print(const struct rung *g, const size_t *order, struct buf *out)
{
    char hex[DIGEST_HEX];

    for (size_t n = 0; n < CANDIDATES; n++) {
        size_t i = order[n];

        buf_printf(out, "{\"candidate\":\"%s\",\"values\":[", digest_hex(&g->candidate[i], hex));
        for (size_t k = 0; k < g->values[i]; k++)
            buf_printf(out, "%s%.17g", k ? "," : "", g->value[i][k]);
        buf_printf(out, "],\"failed\":%zu%s}\n", g->failed[i], g->out[i] ? ",\"out\":true" : "");
    }
}

static double mean_of(const struct rung *g, size_t i)
{
    double sum = 0;

    for (size_t k = 0; k < g->values[i]; k++)
        sum += g->value[i][k];
    return g->values[i] ? sum / (double)g->values[i] : 0;
}

/* The rule, said directly: does A stand in front of B? */
static bool in_front(const struct rung *g, size_t a, size_t b, bool higher)
{
    if (g->out[a] != g->out[b])
        return g->out[b];
    if (g->failed[a] != g->failed[b])
        return g->failed[a] < g->failed[b];
    if (mean_of(g, a) != mean_of(g, b))
        return higher ? mean_of(g, a) > mean_of(g, b) : mean_of(g, a) < mean_of(g, b);
    return memcmp(g->candidate[a].b, g->candidate[b].b, DIGEST_BYTES) < 0;
}

static void survivors_are_those_with_fewest_in_front(void **state)
{
    struct rng r = rng_stream("test select", 1, 0);

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct buf text CLEANUP(buf_release) = { 0 }, out CLEANUP(buf_release) = { 0 };
        struct ranking ranking CLEANUP(ranking_release) = { 0 };
        size_t order[CANDIDATES], keep = 1 + rng_below(&r, CANDIDATES), lines = 0;
        bool higher = round % 2;
        struct rung g;
        struct err err = { 0 };
        char hex[DIGEST_HEX];

        draw(&g, &r);
        for (size_t i = 0; i < CANDIDATES; i++)
            order[i] = i;
        rng_shuffle(&r, order, CANDIDATES, sizeof(*order));
        print(&g, order, &text);
        assert_int_equal(ranking_parse(&ranking, buf_str(&text), text.len, "results", &err), 0);
        assert_int_equal(ranking.len, CANDIDATES);
        ranking_order(&ranking, higher);
        ranking_print(&ranking, keep, &out);
        for (size_t i = 0; i < CANDIDATES; i++) {
            size_t before = 0;

            for (size_t k = 0; k < CANDIDATES; k++)
                before += k != i && in_front(&g, k, i, higher);
            bool kept = strstr(buf_str(&out), digest_hex(&g.candidate[i], hex)) != NULL;
            assert_int_equal(kept, before < keep);
        }
        for (size_t i = 0; i < out.len; i++)
            lines += out.data[i] == '\n';
        assert_int_equal(lines, keep);
    }
}

static void survivors_are_sorted_whatever_the_order_of_the_text(void **state)
{
    struct rng r = rng_stream("test select", 2, 0);
    struct buf first CLEANUP(buf_release) = { 0 };
    struct rung g;

    (void)state;
    draw(&g, &r);
    for (int round = 0; round < 20; round++) {
        struct buf text CLEANUP(buf_release) = { 0 }, out CLEANUP(buf_release) = { 0 };
        struct ranking ranking CLEANUP(ranking_release) = { 0 };
        size_t order[CANDIDATES];

        for (size_t i = 0; i < CANDIDATES; i++)
            order[i] = i;
        rng_shuffle(&r, order, CANDIDATES, sizeof(*order));
        print(&g, order, &text);
        assert_int_equal(ranking_parse(&ranking, buf_str(&text), text.len, "results", NULL), 0);
        ranking_order(&ranking, true);
        ranking_print(&ranking, 5, &out);
        if (round == 0)
            buf_adds(&first, buf_str(&out));
        assert_string_equal(buf_str(&out), buf_str(&first));
    }
    for (size_t line = 1; line < 5; line++)
        assert_true(memcmp(first.data + (line - 1) * 81, first.data + line * 81, 81) < 0);
}

static void keeps_round_up_and_are_never_none(void **state)
{
    static const struct {
        double keep;
        size_t n, kept;
    } cases[] = {
        { 0.5, 8, 4 },     { 0.5, 7, 4 },          { 0.5, 1, 1 },     { 0, 9, 1 },
        { 1, 9, 9 },       { 0.1, 30, 3 },         { 0.55, 100, 55 }, { 0.07, 100, 7 },
        { 0.29, 100, 29 }, { 0.3, 10, 3 },         { 0.34, 3, 2 },    { 0.333, 3, 1 },
        { 0.001, 10, 1 },  { 0.7, 100000, 70000 }, { 0.5, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(ranking_keep(cases[i].keep, cases[i].n), cases[i].kept);
}

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void bad_text_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "", "no candidate" },
        { "\n\n", "no candidate" },
        { "{\"candidate\":\"" HEX "\",\"values\":[1],\"failed\":0}\nx", "r:2" },
        { "{\"candidate\":\"abc\",\"values\":[1],\"failed\":0}", "64 hex digits" },
        { "{\"values\":[1],\"failed\":0}", "64 hex digits" },
        { "{\"candidate\":\"" HEX "\",\"values\":[\"1\"],\"failed\":0}", "list of numbers" },
        { "{\"candidate\":\"" HEX "\",\"values\":3,\"failed\":0}", "list of numbers" },
        { "{\"candidate\":\"" HEX "\",\"values\":[1e999],\"failed\":0}", "r:1" },
        { "{\"candidate\":\"" HEX "\",\"values\":[1]}", "count" },
        { "{\"candidate\":\"" HEX "\",\"values\":[1],\"failed\":-1}", "count" },
        { "{\"candidate\":\"" HEX "\",\"values\":[],\"failed\":0}", "without seeds" },
        { "{\"candidate\":\"" HEX "\",\"values\":[1],\"failed\":0}\n"
          "{\"candidate\":\"" HEX "\",\"values\":[2],\"failed\":0}\n",
          "twice" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ranking r = { 0 };
        struct err err = { 0 };

        assert_int_equal(ranking_parse(&r, cases[i].text, strlen(cases[i].text), "r", &err),
                         ERR_INVALID);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%zu: %s", i, err.text);
        assert_null(r.rank);
    }
}

static const char golden_text[] =
    "{\"candidate\":\"" HEX "\",\"values\":[0.25,0.5],\"failed\":0}\n"
    "{\"candidate\":\"b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0\","
    "\"values\":[0.75],\"failed\":1}\n"
    "{\"candidate\":\"c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0\","
    "\"values\":[0.5,0.125],\"failed\":0}\n";

static void select_job_writes_the_survivors(void **state)
{
    struct fake_job f;
    char path[128];

    (void)state;
    fake_job_init(&f, KIND_SELECT);
    fake_job_text(&f, "measure", "reward");
    fake_job_real(&f, "keep", 0.34);
    snprintf(path, sizeof(path), "%s/results", f.scratch);
    assert_int_equal(buf_write_file(path, golden_text, strlen(golden_text), NULL), 0);
    fake_job_input(&f, "results", path);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.job.outputs_len, 1);
    assert_string_equal(f.job.output[0].name, "survivors");
    assert_string_equal(buf_str(&f.bytes),
                        "{\"candidate\":\"" HEX "\"}\n"
                        "{\"candidate\":"
                        "\"c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0\"}\n");
    fake_job_release(&f);
}

/* ---- static paths ---- */

enum { PATHS = 12, EXAMPLES = 40 };

/* In the order of labels: fewer layers, fewer changes, then the smaller text. */
static const char *const paths[PATHS] = { "0011", "1001", "1100", "0111", "1011", "1101",
                                          "1110", "1111", "1112", "1121", "1211", "2111" };

static size_t length_of(const char *path)
{
    size_t n = 0;

    while (*path)
        n += (size_t)(*path++ - '0');
    return n;
}

static void print_family(struct buf *out)
{
    buf_printf(out, "{\"family\":\"" HEX
                    "\",\"kind\":\"search\",\"task\":\"math\",\"level\":1,\"split\":\"train\","
                    "\"prompts\":\"harness\",\"fewshot\":-1,\"model\":\"" HEX "\",\"layers\":4}\n");
}

/* Example NUMBER; TRIED and RIGHT are sets of paths, the default among the tried ones. */
static void print_label(struct buf *out, size_t number, unsigned tried, unsigned right)
{
    const char *label = NULL, *comma = "";

    for (size_t i = PATHS; i-- > 0;)
        if (tried >> i & right >> i & 1)
            label = paths[i];
    buf_printf(out,
               "{\"id\":\"%016zx\",\"task\":\"math\",\"level\":1,\"split\":\"train\",\"index\":%zu,"
               "\"base_correct\":%s,\"routing\":",
               number + 1, number, right >> 7 & 1 ? "true" : "false");
    buf_printf(out, label ? "\"%s\"" : "null", label ? label : "");
    buf_printf(out, ",\"simulations\":0,\"evaluations\":%d,\"right\":[", __builtin_popcount(tried));
    for (int wanted = 1; wanted >= 0; wanted--) {
        comma = "";
        for (size_t k = 0; k < PATHS; k++) {
            const size_t i = k == 0 ? 7 : k <= 7 ? k - 1 : k; /* the default comes first */
            if (!(tried >> i & 1) || (int)(right >> i & 1) != wanted)
                continue;
            buf_printf(out, "%s\"%s\"", comma, paths[i]);
            comma = ",";
        }
        buf_adds(out, wanted ? "],\"wrong\":[" : "]}\n");
    }
}

/* The select job on the label set TEXT: 0 and its output in F->bytes, or an error. */
static int choose(struct fake_job *f, const struct buf *text, struct err *err)
{
    char path[128];

    fake_job_init(f, KIND_SELECT);
    snprintf(path, sizeof(path), "%s/labels", f->scratch);
    assert_int_equal(buf_write_file(path, buf_str(text), text->len, NULL), 0);
    fake_job_input(f, "labels", path);
    return fake_job_run(f, err);
}

/* What must come out when COMMON are the paths that all N examples were tried with. */
static void expect(unsigned common, const size_t *right, size_t n, struct buf *out)
{
    for (size_t length = 1; length <= 8; length++) {
        size_t best = PATHS;

        for (size_t i = 0; i < PATHS; i++)
            if ((common >> i & 1) && length_of(paths[i]) == length &&
                (best == PATHS || right[i] > right[best]))
                best = i;
        if (best == PATHS)
            continue;
        buf_printf(out, "{\"layers\":%zu,\"routing\":\"%s\",\"n\":%zu,\"right\":%zu,\"accuracy\":",
                   length, paths[best], n, right[best]);
        buf_printf(out, "%.15g}\n", (double)right[best] / (double)n);
    }
}

static void static_paths_are_the_best_that_all_examples_were_tried_with(void **state)
{
    struct rng r = rng_stream("test select", 3, 0);

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct buf text CLEANUP(buf_release) = { 0 }, want CLEANUP(buf_release) = { 0 };
        unsigned common = (1u << PATHS) - 1;
        size_t right[PATHS] = { 0 }, n = round % 2 ? EXAMPLES : 32;
        struct err err = { 0 };
        struct fake_job f;

        print_family(&text);
        for (size_t e = 0; e < n; e++) {
            const unsigned answers = rng_u32(&r);
            unsigned tried = round % 3 ? (1u << PATHS) - 1 : rng_u32(&r) | rng_u32(&r) | 0x81u;

            tried &= (1u << PATHS) - 1;
            if (round % 3 == 2)
                tried |= 0xffu;
            print_label(&text, e, tried, answers & tried);
            common &= tried;
            for (size_t i = 0; i < PATHS; i++)
                right[i] += tried >> i & answers >> i & 1;
        }
        int rc = choose(&f, &text, &err);
        if (__builtin_popcount(common) < 2) {
            assert_int_equal(rc, ERR_INVALID);
        } else {
            if (rc)
                fail_msg("%s", err.text);
            expect(common, right, n, &want);
            assert_string_equal(buf_str(&f.bytes), buf_str(&want));
            assert_string_equal(f.job.output[0].name, "paths");
        }
        fake_job_release(&f);
    }
}

static void labels_without_common_paths_are_refused_with_the_remedy(void **state)
{
    struct buf text CLEANUP(buf_release) = { 0 }, none CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    struct fake_job f;

    (void)state;
    print_family(&text);
    print_label(&text, 0, 0x81, 0x80); /* 0011 and the default */
    print_label(&text, 1, 0x82, 0x02); /* 1001 and the default */
    assert_int_equal(choose(&f, &text, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "labels: of 3 paths only one"));
    assert_non_null(strstr(err.text, "method = \"enumerate\""));
    assert_int_equal(f.job.outputs_len, 0);
    fake_job_release(&f);
    print_family(&none);
    assert_int_equal(choose(&f, &none, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "no examples"));
    fake_job_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survivors_are_those_with_fewest_in_front),
        cmocka_unit_test(survivors_are_sorted_whatever_the_order_of_the_text),
        cmocka_unit_test(keeps_round_up_and_are_never_none),
        cmocka_unit_test(bad_text_is_refused_with_its_line),
        cmocka_unit_test(select_job_writes_the_survivors),
        cmocka_unit_test(static_paths_are_the_best_that_all_examples_were_tried_with),
        cmocka_unit_test(labels_without_common_paths_are_refused_with_the_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
