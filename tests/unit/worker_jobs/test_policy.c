/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: only what is on the list runs, whatever it is called, and programs see only harmless
 * variables.
 * Method: lists as texts and as a file; the programs of the system and links to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/jobs/policy.h"

static char dir[] = "/tmp/drover-policy-XXXXXX";

static int find(const struct policy *p, const char *program)
{
    char *path CLEANUP(mem_cleanup) = NULL;
    struct err err = { 0 };
    const int rc = policy_find(p, program, &path, &err);

    assert_true((rc == 0) == (path != NULL));
    assert_true(rc == 0 || strstr(err.text, program) != NULL);
    return rc;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    struct err err = { 0 };
    assert_int_equal(buf_write_file(path, text, strlen(text), &err), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_program_runs_by_name_path_or_link_when_it_is_on_the_list(void **state)
{
    struct policy p = { 0 };
    struct err err = { 0 };
    char link[128], other[128];

    (void)state;
    (void)snprintf(link, sizeof(link), "%s/link", dir);
    (void)snprintf(other, sizeof(other), "%s/sh", dir);
    assert_int_equal(symlink("/bin/true", link), 0);
    write_file(other, "#!/bin/true\n", 0700);
    assert_int_equal(policy_allow(&p, "true, sh", &err), 0);
    assert_int_equal(find(&p, "true"), 0);
    assert_int_equal(find(&p, "/bin/true"), 0);
    assert_int_equal(find(&p, link), 0);
    assert_int_equal(find(&p, "sh"), 0);
    assert_int_equal(find(&p, other), ERR_INVALID); /* another program of the same name */
    assert_int_equal(find(&p, "false"), ERR_INVALID);
    assert_int_equal(find(&p, "/bin/false"), ERR_INVALID);
    assert_int_equal(find(&p, ""), ERR_INVALID);
    policy_release(&p);
    assert_int_equal(find(&p, "true"), ERR_INVALID); /* nothing is allowed at first */
}

static void what_is_allowed_and_absent_is_named(void **state)
{
    struct policy p = { 0 };
    struct err err = { 0 };
    char plain[128], list[300];

    (void)state;
    (void)snprintf(plain, sizeof(plain), "%s/plain", dir);
    write_file(plain, "x", 0600);
    (void)snprintf(list, sizeof(list), "/nowhere/program,no-such-program,%s,%s", plain, dir);
    assert_int_equal(policy_allow(&p, list, &err), 0);
    assert_int_equal(find(&p, "/nowhere/program"), ERR_NOT_FOUND);
    assert_int_equal(find(&p, "no-such-program"), ERR_NOT_FOUND);
    assert_int_equal(find(&p, plain), ERR_READONLY);
    assert_int_equal(find(&p, dir), ERR_NOT_FOUND); /* a folder is no program */
    policy_release(&p);
}

static void a_list_may_be_a_file(void **state)
{
    struct policy p = { 0 };
    struct err err = { 0 };
    char list[128];

    (void)state;
    (void)snprintf(list, sizeof(list), "%s/list", dir);
    write_file(list, "# programs\n\n  true  # for tests\n/bin/false\n", 0600);
    assert_int_equal(policy_allow(&p, list, &err), 0);
    assert_int_equal(p.programs_len, 2);
    assert_string_equal(p.program[0], "true");
    assert_int_equal(find(&p, "false"), 0);
    write_file(list, "true\nbin/tool\n", 0600);
    assert_int_equal(policy_allow(&p, list, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "bin/tool"));
    policy_release(&p);
}

static void programs_see_harmless_variables_and_what_was_passed(void **state)
{
    struct policy p = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(policy_passes(&p, "PATH"));
    assert_true(policy_passes(&p, "LC_ALL"));
    assert_true(policy_passes(&p, "CUDA_VISIBLE_DEVICES"));
    assert_false(policy_passes(&p, "AWS_SECRET_ACCESS_KEY"));
    assert_false(policy_passes(&p, "LD_PRELOAD"));
    assert_false(policy_passes(&p, "PATHS"));
    assert_false(policy_passes(&p, "SLURM_JOB_ID"));
    assert_int_equal(policy_pass(&p, "SLURM_*,TOKEN", &err), 0);
    assert_true(policy_passes(&p, "SLURM_JOB_ID"));
    assert_true(policy_passes(&p, "TOKEN"));
    assert_int_equal(policy_pass(&p, "A=B", &err), ERR_INVALID);
    assert_int_equal(policy_pass(&p, "", &err), ERR_INVALID);
    policy_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_by_name_path_or_link_when_it_is_on_the_list),
        cmocka_unit_test(what_is_allowed_and_absent_is_named),
        cmocka_unit_test(a_list_may_be_a_file),
        cmocka_unit_test(programs_see_harmless_variables_and_what_was_passed),
    };
    static const char *const files[] = { "link", "sh", "plain", "list" };

    if (mkdtemp(dir) == NULL)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return failed;
}
