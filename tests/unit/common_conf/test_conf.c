/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: recipes are read as written, and every error names file, line, key, problem and remedy.
 * Method: small texts; includes in a temporary folder; errors by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "common/conf/conf.h"
#include "tests/support/folder.h"

static char folder[] = "/tmp/test-conf-XXXXXX";

static struct conf *parse(const char *text)
{
    struct conf *c = NULL;
    struct err err = { 0 };

    if (conf_open_text(&c, "r.cfg", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static const char *path_of(struct buf *b, const char *name)
{
    buf_clear(b);
    buf_printf(b, "%s/%s", folder, name);
    return buf_str(b);
}

static void write_file(const char *name, const char *text)
{
    struct buf p CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(buf_write_file(path_of(&p, name), text, strlen(text), &err), 0);
}

static void values_have_types_names_and_lines(void **state)
{
    struct conf *c CLEANUP(conf_cleanup) = parse("name = \"x\";\nsteps = (\n  { id = \"a\"; n = 3; "
                                                 "big = 5000000000L; r = 1.5; on = true; },\n"
                                                 "  { id = \"b\"; levels = [1, 2, 3]; }\n);\n");
    const struct conf_value *root = conf_root(c), *steps = conf_get(root, "steps"), *a, *v;
    struct buf key CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    const char *text;
    int64_t i;
    double r;
    bool b;

    (void)state;
    assert_int_equal(conf_len(root), 2);
    assert_string_equal(conf_name(conf_at(root, 0)), "name");
    assert_int_equal(conf_text(conf_get(root, "name"), &text, &err), 0);
    assert_string_equal(text, "x");
    assert_int_equal(conf_type(steps), CONF_LIST);
    assert_int_equal(conf_len(steps), 2);
    a = conf_at(steps, 0);
    assert_int_equal(conf_int(conf_get(a, "n"), 0, 3, &i, &err), 0);
    assert_int_equal(i, 3);
    assert_int_equal(conf_int(conf_get(a, "big"), 1, 0, &i, &err), 0);
    assert_true(i == INT64_C(5000000000));
    assert_int_equal(conf_real(conf_get(a, "n"), 1, 0, &r, &err), 0);
    assert_true(r == 3.0);
    assert_int_equal(conf_real(conf_get(a, "r"), 0, 2, &r, &err), 0);
    assert_true(r == 1.5);
    assert_int_equal(conf_bool(conf_get(a, "on"), &b, &err), 0);
    assert_true(b);
    v = conf_at(conf_get(conf_at(steps, 1), "levels"), 2);
    conf_key(v, &key);
    assert_string_equal(buf_str(&key), "steps[1].levels[2]");
    assert_int_equal(conf_line(v), 4);
    assert_string_equal(conf_file(v), "r.cfg");
    assert_null(conf_get(a, "none"));
    assert_null(conf_at(steps, 2));
    assert_null(conf_parent(root));
    assert_int_equal(conf_len(v), 0);
}

static void errors_name_place_problem_and_remedy(void **state)
{
    struct conf *c CLEANUP(conf_cleanup) =
        parse("seed = 99;\nsteps = (\n  { simulatoins = 50;\n    zzzzzzzz = 1;\n    word = "
              "\"uctt\"; }\n);\nx = \"s\";");
    static const char *const known[] = { "id", "simulations", "word", NULL };
    static const char *const words[] = { "uct", "widening", NULL };
    const struct conf_value *root = conf_root(c), *step = conf_at(conf_get(root, "steps"), 0), *v;
    struct err err = { 0 };
    size_t word;
    int64_t i;
    double r;

    (void)state;
    assert_int_equal(conf_check_keys(step, known, &err), ERR_INVALID);
    assert_string_equal(
        err.text, "r.cfg:3: steps[0].simulatoins: unknown key; did you mean \"simulations\"?");
    assert_int_equal(conf_int(conf_get(root, "seed"), 1, 10, &i, &err), ERR_INVALID);
    assert_string_equal(err.text, "r.cfg:1: seed: 99 is out of range; choose 1 to 10");
    assert_int_equal(conf_real(conf_get(root, "x"), 1, 10, &r, &err), ERR_INVALID);
    assert_string_equal(err.text, "r.cfg:7: x: is a text \" \"; write a number");
    assert_int_equal(conf_word(conf_get(step, "word"), words, &word, &err), ERR_INVALID);
    assert_string_equal(err.text,
                        "r.cfg:5: steps[0].word: \"uctt\" is unknown; did you mean \"uct\"?");
    assert_int_equal(conf_need(step, "id", CONF_TEXT, &v, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "r.cfg:3: steps[0]: \"id\" is missing; add id = "));
    assert_int_equal(conf_error(&err, conf_get(step, "zzzzzzzz"), "%s", "bad"), ERR_INVALID);
    assert_string_equal(err.text, "r.cfg:4: steps[0].zzzzzzzz: bad");
}

static void unknown_key_far_from_all_lists_what_is_known(void **state)
{
    struct conf *c CLEANUP(conf_cleanup) = parse("qqqqqq = 1;");
    static const char *const known[] = { "id", "name", NULL };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(conf_check_keys(conf_root(c), known, &err), ERR_INVALID);
    assert_string_equal(err.text, "r.cfg:1: qqqqqq: unknown key; known are: id, name");
}

static void broken_syntax_names_its_line(void **state)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        { "a = 1;\nb = ;\n", "r.cfg:2: " },          { "a = 1;\nb = (1, 2;\n", "r.cfg:2: " },
        { "a = 1;\n\na = 2;\n", "r.cfg:3: " },       { "a = [1, \"x\"];", "r.cfg:1: " },
        { "x = 1;\n@include \"f\"\n", "r.cfg:2: " }, { "a = \"never ends\n", "r.cfg:" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf *c = NULL;
        struct err err = { 0 };

        assert_int_equal(conf_open_text(&c, "r.cfg", cases[i].text, strlen(cases[i].text), &err),
                         ERR_INVALID);
        if (strncmp(err.text, cases[i].place, strlen(cases[i].place)) != 0)
            fail_msg("expected %s: %s", cases[i].place, err.text);
        assert_null(c);
    }
}

static void includes_are_put_in_and_keep_their_lines(void **state)
{
    struct buf p CLEANUP(buf_release) = { 0 };
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    struct err err = { 0 };
    int64_t i;

    (void)state;
    assert_int_equal(mkdir(path_of(&p, "sub"), 0700), 0);
    write_file("top.cfg",
               "a = 1;\n/*\n@include \"not there\"\n*/\n@include \"sub/mid.cfg\"\nz = 9;\n");
    write_file("sub/mid.cfg", "\nb = 2;\n  @include \"low.cfg\"\n");
    write_file("sub/low.cfg", "\n\nlow = 3;"); /* beside the file that names it */
    assert_int_equal(conf_open(&c, path_of(&p, "top.cfg"), &err), 0);
    assert_int_equal(conf_int(conf_get(conf_root(c), "low"), 4, 5, &i, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "/sub/low.cfg:3: low: 3 is out of range"));
    assert_int_equal(conf_line(conf_get(conf_root(c), "z")), 6);
    assert_non_null(strstr(conf_file(conf_get(conf_root(c), "z")), "top.cfg"));
    assert_non_null(strstr(conf_source(c), "low = 3;\n"));
}

static void bad_includes_are_refused(void **state)
{
    struct buf p CLEANUP(buf_release) = { 0 };
    struct conf *c = NULL;
    struct err err = { 0 };

    (void)state;
    write_file("missing.cfg", "a = 1;\n@include \"nowhere.cfg\"\n");
    assert_int_equal(conf_open(&c, path_of(&p, "missing.cfg"), &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "missing.cfg:2: @include: "));
    write_file("self.cfg", "@include \"self.cfg\"\n");
    assert_int_equal(conf_open(&c, path_of(&p, "self.cfg"), &err), ERR_LIMIT);
    write_file("form.cfg", "@include self.cfg\n");
    assert_int_equal(conf_open(&c, path_of(&p, "form.cfg"), &err), ERR_INVALID);
    assert_int_equal(conf_open(&c, path_of(&p, "none.cfg"), &err), ERR_NOT_FOUND);
    assert_null(c);
}

static void large_and_binary_files_are_refused(void **state)
{
    struct buf p CLEANUP(buf_release) = { 0 }, big CLEANUP(buf_release) = { 0 };
    struct conf *c = NULL;
    struct err err = { 0 };

    (void)state;
    while (big.len <= CONF_FILE_MAX)
        buf_adds(&big, "# a comment that fills a line of the file\n");
    write_file("big.cfg", buf_str(&big));
    assert_int_equal(conf_open(&c, path_of(&p, "big.cfg"), &err), ERR_LIMIT);
    assert_int_equal(conf_open_text(&c, "bin", "a = 1;\0b", 8, &err), ERR_INVALID);
    assert_null(c);
}

static void empty_lists_fit_arrays_and_back(void **state)
{
    struct conf *c CLEANUP(conf_cleanup) = parse("a = []; l = (); g = {};");
    struct err err = { 0 };

    (void)state;
    assert_int_equal(conf_expect(conf_get(conf_root(c), "a"), CONF_LIST, &err), 0);
    assert_int_equal(conf_expect(conf_get(conf_root(c), "l"), CONF_ARRAY, &err), 0);
    assert_int_equal(conf_expect(conf_get(conf_root(c), "g"), CONF_LIST, &err), ERR_INVALID);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_types_names_and_lines),
        cmocka_unit_test(errors_name_place_problem_and_remedy),
        cmocka_unit_test(unknown_key_far_from_all_lists_what_is_known),
        cmocka_unit_test(broken_syntax_names_its_line),
        cmocka_unit_test(includes_are_put_in_and_keep_their_lines),
        cmocka_unit_test(bad_includes_are_refused),
        cmocka_unit_test(large_and_binary_files_are_refused),
        cmocka_unit_test(empty_lists_fit_arrays_and_back),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
