/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: one argp table gives a man page and a completion list that say what --help says. Method: a
 * small table whose page is compared line by line; odd characters at odd places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/manual.h"

static const struct argp_option rows[] = {
    { "store", 's', "FILE", 0, "Where; a-b", 0 },
    { "loud", 0x100, NULL, 0, ".dot first", 0 },
    { "secret", 0x101, "FD", OPTION_HIDDEN, "Not for people", 0 },
    { 0 },
};
static const struct argp table = {
    .options = rows,
    .args_doc = "NAME",
    .doc = "Does a thing.\vExample:\n  drover thing \\x\n  'quoted\n\nMore to say.\n\nExit status: "
           "0 done.",
};
static const struct manual page = { "drover thing", "do a thing", "1.2", "drover(1)", &table };

static const char expected[] = ".TH \"DROVER-THING\" \"1\" \"\" \"drover 1.2\" \"drover manual\"\n"
                               ".SH NAME\ndrover-thing \\- do a thing\n"
                               ".SH SYNOPSIS\n\\fBdrover thing\\fR [\\fIOPTION\\fR...] NAME\n"
                               ".SH DESCRIPTION\nDoes a thing.\n"
                               ".SH OPTIONS\n"
                               ".TP\n\\fB\\-s\\fR, \\fB\\-\\-store\\fR=\\fIFILE\\fR\nWhere; a\\-b\n"
                               ".TP\n\\fB\\-\\-loud\\fR\n\\&.dot first\n"
                               ".TP\n\\fB\\-?\\fR, \\fB\\-\\-help\\fR\nShow a help text.\n"
                               ".SH EXAMPLES\n.RS 2\n.nf\ndrover thing \\ex\n\\&'quoted\n.fi\n.RE\n"
                               ".SH NOTES\nMore to say.\n"
                               ".SH EXIT STATUS\nExit status: 0 done.\n"
                               ".SH SEE ALSO\ndrover(1)\n";

static void a_page_has_sections_and_hides_hidden_options(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    (void)state;
    manual_man(&page, &out);
    assert_string_equal(buf_str(&out), expected);
}

static void completion_lists_what_can_be_written(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    (void)state;
    manual_options(&table, &out);
    assert_string_equal(buf_str(&out), "--store=FILE\n--loud\n--help\n");
}

static void only_the_one_argument_asks_for_the_manual(void **state)
{
    char *other[] = { (char[]){ "x" }, (char[]){ "--manual" }, NULL };
    char *more[] = { (char[]){ "x" }, (char[]){ "--manual=man" }, (char[]){ "y" }, NULL };

    (void)state;
    assert_false(manual_asked(2, other, &page));
    assert_false(manual_asked(3, more, &page));
    assert_false(manual_asked(1, other, &page));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_has_sections_and_hides_hidden_options),
        cmocka_unit_test(completion_lists_what_can_be_written),
        cmocka_unit_test(only_the_one_argument_asks_for_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
