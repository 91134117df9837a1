/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the parts of a stage: problems are a function of their key, answers of theirs; marks,
 * rewards and batches are what their headers say. Method: parts called with a tiny model; numbers
 * by hand. */
#include <math.h>

#include "tests/unit/worker_jobs/stage_rig.h"

#include "common/tasks/think.h"
#include "worker/jobs/stage_batch.h"
#include "worker/jobs/stage_checkpoint.h"
#include "worker/jobs/stage_update.h"
#include "worker/tokenizer/tokenizer.h"

/* What a job has when its stage began. */
struct rig {
    struct fake_job job;
    struct stage_conf conf;
    struct stage_learner *learner;
    struct stage_problems *problems;
};

static void open_rig(struct rig *r)
{
    struct err err = { 0 };

    if (kind_check(r->job.job.kind, &r->job.job.params, &err) ||
        stage_conf_read(&r->conf, &r->job.job, &err) ||
        stage_learner_open(&r->learner, &r->conf, &r->job.job, &err) ||
        stage_problems_open(&r->problems, &r->conf, &r->job.job, stage_learner_model(r->learner),
                            &err))
        fail_msg("%s", err.text);
}

static void close_rig(struct rig *r)
{
    stage_problems_close(r->problems);
    stage_learner_close(r->learner);
    fake_job_release(&r->job);
}

static const double only_first[STAGE_LEVELS_MAX] = { 1 };

static void problems_are_a_function_of_their_key_and_budgets_stand_in_the_prompt(void **state)
{
    struct rig r;
    struct err err = { 0 };
    char seen[24][64];
    size_t len = 0;

    (void)state;
    stage_start(&r.job, 0, 2);
    open_rig(&r);
    for (uint64_t update = 0; update < 2; update++)
        for (size_t slot = 0; slot < 3; slot++)
            for (size_t turn = 0; turn < 4; turn++) {
                struct stage_problem p, again;

                assert_int_equal(
                    stage_problem_draw(r.problems, update, slot, turn, only_first, 0, &p, &err), 0);
                assert_int_equal(stage_problem_draw(r.problems, update, slot, turn, only_first, 17,
                                                    &again, &err),
                                 0);
                assert_true(p.example.id == again.example.id);
                assert_int_equal(strncmp(again.example.prompt, "#17:", 4), 0);
                assert_string_equal(again.example.prompt + 4, p.example.prompt);
                snprintf(seen[len++], sizeof(seen[0]), "%s", p.example.prompt);
                stage_problem_release(&p);
                stage_problem_release(&again);
            }
    for (size_t i = 0, same = 0; i < len; i++) {
        for (size_t k = 0; k < i; k++)
            same += strcmp(seen[i], seen[k]) == 0;
        assert_true(same <= 2); /* level 1 has few problems: chance alone */
    }
    close_rig(&r);
}

static void levels_are_drawn_by_their_weights(void **state)
{
    static const int64_t levels[] = { 1, 2, 3 };
    static const double weight[STAGE_LEVELS_MAX] = { 0.2, 0, 0.8 };
    size_t count[3] = { 0 };
    struct rig r;
    struct err err = { 0 };

    (void)state;
    stage_start(&r.job, 0, 2);
    fake_job_ints(&r.job, "levels", levels, 3);
    open_rig(&r);
    for (size_t slot = 0; slot < 400; slot++) {
        struct stage_problem p;

        assert_int_equal(stage_problem_draw(r.problems, 1, slot, 0, weight, 0, &p, &err), 0);
        assert_int_equal(p.example.level, levels[p.level]);
        count[p.level]++;
        stage_problem_release(&p);
    }
    assert_int_equal(count[1], 0);
    assert_true(count[0] > 50 && count[0] < 110); /* 80 expected, deviation 8 */
    close_rig(&r);
}

static void validation_problems_are_of_the_validation_split(void **state)
{
    struct task_query q = { .task = "math", .level = 1, .split = SPLIT_VALIDATION };
    struct task_source *source = NULL;
    struct rig r;
    struct err err = { 0 };

    (void)state;
    stage_start(&r.job, 0, 2);
    open_rig(&r);
    assert_int_equal(task_open(&source, &q, &err), 0);
    for (uint64_t i = 0; i < 5; i++) {
        struct stage_problem p;
        struct example e = { 0 };

        assert_int_equal(stage_problem_fixed(r.problems, 0, 0, i, 9, &p, &err), 0);
        assert_int_equal(task_get(source, i, &e, &err), 0);
        assert_true(p.example.id == e.id);
        example_release(&e);
        stage_problem_release(&p);
    }
    task_close(source);
    close_rig(&r);
}

/* ---- marks and rewards ---------------------------------------------------------------------- */

/* TEXT as the model of R would have written it, to PROBLEM. */
static struct stage_marks mark(const struct rig *r, const struct stage_problem *p, const char *text,
                               enum finish finish)
{
    const struct tokenizer *tok = stage_learner_model(r->learner)->tok;
    uint32_t *ids = NULL;
    size_t len = 0;
    struct stage_marks m;
    struct err err = { 0 };

    assert_int_equal(tokenizer_encode(tok, text, strlen(text), 0, &ids, &len, &err), 0);
    if (finish == FINISH_EOS) {
        ids = realloc(ids, (len + 1) * sizeof(*ids));
        ids[len++] = tokenizer_eos(tok);
    }
    stage_mark(p, tok, ids, len, finish, text, &m);
    free(ids);
    return m;
}

static void marks_tell_right_from_wrong_cut_from_whole(void **state)
{
    struct stage_problem p;
    struct stage_marks m;
    char right[64], wrong[64], spoilt[96];
    struct rig r;
    struct err err = { 0 };

    (void)state;
    stage_start(&r.job, 0, 2);
    open_rig(&r);
    assert_int_equal(stage_problem_draw(r.problems, 0, 0, 0, only_first, 0, &p, &err), 0);
    snprintf(right, sizeof(right), "<think>1;2</think><answer>%s</answer>", p.example.gold);
    snprintf(wrong, sizeof(wrong), "<think>1;2</think><answer>%c</answer>",
             p.example.gold[0] == '9' ? '0' : p.example.gold[0] + 1);
    snprintf(spoilt, sizeof(spoilt), "%s<answer>1</answer>", right);

    m = mark(&r, &p, right, FINISH_EOS);
    assert_true(m.correct && m.think_ok && m.answer_ok && m.well_formed && !m.truncated);
    assert_int_equal(m.tokens, 8); /* four tags, three characters and the answer */
    assert_int_equal(m.think_tokens, 3);
    m = mark(&r, &p, wrong, FINISH_EOS);
    assert_true(!m.correct && m.well_formed);
    m = mark(&r, &p, spoilt, FINISH_EOS);
    assert_true(m.correct && m.think_ok && !m.answer_ok && !m.well_formed);
    m = mark(&r, &p, right, FINISH_LENGTH); /* it went on */
    assert_true(m.truncated && !m.think_ok && !m.answer_ok && !m.well_formed);
    assert_int_equal(m.tokens, 40);
    stage_problem_release(&p);
    close_rig(&r);
}

static void rewards_count_the_response_or_the_thinking(void **state)
{
    struct stage_marks m = { .correct = true, .think_ok = true, .tokens = 12, .think_tokens = 6 };
    struct reward_parts parts;
    struct rig r;

    (void)state;
    stage_start(&r.job, 0, 2);
    open_rig(&r);
    parts = stage_reward(&r.conf, &m, 8); /* triangle: (2 * 8 - 12) / 8 */
    assert_true(parts.correct == 1 && parts.length == 0.5 && parts.format == 0.5);
    r.conf.count_think = true;
    assert_true(stage_reward(&r.conf, &m, 8).length == 0.75);
    m.truncated = true; /* its length is max_new, whatever is counted */
    m.tokens = 40;
    assert_true(stage_reward(&r.conf, &m, 8).length == 0);
    assert_true(stage_reward(&r.conf, &m, 0).length == 0);
    m = (struct stage_marks){ .tokens = 8 };
    assert_true(stage_reward(&r.conf, &m, 8).total == 0); /* wrong: the gate is shut */
    r.conf.reward.gate = false;
    m.tokens = 8;
    m.think_tokens = 8;
    assert_true(stage_reward(&r.conf, &m, 8).length == 1);
    close_rig(&r);
}

/* ---- answers and batches -------------------------------------------------------------------- */

static void answers_do_not_depend_on_their_company(void **state)
{
    enum { N = 3, S = 4 };
    static const uint64_t key[N] = { 100, 200, 300 };
    struct stage_problem p[N];
    struct stage_answer all[N * S] = { 0 };
    struct rig r;
    struct err err = { 0 };
    size_t differ = 0;

    (void)state;
    stage_start(&r.job, 0, 2);
    open_rig(&r);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(stage_problem_draw(r.problems, 0, i, 0, only_first, 0, &p[i], &err), 0);
    struct stage_sampling how = { .temperature = 1, .seed = 5, .key = key, .samples = S };
    assert_int_equal(stage_answer_all(stage_learner_sweep(r.learner),
                                      stage_learner_model(r.learner), p, N, &how, all, NULL, &err),
                     0);
    for (size_t i = 0; i < N; i++) {
        struct stage_answer one[S] = { 0 };

        how.key = key + i;
        assert_int_equal(stage_answer_all(stage_learner_sweep(r.learner),
                                          stage_learner_model(r.learner), p + i, 1, &how, one, NULL,
                                          &err),
                         0);
        for (size_t s = 0; s < S; s++) {
            assert_int_equal(one[s].text.ids_len, all[i * S + s].text.ids_len);
            assert_memory_equal(one[s].text.ids, all[i * S + s].text.ids,
                                one[s].text.ids_len * sizeof(uint32_t));
            differ += s > 0 && (one[s].text.ids_len != one[0].text.ids_len ||
                                memcmp(one[s].text.ids, one[0].text.ids,
                                       one[0].text.ids_len * sizeof(uint32_t)) != 0);
        }
        for (size_t s = 0; s < S; s++)
            stage_answer_release(&one[s]);
        for (size_t s = 0; s < S; s++)
            stage_answer_release(&all[i * S + s]);
        stage_problem_release(&p[i]);
    }
    assert_true(differ > 0); /* they are samples */
    close_rig(&r);
}

static void batch_has_a_target_per_token_and_group_advantages(void **state)
{
    static uint32_t prompt[] = { 9, 8, 7 }, ids[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
    static const double reward[] = { 1, 0 };
    static const uint32_t tokens[] = { 9, 8, 7, 1, 2, 9, 8, 7 };
    static const uint32_t none = TRAIN_NO_TARGET;
    const uint32_t target[] = { none, none, 1, 2, 3, none, none, 4 };
    struct stage_problem p = { .question = { .prompt = prompt, .prompt_len = 3 } };
    struct stage_answer a[2] = {
        { .problem = &p,
          .text = { .prompt = prompt, .prompt_len = 3, .ids = ids[0], .ids_len = 3 } },
        { .problem = &p,
          .text = { .prompt = prompt, .prompt_len = 3, .ids = ids[1], .ids_len = 1 } },
    };
    struct stage_conf c = { .normalise = LOSS_SEQUENCE, .max_new = 4 };
    struct stage_batch b CLEANUP(stage_batch_release) = { 0 };

    (void)state;
    stage_batch_add(&b, &c, a, reward, 2);
    stage_batch_finish(&b, &c);
    assert_int_equal(b.batch.sequences, 2);
    assert_int_equal(b.rows, 8);
    assert_int_equal(b.start[1], 5);
    assert_memory_equal(b.tokens, tokens, sizeof(tokens));
    assert_memory_equal(b.target, target, sizeof(target));
    for (size_t i = 0; i < 8; i++) { /* not scaled: reward minus mean; 1 / (sequences * tokens) */
        assert_true(b.advantage[i] == (i < 5 ? 0.5 : -0.5));
        assert_true(b.weight[i] == (i < 5 ? 1.0 / 6 : 0.5));
    }
}

/* ---- groups without variance ---------------------------------------------------------------- */

static struct stage_update update_with(const char *variance)
{
    struct stage_update u = { .budget = 0, .weight = { 1 } };
    struct rig r;
    struct err err = { 0 };

    stage_start(&r.job, 0, 2);
    fake_job_text(&r.job, "variance", variance);
    open_rig(&r);
    r.conf.problems = 16;
    r.conf.group = 2; /* often alike */
    r.conf.reward.length_weight = 0;
    assert_int_equal(stage_update_run(&u, &r.conf, r.problems, r.learner, NULL, &err), 0);
    close_rig(&r);
    return u;
}

static void groups_without_variance_are_kept_dropped_or_drawn_again(void **state)
{
    struct stage_update keep, drop, again;

    (void)state;
    keep = update_with("keep");
    drop = update_with("drop");
    again = update_with("resample");
    assert_int_equal(keep.groups_used, 16);
    assert_true(drop.groups_used > 0 && drop.groups_used < 16);
    assert_true(again.groups_used > drop.groups_used && again.groups_used <= 16);
    assert_int_equal(keep.sampled, 32);
    assert_int_equal(drop.sampled, 32);
    assert_true(again.sampled > 32 && again.sampled <= 4 * 32);
    assert_true(keep.reward == drop.reward && keep.generated == drop.generated);
    assert_true(keep.flops > drop.flops); /* what is dropped is not trained on */
}

static void costs_are_counted_by_weights_rows_and_pairs(void **state)
{
    /* Per layer 8 x (4 + 2 x 2) + 4 x 8 + 3 x 8 x 10 = 336 weights; q is 4 wide. */
    const struct model_conf c = {
        .layers = 2, .dim = 8, .heads = 2, .kv_heads = 1, .head_dim = 2, .hidden = 10, .vocab = 16
    };

    (void)state;
    assert_true(stage_flops_read(&c, 3) == 2 * 3 * 672 + 4 * 2 * 4 * 6);
    assert_true(stage_flops_written(&c, 3, 1) == 2 * 8 * 16); /* the prompt's last row says it */
    assert_true(stage_flops_written(&c, 3, 2) == 2 * 672 + 4 * 2 * 4 * 4 + 2 * 2 * 8 * 16);
    assert_true(stage_flops_trained(&c, 3, 2) ==
                3 * (stage_flops_read(&c, 3) + stage_flops_written(&c, 3, 2)));
}

/* ---- states --------------------------------------------------------------------------------- */

static void states_come_back_and_broken_ones_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"version\":2}",
        "{\"version\":1,\"updates\":-1}",
        "{\"version\":1,\"updates\":1,\"generated_tokens\":1}",
        "{\"version\":1,\"updates\":1,\"generated_tokens\":1,\"flops\":1,\"rule\":\"mixture\","
        "\"difficulty\":\"nonsense\"}",
    };
    struct stage_state one, two;
    struct buf text CLEANUP(buf_release) = { 0 }, again CLEANUP(buf_release) = { 0 };
    struct rig r;
    struct err err = { 0 };

    (void)state;
    stage_start(&r.job, 0, 2);
    open_rig(&r);
    stage_state_start(&one, &r.conf);
    one.updates = 7;
    one.generated = 1234567;
    one.flops = 0.1 + 1e18;
    one.seconds = 3.25;
    stage_state_print(&one, &r.conf, true, &text);
    assert_int_equal(stage_state_parse(&two, &r.conf, text.data, text.len, "it", &err), 0);
    assert_true(two.flops == one.flops && two.updates == 7 && two.seconds == 3.25);
    stage_state_print(&two, &r.conf, true, &again);
    stage_same(&text, &again);
    buf_clear(&text);
    stage_state_print(&one, &r.conf, false, &text);
    assert_null(strstr(buf_str(&text), "seconds"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(stage_state_parse(&two, &r.conf, bad[i], strlen(bad[i]), "it", &err) < 0);
    close_rig(&r);
}

static void rate_warms_up_and_falls_along_half_a_cosine_wave(void **state)
{
    struct stage_conf c = { .policy.rate = 0.4, .warmup = 4, .total = 104, .final_rate = 0.25 };

    (void)state;
    assert_true(fabs(stage_conf_rate(&c, 0) - (0.1)) < 1e-11);
    assert_true(fabs(stage_conf_rate(&c, 3) - (0.4)) < 1e-11);
    assert_true(fabs(stage_conf_rate(&c, 4) - (0.4)) < 1e-11);
    assert_true(fabs(stage_conf_rate(&c, 54) - (0.25)) < 1e-11); /* half way: (0.4 + 0.1) / 2 */
    assert_true(fabs(stage_conf_rate(&c, 103) - (0.1 + 0.3 * 0.5 * (1 - 0.999506560365732))) <
                1e-11);
    assert_true(fabs(stage_conf_rate(&c, 104) - (0.1)) < 1e-11);
    c.final_rate = 1;
    for (uint64_t t = 4; t < 200; t++)
        assert_true(stage_conf_rate(&c, t) == 0.4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_warms_up_and_falls_along_half_a_cosine_wave),
        cmocka_unit_test(problems_are_a_function_of_their_key_and_budgets_stand_in_the_prompt),
        cmocka_unit_test(levels_are_drawn_by_their_weights),
        cmocka_unit_test(validation_problems_are_of_the_validation_split),
        cmocka_unit_test(marks_tell_right_from_wrong_cut_from_whole),
        cmocka_unit_test(rewards_count_the_response_or_the_thinking),
        cmocka_unit_test(answers_do_not_depend_on_their_company),
        cmocka_unit_test(batch_has_a_target_per_token_and_group_advantages),
        cmocka_unit_test(groups_without_variance_are_kept_dropped_or_drawn_again),
        cmocka_unit_test(costs_are_counted_by_weights_rows_and_pairs),
        cmocka_unit_test(states_come_back_and_broken_ones_are_refused),
    };

    return cmocka_run_group_tests(tests, stage_make_model, stage_drop_model);
}
