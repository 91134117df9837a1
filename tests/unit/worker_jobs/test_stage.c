/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a stage's outputs are a function of its parameters, inputs and seed: whatever the threads,
 * whether it is one stage or several, undisturbed, stopped or killed; validation and metrics change
 * nothing; divergence is a result with outputs that later stages pass on. Method: a tiny model that
 * thinks, a few updates, behind fake services; files compared byte for byte. */
#include "tests/unit/worker_jobs/stage_rig.h"

enum { UPDATES = 6 };

/* With controllers that have a state, so that it must travel. */
static void adapt(struct fake_job *f)
{
    fake_job_text(f, "schedule", "adaptive");
    fake_job_int(f, "adapt_first", 30);
    fake_job_int(f, "adapt_last", 10);
    fake_job_int(f, "adapt_interval", 2);
    fake_job_text(f, "difficulty", "sec");
}

static void run(struct fake_job *f, size_t threads, struct buf *out)
{
    f->job.pool = pool_new(threads);
    fake_job_run_or_fail(f);
    pool_free(f->job.pool);
    stage_outputs(f, out);
}

static void undisturbed(struct buf *out)
{
    struct fake_job f;

    stage_start(&f, 0, UPDATES);
    adapt(&f);
    run(&f, 1, out);
    fake_job_release(&f);
}

static void outputs_do_not_depend_on_threads_but_on_the_seed(void **state)
{
    struct buf one CLEANUP(buf_release) = { 0 }, other CLEANUP(buf_release) = { 0 };
    struct buf start CLEANUP(buf_release) = { 0 };
    const char *weights = "model.safetensors";
    struct fake_job f;

    (void)state;
    undisturbed(&one);
    for (size_t threads = 2; threads < 4; threads++) {
        struct buf many CLEANUP(buf_release) = { 0 };

        stage_start(&f, 0, UPDATES);
        adapt(&f);
        run(&f, threads, &many);
        stage_same(&one, &many);
        fake_job_release(&f);
    }
    stage_start(&f, 0, UPDATES);
    adapt(&f);
    f.lease.seed = 2;
    run(&f, 1, &other);
    assert_true(one.len != other.len || memcmp(one.data, other.data, one.len) != 0);
    fake_job_release(&f);
    fake_files_read(stage_model, &weights, 1, &start);
    assert_memory_not_equal(one.data, start.data, start.len); /* it did learn something */
}

/* N stages, one after the other. */
static void in_stages(size_t n, struct buf *out)
{
    char model[512], kept[512] = "";
    struct fake_job f[UPDATES];

    snprintf(model, sizeof(model), "%s", stage_model);
    for (size_t i = 0; i < n; i++) {
        stage_start(&f[i], i * UPDATES / n, UPDATES / n);
        adapt(&f[i]);
        snprintf(f[i].path[0], sizeof(f[i].path[0]), "%s", model);
        if (i > 0)
            fake_job_input(&f[i], "state", kept);
        fake_job_int(&f[i], "validation_examples", 3);
        fake_job_int(&f[i], "validation_budget", 12);
        fake_job_int(&f[i], "validation_every", 1);
        fake_job_run_or_fail(&f[i]);
        snprintf(model, sizeof(model), "%s", stage_output(&f[i], "model"));
        snprintf(kept, sizeof(kept), "%s", stage_output(&f[i], "state"));
    }
    stage_outputs(&f[n - 1], out);
    for (size_t i = 0; i < n; i++)
        fake_job_release(&f[i]);
}

static void stages_one_after_the_other_are_one_stage_to_the_bit(void **state)
{
    struct buf one CLEANUP(buf_release) = { 0 };

    (void)state;
    undisturbed(&one);
    for (size_t n = 1; n <= 3; n++) { /* validated at every update, which changes nothing */
        struct buf many CLEANUP(buf_release) = { 0 };

        in_stages(n, &many);
        stage_same(&one, &many);
    }
}

/* ---- interruptions -------------------------------------------------------------------------- */

/* Every metric of F that is behind step AFTER is WHOLE's, and the other way round. */
static void metrics_go_on(const struct fake_job *f, const struct fake_job *whole, uint64_t after)
{
    for (int way = 0; way < 2; way++) {
        const struct fake_job *a = way ? f : whole, *b = way ? whole : f;

        for (size_t i = 0; i < a->metrics_len; i++) {
            const struct fake_metric *m = &a->metric[i], *same;

            if (m->step <= after)
                continue;
            same = stage_metric(b, m->name, m->step);
            if (!same)
                fail_msg("%s of step %d is missing", m->name, (int)m->step);
            if (strcmp(m->name, "core_seconds") != 0)
                assert_true(m->value == same->value);
        }
    }
}

/* Stopped at a metric of a step; the next attempt finishes it. */
static void interrupt(uint64_t step, const char *metric, bool drain, double checkpoint_s,
                      uint64_t expect_step)
{
    struct buf one CLEANUP(buf_release) = { 0 }, two CLEANUP(buf_release) = { 0 };
    struct fake_job whole, first, second;
    struct err err = { 0 };

    stage_start(&whole, 0, UPDATES);
    stage_start(&first, 0, UPDATES);
    stage_start(&second, 0, UPDATES);
    for (size_t i = 0; i < 3; i++) {
        struct fake_job *f = i == 0 ? &whole : i == 1 ? &first : &second;

        adapt(f);
        fake_job_int(f, "validation_examples", 2);
        fake_job_int(f, "validation_every", 2);
        fake_job_int(f, "epochs", 2);
        fake_job_real(f, "checkpoint_s", checkpoint_s);
    }
    fake_job_run_or_fail(&whole);
    stage_outputs(&whole, &one);
    first.stop_at_step = step;
    first.stop_at_metric = metric;
    first.drain = drain;
    assert_int_equal(fake_job_run(&first, &err), ERR_CANCELLED);
    assert_int_equal(first.job.outputs_len, 0);
    assert_int_equal(first.checkpoints > 0, expect_step > 0);
    if (first.checkpoints)
        assert_int_equal(first.checkpoint_step, expect_step);
    snprintf(second.checkpoint, sizeof(second.checkpoint), "%s", first.checkpoint);
    second.checkpoint_step = first.checkpoint_step;
    fake_job_run_or_fail(&second);
    stage_outputs(&second, &two);
    stage_same(&one, &two);
    metrics_go_on(&second, &whole, expect_step);
    fake_job_release(&whole);
    fake_job_release(&second);
    fake_job_release(&first);
}

static void preempted_stage_saves_where_it_is_and_goes_on_with_the_same_bits(void **state)
{
    (void)state;
    interrupt(3, "core_seconds", true, 1000, 3); /* behind an update */
    interrupt(4, "core_seconds", true, 1000, 4); /* in the validation that is due then */
    interrupt(1, "core_seconds", true, 1000, 1);
    interrupt(3, "core_seconds", true, 0, 0); /* no checkpoints wanted */
}

static void killed_stage_goes_on_from_its_last_checkpoint_with_the_same_bits(void **state)
{
    (void)state;
    interrupt(4, "reward", false, 1e-9, 3);
    interrupt(2, "reward", false, 1e-9, 1);
    interrupt(5, "core_seconds", false, 1000, 0); /* none was due: from the start */
}

static void checkpoints_that_are_not_understood_are_passed_over(void **state)
{
    struct buf one CLEANUP(buf_release) = { 0 }, whole CLEANUP(buf_release) = { 0 };
    struct fake_job f, victim;
    struct err err = { 0 };

    (void)state;
    undisturbed(&one);
    stage_start(&victim, 0, UPDATES);
    adapt(&victim);
    fake_job_real(&victim, "checkpoint_s", 1e-9);
    fake_job_run_or_fail(&victim);
    assert_int_equal(buf_read_file(&whole, victim.checkpoint, 1 << 24, &err), 0);
    for (size_t i = 0; i < 5; i++) {
        struct buf out CLEANUP(buf_release) = { 0 }, bad CLEANUP(buf_release) = { 0 };

        stage_start(&f, 0, UPDATES);
        adapt(&f);
        snprintf(f.checkpoint, sizeof(f.checkpoint), "%s/bad", f.scratch);
        f.checkpoint_step = i == 4 ? 2 : victim.checkpoint_step; /* of another step */
        buf_add(&bad, whole.data, i == 0 ? 10 : i == 1 ? whole.len - 1 : whole.len);
        if (i == 2)
            bad.data[bad.len - 200] ^= 1; /* in the weights or moments */
        if (i == 3)
            bad.data[30] ^= 1; /* in the header or the state */
        assert_int_equal(buf_write_file(f.checkpoint, bad.data, bad.len, &err), 0);
        fake_job_run_or_fail(&f);
        stage_outputs(&f, &out);
        stage_same(&one, &out);
        fake_job_release(&f);
    }
    fake_job_release(&victim);
}

static void cancelled_stage_saves_nothing(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    stage_start(&f, 0, UPDATES);
    fake_job_real(&f, "checkpoint_s", 1000);
    f.stop_at_step = 2;
    assert_int_equal(fake_job_run(&f, &err), ERR_CANCELLED);
    assert_int_equal(f.checkpoints, 0);
    assert_int_equal(f.job.outputs_len, 0);
    fake_job_release(&f);
}

/* ---- divergence ----------------------------------------------------------------------------- */

static void divergence_leaves_the_last_good_model_and_later_stages_pass_it_on(void **state)
{
    static const char *const weights = "model.safetensors", *const file = "state.json";
    struct buf start CLEANUP(buf_release) = { 0 }, left CLEANUP(buf_release) = { 0 };
    struct buf said CLEANUP(buf_release) = { 0 };
    struct fake_job f, next;
    struct err err = { 0 };

    (void)state;
    stage_start(&f, 0, UPDATES);
    fake_job_real(&f, "entropy_min", 9);
    assert_int_equal(fake_job_run(&f, &err), ERR_DIVERGED);
    assert_non_null(strstr(err.text, "entropy_min"));
    assert_int_equal(f.job.outputs_len, 2);
    fake_files_read(stage_model, &weights, 1, &start);
    fake_files_read(stage_output(&f, "model"), &weights, 1, &left);
    stage_same(&start, &left);
    fake_files_read(stage_output(&f, "state"), &file, 1, &said);
    assert_non_null(strstr(buf_str(&said), "\"diverged\":true"));

    stage_start(&next, UPDATES, UPDATES);
    snprintf(next.path[0], sizeof(next.path[0]), "%s", stage_output(&f, "model"));
    fake_job_input(&next, "state", stage_output(&f, "state"));
    assert_int_equal(fake_job_run(&next, &err), ERR_DIVERGED);
    assert_non_null(strstr(err.text, "earlier stage"));
    assert_int_equal(next.job.outputs_len, 2);
    assert_string_equal(stage_output(&next, "model"), stage_output(&f, "model"));
    assert_string_equal(stage_output(&next, "state"), stage_output(&f, "state"));
    assert_int_equal(next.metrics_len, 0);
    fake_job_release(&next);
    fake_job_release(&f);
}

/* The divergence is looked at every tenth update. */
static void
divergence_beyond_a_bound_is_found_and_its_model_is_the_same_behind_a_checkpoint(void **state)
{
    static const char *const weights = "model.safetensors";
    struct buf one CLEANUP(buf_release) = { 0 }, two CLEANUP(buf_release) = { 0 };
    struct fake_job f, killed;
    struct err err = { 0 };

    (void)state;
    stage_start(&f, 0, 12);
    fake_job_real(&f, "kl_max", 1e-9);
    fake_job_real(&f, "learning_rate", 0.01);
    assert_int_equal(fake_job_run(&f, &err), ERR_DIVERGED);
    assert_non_null(strstr(err.text, "update 9:"));
    assert_non_null(stage_metric(&f, "reward", 9));
    assert_null(stage_metric(&f, "reward", 10));
    fake_files_read(stage_output(&f, "model"), &weights, 1, &one);

    stage_start(&killed, 0, 12);
    fake_job_real(&killed, "kl_max", 1e-9);
    fake_job_real(&killed, "learning_rate", 0.01);
    fake_job_real(&killed, "checkpoint_s", 1000);
    killed.stop_at_step = 9;
    killed.stop_at_metric = "core_seconds";
    killed.drain = true;
    assert_int_equal(fake_job_run(&killed, &err), ERR_CANCELLED);
    assert_int_equal(killed.checkpoint_step, 9);
    killed.stop_at_step = 0;
    atomic_store(&killed.progress.stop, false);
    assert_int_equal(fake_job_run(&killed, &err), ERR_DIVERGED);
    fake_files_read(stage_output(&killed, "model"), &weights, 1, &two);
    stage_same(&one, &two);
    fake_job_release(&killed);
    fake_job_release(&f);
}

/* The number NAME of update AT, from 0. */
static double told(const struct fake_job *f, const char *name, uint64_t at)
{
    const struct fake_metric *m = stage_metric(f, name, at + 1);

    assert_non_null(m);
    return m->value;
}

/* Between what FROM, FROM + BY... saw before an update and what it saw: above all of those (SIGN 1)
 * or below (-1). *RET: that update. */
static double bound_within(const struct fake_job *f, const char *name, int sign, uint64_t from,
                           uint64_t by, uint64_t updates, uint64_t *ret)
{
    double most = sign * told(f, name, from);

    for (uint64_t at = from + by; at < updates; at += by) {
        double now = sign * told(f, name, at);

        if (now > most && at >= 3) {
            *ret = at;
            return sign * (most + now) / 2;
        }
        most = now > most ? now : most;
    }
    fail_msg("%s never passes what it was", name);
    return 0;
}

static void start_straying(struct fake_job *f, uint64_t updates, double kl)
{
    stage_start(f, 0, updates);
    fake_job_real(f, "learning_rate", 0.01);
    fake_job_real(f, "kl_max", 1000);
    fake_job_real(f, "kl", kl);
    fake_job_text(f, "variance", "keep");
}

/* An update measures the weights before it moves them. Where it sees a bound broken, what is kept
 * is the model of a run that ended before those weights were made: one update earlier, or, where
 * the divergence is in no loss and so measured at every tenth update only, at the measurement
 * before. */
static void what_is_kept_is_the_last_model_within_the_bounds(void **state)
{
    static const struct {
        const char *metric, *bound;
        int sign;
        double kl;
        uint64_t updates, from, by, back;
    } cases[] = {
        { "kl", "kl_max", 1, 1e-6, 8, 1, 1, 1 },
        { "entropy", "entropy_min", -1, 1e-6, 8, 0, 1, 1 },
        { "entropy", "entropy_min", -1, 0, 8, 0, 1, 1 },
        { "kl", "kl_max", 1, 0, 20, 9, 10, 10 },
    };
    static const char *const weights = "model.safetensors";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf kept CLEANUP(buf_release) = { 0 }, whole CLEANUP(buf_release) = { 0 };
        struct fake_job free_run, f, earlier;
        struct err err = { 0 };
        uint64_t at = 0;
        char says[64];
        double bound;

        start_straying(&free_run, cases[i].updates, cases[i].kl);
        fake_job_run_or_fail(&free_run);
        bound = bound_within(&free_run, cases[i].metric, cases[i].sign, cases[i].from, cases[i].by,
                             cases[i].updates, &at);

        start_straying(&f, cases[i].updates, cases[i].kl);
        fake_job_real(&f, cases[i].bound, bound);
        assert_int_equal(fake_job_run(&f, &err), ERR_DIVERGED);
        snprintf(says, sizeof(says), "update %d:", (int)at);
        if (!strstr(err.text, says) || !strstr(err.text, cases[i].bound))
            fail_msg("case %zu, %s %g: %s", i, says, bound, err.text);
        fake_files_read(stage_output(&f, "model"), &weights, 1, &kept);

        start_straying(&earlier, at - cases[i].back, cases[i].kl);
        fake_job_run_or_fail(&earlier);
        fake_files_read(stage_output(&earlier, "model"), &weights, 1, &whole);
        stage_same(&kept, &whole);
        fake_job_release(&earlier);
        fake_job_release(&f);
        fake_job_release(&free_run);
    }
}

/* Groups whose answers are all alike teach nothing, and no step measures anything: it is looked at
 * the policy all the same, at the latest with the stage's last update. */
static void a_collapse_that_leaves_nothing_to_learn_from_is_found(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    stage_start(&f, 0, 2);
    fake_job_real(&f, "temperature", 0.01);
    fake_job_real(&f, "entropy_min", 1);
    assert_int_equal(fake_job_run(&f, &err), ERR_DIVERGED);
    assert_non_null(strstr(err.text, "update 1: the entropy"));
    assert_true(stage_metric(&f, "groups_used", 1)->value == 0);
    assert_int_equal(f.job.outputs_len, 2);
    fake_job_release(&f);
}

/* ---- what it tells -------------------------------------------------------------------------- */

static double value(const struct fake_job *f, const char *name, uint64_t step)
{
    const struct fake_metric *m = stage_metric(f, name, step);

    if (!m)
        fail_msg("no %s at step %d", name, (int)step);
    return m->value;
}

static void metrics_are_those_of_each_update(void **state)
{
    static const int64_t budgets[] = { 40, 20 }, at[] = { 0, 2 };
    double tokens = 0;
    struct fake_job f;

    (void)state;
    stage_start(&f, 0, 4);
    fake_job_ints(&f, "budgets", budgets, 2);
    fake_job_ints(&f, "budget_at", at, 2);
    fake_job_text(&f, "schedule", "constant");
    fake_job_text(&f, "variance", "keep");
    fake_job_real(&f, "kl", 0.01);
    fake_job_run_or_fail(&f);
    for (uint64_t s = 1; s <= 4; s++) {
        double reward = 0.6 * value(&f, "reward_correct", s) + 0.3 * value(&f, "reward_length", s) +
                        0.1 * value(&f, "reward_format", s);

        assert_true(value(&f, "reward", s) - reward < 1e-12 &&
                    reward - value(&f, "reward", s) < 1e-12);
        assert_true(value(&f, "reward_correct", s) == value(&f, "accuracy", s));
        assert_true(value(&f, "accuracy.1", s) == value(&f, "accuracy", s));
        assert_true(value(&f, "budget", s) == (s <= 2 ? 40 : 20));
        assert_true(value(&f, "difficulty", s) == 1);
        assert_true(value(&f, "groups_used", s) == 4);
        assert_true(value(&f, "learning_rate", s) == (s < 3 ? 0.001 * (double)s / 3 : 0.001));
        assert_true(value(&f, "entropy", s) > 0 && value(&f, "gradient_norm", s) > 0);
        assert_true(s == 1 ? value(&f, "kl", s) == 0 : value(&f, "kl", s) > 0);
        assert_true(value(&f, "clip_fraction", s) == 0); /* one epoch: the ratio is 1 */
        assert_true(value(&f, "think_tokens", s) < value(&f, "tokens", s));
        assert_true(value(&f, "generated_tokens", s) > tokens);
        tokens = value(&f, "generated_tokens", s);
        assert_true(value(&f, "core_seconds", s) > 0 && value(&f, "flops", s) > 0);
    }
    assert_int_equal(atomic_load(&f.progress.done), 4);
    assert_int_equal(atomic_load(&f.progress.total), 4);
    fake_job_release(&f);
}

static void validation_is_told_at_both_ends_and_between(void **state)
{
    struct fake_job f;

    (void)state;
    stage_start(&f, 0, 5);
    fake_job_int(&f, "validation_examples", 8);
    fake_job_int(&f, "validation_budget", 12);
    fake_job_int(&f, "validation_every", 2);
    fake_job_run_or_fail(&f);
    for (uint64_t s = 0; s <= 5; s++) {
        bool due = s % 2 == 0 || s == 5;

        assert_int_equal(stage_metric(&f, "validation_accuracy", s) != NULL, due);
        assert_int_equal(stage_metric(&f, "validation_free_truncated.math.1", s) != NULL, due);
        if (due)
            assert_true(value(&f, "validation_accuracy", s) ==
                        value(&f, "validation_accuracy.math.1", s));
    }
    fake_job_release(&f);
    stage_start(&f, 0, 1); /* no budget: only without */
    fake_job_int(&f, "validation_examples", 8);
    fake_job_run_or_fail(&f);
    assert_null(stage_metric(&f, "validation_accuracy", 1));
    assert_non_null(stage_metric(&f, "validation_free_accuracy", 1));
    fake_job_release(&f);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void refuse(struct fake_job *f, int code, const char *word)
{
    struct err err = { 0 };

    assert_int_equal(fake_job_run(f, &err), code);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not say \"%s\"", err.text, word);
    assert_int_equal(f->job.outputs_len, 0);
    fake_job_release(f);
}

static void bad_parameters_and_states_are_refused_by_name(void **state)
{
    static const int64_t bad_levels[] = { 6, 2 }, falling[] = { 0, 5, 3 };
    static const int64_t budgets[] = { 40, 20, 10 };
    struct fake_job f;

    (void)state;
    stage_start(&f, 0, 2);
    fake_job_ints(&f, "levels", bad_levels, 2);
    refuse(&f, ERR_INVALID, "levels must rise");
    stage_start(&f, 0, 2);
    fake_job_texts(&f, "tasks", (const char *const[]){ "arc_easy" }, 1);
    refuse(&f, ERR_INVALID, "arc_easy");
    stage_start(&f, 0, 2);
    fake_job_texts(&f, "tasks", (const char *const[]){ "mth" }, 1);
    refuse(&f, ERR_INVALID, "math");
    stage_start(&f, 0, 9);
    fake_job_ints(&f, "budgets", budgets, 3);
    fake_job_ints(&f, "budget_at", falling, 3);
    refuse(&f, ERR_INVALID, "budget");
    stage_start(&f, 0, 2);
    fake_job_int(&f, "max_new", 200);
    refuse(&f, ERR_INVALID, "max_new");
    stage_start(&f, 0, 2);
    fake_job_real(&f, "correct_weight", 0);
    fake_job_real(&f, "length_weight", 0);
    fake_job_real(&f, "format_weight", 0);
    refuse(&f, ERR_INVALID, "weight");
    stage_start(&f, 4, 2); /* a later stage without a state */
    refuse(&f, ERR_NOT_FOUND, "state");
}

static void state_of_another_place_or_model_is_refused(void **state)
{
    struct fake_job one, f;

    (void)state;
    stage_start(&one, 0, 2);
    fake_job_run_or_fail(&one);
    stage_start(&f, 4, 2);
    snprintf(f.path[0], sizeof(f.path[0]), "%s", stage_output(&one, "model"));
    fake_job_input(&f, "state", stage_output(&one, "state"));
    refuse(&f, ERR_INVALID, "behind 2 updates");
    stage_start(&f, 2, 2); /* the state goes with the first stage's model, not with its start */
    fake_job_input(&f, "state", stage_output(&one, "state"));
    refuse(&f, ERR_INVALID, "weights");
    fake_job_release(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_do_not_depend_on_threads_but_on_the_seed),
        cmocka_unit_test(stages_one_after_the_other_are_one_stage_to_the_bit),
        cmocka_unit_test(preempted_stage_saves_where_it_is_and_goes_on_with_the_same_bits),
        cmocka_unit_test(killed_stage_goes_on_from_its_last_checkpoint_with_the_same_bits),
        cmocka_unit_test(checkpoints_that_are_not_understood_are_passed_over),
        cmocka_unit_test(cancelled_stage_saves_nothing),
        cmocka_unit_test(divergence_leaves_the_last_good_model_and_later_stages_pass_it_on),
        cmocka_unit_test(a_collapse_that_leaves_nothing_to_learn_from_is_found),
        cmocka_unit_test(
            divergence_beyond_a_bound_is_found_and_its_model_is_the_same_behind_a_checkpoint),
        cmocka_unit_test(what_is_kept_is_the_last_model_within_the_bounds),
        cmocka_unit_test(metrics_are_those_of_each_update),
        cmocka_unit_test(validation_is_told_at_both_ends_and_between),
        cmocka_unit_test(bad_parameters_and_states_are_refused_by_name),
        cmocka_unit_test(state_of_another_place_or_model_is_refused),
    };

    return cmocka_run_group_tests(tests, stage_make_model, stage_drop_model);
}
