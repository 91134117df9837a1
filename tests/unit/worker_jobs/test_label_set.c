/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a label set reads back as it was written, in one canonical order; nothing that contradicts
 * itself, the limits or the job's model gets in, and errors name the line and the field; what
 * collect leaves out follows its parameters and the examples' ids alone. Method: sets written by
 * hand, each broken in one place; random damage; hundreds of made-up rows with counted outcomes,
 * given in two orders. */
#include "tests/support/fake_job.h"

#include "common/base/rng.h"
#include "worker/jobs/label_set.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MODEL "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEADER(KEY, LEVEL, MODEL_, LAYERS)                                                         \
    "{\"family\":\"" KEY "\",\"kind\":\"search\",\"task\":\"math\",\"level\":" LEVEL               \
    ",\"split\":\"train\",\"prompts\":\"harness\",\"fewshot\":-1,\"model\":\"" MODEL_              \
    "\",\"layers\":" LAYERS "}\n"
#define ROW(ID, LEVEL, BASE, ROUTING, RIGHT, WRONG)                                                \
    "{\"id\":\"" ID "\",\"task\":\"math\",\"level\":" LEVEL                                        \
    ",\"split\":\"train\",\"index\":3,\"base_correct\":" BASE ",\"routing\":" ROUTING              \
    ",\"simulations\":50,\"evaluations\":2,\"right\":" RIGHT ",\"wrong\":" WRONG "}\n"
#define H  HEADER(KEY_A, "1", MODEL, "4")
#define R1 ROW("000000000000000a", "1", "true", "\"1011\"", "[\"1111\",\"1011\"]", "[\"1121\"]")
#define R2 ROW("00000000000000ff", "2", "false", "null", "[]", "[\"1111\",\"0111\"]")

static char scratch[64];

static int make_scratch(void **state)
{
    (void)state;
    snprintf(scratch, sizeof(scratch), "/tmp/drover-labels-XXXXXX");
    return mkdtemp(scratch) ? 0 : -1;
}

static int drop_scratch(void **state)
{
    static const char *const files[] = { "set", "labels", "results" };
    char path[96];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", scratch, files[i]);
        (void)unlink(path);
    }
    return rmdir(scratch);
}

/* Without fsync: there are thousands. */
static void write_text(const char *path, const char *text, size_t len)
{
    FILE *to = fopen(path, "w");

    assert_non_null(to);
    assert_int_equal(fwrite(text, 1, len, to), len);
    assert_int_equal(fclose(to), 0);
}

static int read_text(const char *text, size_t len, struct label_set *ret, struct err *err)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/set", scratch);
    write_text(path, text, len);
    return label_set_read(ret, path, err);
}

static void expect_refused(const char *text, int code, const char *where, const char *word)
{
    struct label_set s;
    struct err err = { 0 };

    assert_int_equal(read_text(text, strlen(text), &s, &err), code);
    if (!strstr(err.text, where) || !strstr(err.text, word))
        fail_msg("\"%s\" does not name %s and %s", err.text, where, word);
}

static void a_set_is_sorted_and_its_own_fixed_point(void **state)
{
    static const char *const canonical =
        HEADER(KEY_A, "2", MODEL, "4") HEADER(KEY_B, "1", MODEL, "4") R1 R2;
    static const char *const mixed = HEADER(KEY_B, "1", MODEL, "4") HEADER(KEY_A, "2", MODEL, "4")
        HEADER(KEY_B, "1", MODEL, "4") "\n" R2 R1 R2;
    struct buf out CLEANUP(buf_release) = { 0 };
    const struct label_row *row;
    struct label_set s;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(read_text(mixed, strlen(mixed), &s, &err), 0);
    assert_int_equal(label_set_print(&s, NULL, &out), 2);
    assert_string_equal(buf_str(&out), canonical);
    assert_int_equal(s.layers, 4);
    assert_int_equal(s.families_len, 2);
    row = label_set_find(&s, 10);
    assert_non_null(row);
    assert_int_equal(s.family[row->family].level, 1);
    assert_int_equal(row->index, 3);
    assert_memory_equal(label_routing(&s, row), "\1\0\1\1", 4);
    assert_int_equal(row->right_len, 2);
    assert_int_equal(row->seen_len, 3);
    assert_memory_equal(label_path(&s, label_seen(&s, row)[2]), "\1\1\2\1", 4);
    row = label_set_find(&s, 255);
    assert_null(label_routing(&s, row));
    assert_int_equal(row->right_len, 0);
    assert_null(label_set_find(&s, 11));
    /* 1111 of both is one path. */
    assert_int_equal(s.paths_len, 4);
    label_set_release(&s);
    assert_int_equal(read_text("", 0, &s, &err), 0);
    assert_int_equal(s.len, 0);
    label_set_release(&s);
}

static void what_contradicts_itself_is_refused_by_line_and_field(void **state)
{
    (void)state;
    expect_refused(H "{\"id\":", ERR_INVALID, "set:2", "");
    expect_refused(H "[]", ERR_INVALID, "set:2", "one JSON object");
    expect_refused(R1, ERR_INVALID, "set:1", "no header for task math, level 1");
    expect_refused(H R1 HEADER(KEY_B, "2", MODEL, "4"), ERR_INVALID, "set:3",
                   "headers stand first");
    expect_refused(H HEADER(KEY_A, "2", MODEL, "4"), ERR_CONFLICT, "set:2",
                   "two different headers");
    expect_refused(H HEADER(KEY_B, "2", KEY_A, "4"), ERR_INVALID, "set:2", "labels of two models");
    expect_refused(H HEADER(KEY_B, "2", MODEL, "5"), ERR_INVALID, "set:2", "\"layers\" is 5");
    expect_refused(HEADER("12", "1", MODEL, "4"), ERR_INVALID, "set:1", "\"family\"");
    expect_refused(HEADER(KEY_A, "1", MODEL, "0"), ERR_INVALID, "set:1", "\"layers\"");
    expect_refused(HEADER(KEY_A, "1", MODEL, "257"), ERR_INVALID, "set:1", "\"layers\"");
    expect_refused(HEADER(KEY_A, "1.5", MODEL, "4"), ERR_INVALID, "set:1", "\"level\"");
    expect_refused(H ROW("00a", "1", "true", "null", "[]", "[]"), ERR_INVALID, "set:2", "16 lower");
    expect_refused(H ROW("000000000000000a", "1", "1", "null", "[]", "[]"), ERR_INVALID, "set:2",
                   "\"base_correct\" must be");
    expect_refused(H "{\"id\":\"000000000000000a\",\"task\":\"math\"}", ERR_INVALID, "set:2",
                   "is missing");
    expect_refused(H
                   "{\"id\":\"000000000000000a\",\"task\":\"math\",\"level\":1,\"split\":\"train\","
                   "\"index\":3,\"base_correct\":true,\"routing\":null,\"simulations\":50,"
                   "\"evaluations\":2,\"right\":[],\"wrong\":[],\"evaluation\":2}",
                   ERR_INVALID, "set:2", "did you mean \"evaluations\"");
    expect_refused(H R1 ROW("000000000000000a", "1", "true", "\"1111\"", "[\"1111\"]", "[]"),
                   ERR_CONFLICT, "set", "000000000000000a");
}

static void paths_outside_the_limits_are_refused(void **state)
{
    (void)state;
#define BAD(BASE, ROUTING, RIGHT, WRONG, WORD)                                                     \
    expect_refused(H ROW("000000000000000a", "1", BASE, ROUTING, RIGHT, WRONG), ERR_INVALID,       \
                   "set:2", WORD)
    BAD("true", "\"0131\"", "[\"1111\",\"0131\"]", "[]", "digits 0, 1, 2; got 0131");
    BAD("true", "\"11111\"", "[\"1111\"]", "[]", "4 digits");
    BAD("true", "\"1111\"", "[\"1111\",\"1000\"]", "[]", "1000 skips more than 2");
    BAD("true", "\"1111\"", "[\"1111\"]", "[\"0000\"]", "skips more than 2");
    BAD("true", "\"1111\"", "[\"1111\",\"1111\"]", "[]", "stands there twice");
    BAD("true", "\"1111\"", "[\"1111\"]", "[\"1111\"]", "stands there twice");
    BAD("true", "\"1111\"", "{}", "[]", "\"right\" must be an array");
    BAD("true", "\"1111\"", "[7]", "[]", "a path is 4 digits");
    BAD("true", "\"1011\"", "[\"1111\"]", "[]", "not among the right");
    BAD("true", "\"1011\"", "[\"1111\"]", "[\"1011\"]", "not among the right");
    BAD("true", "null", "[\"1111\"]", "[]", "not among the right");
    BAD("false", "\"1111\"", "[\"1111\"]", "[]", "\"base_correct\" is false");
    BAD("true", "null", "[]", "[\"1111\"]", "\"base_correct\" is true");
    BAD("false", "\"1011\"", "[\"1011\"]", "[]", "default path is not among");
#undef BAD
}

static void damage_is_refused_or_reads_as_a_set(void **state)
{
    static const char text[] =
        H R1 ROW("000000000000000b", "1", "false", "\"1211\"", "[\"1211\"]", "[\"1111\"]");
    struct rng r = rng_stream("damage", 1, 2);
    size_t refused = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char copy[sizeof(text)];
        struct label_set s;
        struct err err = { 0 };
        size_t len = sizeof(text) - 1;

        memcpy(copy, text, sizeof(text));
        for (uint32_t k = rng_below(&r, 3); k < 3; k++)
            copy[rng_below(&r, (uint32_t)len)] = (char)rng_below(&r, 256);
        if (rng_below(&r, 4) == 0)
            len = rng_below(&r, (uint32_t)len);
        if (read_text(copy, len, &s, &err) < 0) {
            assert_true(err.text[0]);
            refused++;
        } else {
            for (size_t k = 0; k < s.len; k++)
                assert_true(s.row[k].routing < (int32_t)s.paths_len);
            label_set_release(&s);
        }
    }
    assert_true(refused > 1000);
}

/* ---- the job's model ---- */

static void a_set_of_another_model_is_refused_naming_both(void **state)
{
    struct fake_job f;
    struct label_set s;
    struct err err = { 0 };
    char hex[DIGEST_HEX], path[96];

    (void)state;
    fake_job_init(&f, KIND_EVALUATE);
    fake_job_input(&f, "model", "/models/m");
    snprintf(path, sizeof(path), "%s/labels", scratch);
    write_text(path, H R1, strlen(H R1));
    fake_job_input(&f, "labels", path);
    assert_int_equal(label_set_open(&s, &f.job, 4, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "another model"));
    assert_non_null(strstr(err.text, "0123456789abcdef..."));
    digest_hex(&f.digest[0], hex);
    hex[16] = '\0';
    assert_non_null(strstr(err.text, hex));
    assert_int_equal(label_set_open(&s, &f.job, 6, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "for 4 layers; the model has 6"));
    assert_int_equal(digest_parse(MODEL, &f.digest[0], &err), 0);
    assert_int_equal(label_set_open(&s, &f.job, 4, &err), 0);
    assert_int_equal(s.len, 1);
    label_set_release(&s);
    fake_job_release(&f);
}

/* ---- collect ---- */

enum { ROWS = 300 };

/* Row I: of level 1 or 2; 1 of 10 improved, 6 of 10 preserved, the rest unsolved. */
static void add_row(size_t i, struct buf *out)
{
    size_t kind = i % 10;

    buf_printf(
        out,
        "{\"id\":\"%016zx\",\"task\":\"math\",\"level\":%zu,\"split\":\"train\",\"index\":%zu,",
        i * 7919 + 1, 1 + i / 10 % 2, i);
    if (kind == 0)
        buf_adds(out, "\"base_correct\":false,\"routing\":\"1011\",\"simulations\":5,"
                      "\"evaluations\":2,\"right\":[\"1011\"],\"wrong\":[\"1111\"]}\n");
    else if (kind < 7)
        buf_adds(out, "\"base_correct\":true,\"routing\":\"1111\",\"simulations\":5,"
                      "\"evaluations\":1,\"right\":[\"1111\"],\"wrong\":[]}\n");
    else
        buf_adds(out, "\"base_correct\":false,\"routing\":null,\"simulations\":5,"
                      "\"evaluations\":1,\"right\":[],\"wrong\":[\"1111\"]}\n");
}

struct policy {
    const char *keep;
    double share;
    int64_t per_level;
};

static int collect(struct policy p, bool backwards, struct label_set *ret, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    char path[96];
    struct fake_job f;
    int rc;

    buf_adds(&text, HEADER(KEY_A, "1", MODEL, "4") HEADER(KEY_B, "2", MODEL, "4"));
    for (size_t i = 0; i < ROWS; i++)
        add_row(backwards ? ROWS - 1 - i : i, &text);
    fake_job_init(&f, KIND_COLLECT);
    snprintf(path, sizeof(path), "%s/results", scratch);
    write_text(path, text.data, text.len);
    fake_job_input(&f, "results", path);
    fake_job_text(&f, "keep", p.keep);
    fake_job_real(&f, "improved_share", p.share);
    fake_job_int(&f, "per_level", p.per_level);
    rc = fake_job_run(&f, err);
    if (rc == 0)
        assert_int_equal(read_text(f.bytes.data, f.bytes.len, ret, err), 0);
    fake_job_release(&f);
    return rc;
}

struct counts {
    size_t n, improved, right, unsolved, level[3];
};

static struct counts counts_of(struct policy p)
{
    struct label_set a, b;
    struct counts c = { 0 };
    struct err err = { 0 };

    assert_int_equal(collect(p, false, &a, &err), 0);
    assert_int_equal(collect(p, true, &b, &err), 0);
    assert_int_equal(a.len, b.len);
    for (size_t i = 0; i < a.len; i++) {
        const struct label_row *r = &a.row[i];

        assert_int_equal(r->id, b.row[i].id);
        c.n++;
        c.right += r->base_correct;
        c.unsolved += r->routing < 0;
        c.improved += !r->base_correct && r->routing >= 0;
        c.level[a.family[r->family].level]++;
    }
    label_set_release(&a);
    label_set_release(&b);
    return c;
}

static void collect_keeps_what_its_policy_says(void **state)
{
    struct counts c;

    (void)state;
    c = counts_of((struct policy){ "all", 0, 0 });
    assert_int_equal(c.n, ROWS);
    assert_int_equal(c.improved, 30);
    assert_int_equal(c.right, 180);
    c = counts_of((struct policy){ "solved", 0, 0 });
    assert_int_equal(c.n, 210);
    assert_int_equal(c.unsolved, 0);
    /* The paper's rule: all improved ones stay, and as many others as make them 30 %. */
    c = counts_of((struct policy){ "solved", 0.3, 0 });
    assert_int_equal(c.improved, 30);
    assert_int_equal(c.right, 70);
    /* Enough already: nothing goes. */
    assert_int_equal(counts_of((struct policy){ "solved", 0.14, 0 }).n, 210);
    c = counts_of((struct policy){ "solved", 0, 20 });
    assert_int_equal(c.level[1], 20);
    assert_int_equal(c.level[2], 20);
    /* Both: of 20, the 6 that make 30 % come first. */
    c = counts_of((struct policy){ "solved", 0.3, 20 });
    assert_int_equal(c.level[1], 20);
    assert_int_equal(c.improved, 12);
    assert_int_equal(c.right, 28);
    /* Too few improved ones for the cap: those there are, and the share is kept by leaving out. */
    c = counts_of((struct policy){ "solved", 0.5, 60 });
    assert_int_equal(c.improved, 30);
    assert_int_equal(c.right, 30);
}

static void rows_that_stay_are_no_others_when_more_are_asked_for(void **state)
{
    struct label_set few, many;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(collect((struct policy){ "solved", 0, 10 }, false, &few, &err), 0);
    assert_int_equal(collect((struct policy){ "solved", 0, 40 }, false, &many, &err), 0);
    for (size_t i = 0; i < few.len; i++)
        assert_non_null(label_set_find(&many, few.row[i].id));
    assert_int_equal(few.len, 20);
    assert_int_equal(many.len, 80);
    label_set_release(&few);
    label_set_release(&many);
}

static void rows_of_an_evaluation_are_labels_without_paths(void **state)
{
    static const char text[] =
        "{\"family\":\"" KEY_A "\",\"kind\":\"evaluate\",\"task\":\"math\",\"level\":1,"
        "\"split\":\"test\",\"prompts\":\"harness\",\"fewshot\":0,\"model\":\"" MODEL
        "\",\"layers\":4}\n"
        "{\"id\":\"000000000000000a\",\"task\":\"math\",\"level\":1,\"split\":\"test\",\"index\":0,"
        "\"base_correct\":false,\"routing\":\"0001\",\"simulations\":0,\"evaluations\":1,"
        "\"right\":[],\"wrong\":[]}\n";
    struct label_set s;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(read_text(text, strlen(text), &s, &err), 0);
    assert_memory_equal(label_routing(&s, &s.row[0]), "\0\0\0\1", 4); /* a router may skip more */
    assert_int_equal(s.row[0].seen_len, 0);
    label_set_release(&s);
}

static void nothing_left_is_an_error(void **state)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct fake_job f;
    struct err err = { 0 };
    char path[96];

    (void)state;
    buf_adds(&text, HEADER(KEY_A, "1", MODEL, "4"));
    add_row(1, &text); /* preserved */
    fake_job_init(&f, KIND_COLLECT);
    snprintf(path, sizeof(path), "%s/results", scratch);
    write_text(path, text.data, text.len);
    fake_job_input(&f, "results", path);
    fake_job_real(&f, "improved_share", 0.3);
    assert_int_equal(fake_job_run(&f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "none of 1 examples is left"));
    fake_job_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_sorted_and_its_own_fixed_point),
        cmocka_unit_test(what_contradicts_itself_is_refused_by_line_and_field),
        cmocka_unit_test(paths_outside_the_limits_are_refused),
        cmocka_unit_test(damage_is_refused_or_reads_as_a_set),
        cmocka_unit_test(a_set_of_another_model_is_refused_naming_both),
        cmocka_unit_test(collect_keeps_what_its_policy_says),
        cmocka_unit_test(rows_that_stay_are_no_others_when_more_are_asked_for),
        cmocka_unit_test(rows_of_an_evaluation_are_labels_without_paths),
        cmocka_unit_test(nothing_left_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
