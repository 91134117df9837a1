/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is handed to a batch system says what was asked for and nothing a value could smuggle
 * in. Method: texts compared; scripts run by sh with values that try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "experiments/launch/pilots.h"

static struct pilots sample(void)
{
    return (struct pilots){ .workers = 4,
                            .slots = 2,
                            .threads = 3,
                            .idle_s = 300,
                            .grace_s = 60,
                            .name = "farm",
                            .worker = "/opt/drover/bin/drover-worker",
                            .connect = "/home/ada/pilots.connect",
                            .folder = "/home/ada/logs" };
}

static bool has(const struct pilots_words *w, const char *word)
{
    for (size_t i = 0; i < w->len; i++)
        if (strcmp(w->v[i], word) == 0)
            return true;
    return false;
}

static void sbatch_gets_what_was_asked_for(void **state)
{
    struct pilots p = sample();
    struct pilots_words w;

    (void)state;
    p.time = "2-00:00:00";
    p.partition = "gpu";
    p.array_limit = 2;
    p.sbatch[p.sbatch_len++] = "--mail-type=END";
    pilots_sbatch(&p, 4, "/tmp/pilot.sh", &w);
    assert_string_equal(w.v[0], "sbatch");
    assert_true(has(&w, "--array=0-3%2"));
    assert_true(has(&w, "--signal=B:USR1@60"));
    assert_true(has(&w, "--cpus-per-task=6"));
    assert_true(has(&w, "--time=2-00:00:00"));
    assert_true(has(&w, "--partition=gpu"));
    assert_true(has(&w, "--requeue"));
    assert_true(has(&w, "--output=/home/ada/logs/%A_%a.log"));
    assert_true(has(&w, "--mail-type=END"));
    assert_string_equal(w.v[w.len - 1], "/tmp/pilot.sh");
    assert_null(w.v[w.len]);
    for (size_t i = 0; i < w.len; i++) /* what was not said is not said */
        assert_null(strstr(w.v[i], "account"));
    pilots_words_release(&w);
}

static void large_numbers_of_pilots_become_several_arrays(void **state)
{
    (void)state;
    assert_int_equal(pilots_chunks(1), 1);
    assert_int_equal(pilots_chunks(PILOTS_CHUNK), 1);
    assert_int_equal(pilots_chunks(PILOTS_CHUNK + 1), 2);
    assert_int_equal(pilots_chunks(2500), 3);
}

static void words_that_would_be_options_or_lines_are_refused(void **state)
{
    static const char *const bad[] = { "", "-x", "--array=0-9999", "a\nb" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pilots p = sample();
        struct err err = { 0 };

        p.partition = bad[i];
        assert_int_equal(pilots_check(&p, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "--partition"));
        p = sample();
        p.time = bad[i];
        if (i != 1) /* "-x" has a letter, too */
            assert_int_equal(pilots_check(&p, &err), ERR_INVALID);
        p = sample();
        p.name = bad[i];
        assert_int_equal(pilots_check(&p, &err), ERR_INVALID);
    }
    struct pilots p = sample();
    struct err err = { 0 };
    p.name = "a b";
    assert_int_equal(pilots_check(&p, &err), ERR_INVALID);
    p = sample();
    p.workers = 0;
    assert_int_equal(pilots_check(&p, &err), ERR_INVALID);
    p = sample();
    assert_int_equal(pilots_check(&p, &err), 0);
}

/* What sh says when it runs the script. */
static void run_script(const char *script, char *out, size_t size)
{
    char path[] = "/tmp/test-pilots-XXXXXX", command[128];
    int fd = mkstemp(path);
    FILE *f;
    size_t n;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    snprintf(command, sizeof(command),
             "SLURM_JOB_END_TIME=1 SLURM_ARRAY_JOB_ID=17 SLURM_ARRAY_TASK_ID=3 sh %s", path);
    f = popen(command, "re");
    assert_non_null(f);
    n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    assert_int_equal(pclose(f), 0);
    unlink(path);
}

static void script_hands_every_value_over_as_it_is(void **state)
{
    static const char *const nasty[] = { "plain", "two words", "it's",  "$(touch /tmp/owned)",
                                         "a;b",   "`id`",      "\"q\"", "*",
                                         "a\\b" };
    char out[1024], wanted[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nasty); i++) {
        struct pilots p = sample();
        struct buf script CLEANUP(buf_release) = { 0 };
        struct err err = { 0 };

        p.worker = "/bin/echo";
        p.connect = nasty[i];
        p.label[p.labels++] = nasty[i];
        assert_int_equal(pilots_script(&p, pilots_template, &script, &err), 0);
        run_script(buf_str(&script), out, sizeof(out));
        snprintf(wanted, sizeof(wanted),
                 "--name farm-17-3 --slots 2 --threads 3 --idle-exit 300 --label %s\n", nasty[i]);
        assert_string_equal(out, wanted);
    }
}

static void container_words_stand_before_the_program(void **state)
{
    struct pilots p = sample();
    struct buf script CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    char out[1024];

    (void)state;
    p.container = "/bin/echo exec image.sif";
    assert_int_equal(pilots_script(&p, pilots_template, &script, &err), 0);
    run_script(buf_str(&script), out, sizeof(out));
    assert_memory_equal(out, "exec image.sif /opt/drover/bin/drover-worker --name", 51);
}

static void template_with_unknown_words_is_refused_with_its_line(void **state)
{
    struct pilots p = sample();
    struct buf script CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(pilots_script(&p, "#!/bin/sh\nexec {{wrker}}\n", &script, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "line 2"));
    assert_int_equal(pilots_script(&p, "#!/bin/sh\nsleep 1\n", &script, &err), ERR_INVALID);
    assert_int_equal(pilots_script(&p, "{{ {{worker}} }} {{", &script, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sbatch_gets_what_was_asked_for),
        cmocka_unit_test(large_numbers_of_pilots_become_several_arrays),
        cmocka_unit_test(words_that_would_be_options_or_lines_are_refused),
        cmocka_unit_test(script_hands_every_value_over_as_it_is),
        cmocka_unit_test(container_words_stand_before_the_program),
        cmocka_unit_test(template_with_unknown_words_is_refused_with_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
