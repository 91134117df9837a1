/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the SQL of docs/notebook.md runs on the store as it is, in any SQLite. Method: every text
 * between triple quotes in the manual goes through store_query() (parameters are NULL); words of
 * drover's own functions must not stand in it. */
#include "tests/unit/store/fixture.h"

#include "common/base/buf.h"

static int count_columns(const char *const *names, const struct store_value *v, size_t columns,
                         void *arg)
{
    (void)names;
    *(size_t *)arg += v ? 0 : columns;
    return 0;
}

static void statements_of_the_notebook_run(void **state)
{
    static const char *const ours[] = { "median(",   "quantile(",  "sd(",
                                        "variance(", "stderr(",    "t_low(",
                                        "t_high(",   "bootstrap_", "blob_hex(" };
    CLEANUP(buf_release) struct buf manual = { 0 };
    struct fixture *f = *state;
    size_t statements = 0, columns = 0;
    struct store *r;

    OK(buf_read_file(&manual, "docs/notebook.md", 1 << 20, err));
    OK(store_open_read(&r, f->path, err));
    for (char *at = strstr(buf_str(&manual), "\"\"\""), *end; at; at = strstr(end + 3, "\"\"\"")) {
        end = strstr(at + 3, "\"\"\"");
        assert_non_null(end);
        *end = '\0';
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
            assert_null(strstr(at + 3, ours[i]));
        OK(store_query(r, at + 3, NULL, count_columns, &columns, err));
        statements++;
    }
    store_close(r);
    assert_true(statements >= 6);
    assert_true(columns > statements);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(statements_of_the_notebook_run, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
