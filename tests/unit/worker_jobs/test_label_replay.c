/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: labels that a search made replay without a disagreement, whatever the batch; each claim
 * that says something else is reported once, with what it expected and what came; claims that
 * cannot be replayed are errors. Method: a search on a tiny model, its messages as claims, some
 * changed. */
#include "tests/unit/worker_jobs/tiny.h"

#include "worker/jobs/label_replay.h"

enum { LAYERS = 4, EXAMPLES = 12 };

struct rig {
    struct label_claim claim[EXAMPLES];
    struct model *model;
    size_t labelled;
};

static struct rig rig;

static char *digits(ProtobufCBinaryData routing)
{
    char *text = mem_calloc(1, routing.len + 1);

    for (size_t i = 0; i < routing.len; i++)
        text[i] = (char)('0' + routing.data[i]);
    return text;
}

static int make_rig(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    tiny_make(LAYERS);
    tiny_search(&f, 0, EXAMPLES);
    fake_job_int(&f, "simulations", 20);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, EXAMPLES);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const Drover__Example *e = f.result[i]->example;
        const Drover__Label *l = f.result[i]->label;

        rig.claim[i] = (struct label_claim){ .id = e->id,
                                             .index = e->index,
                                             .base_correct = l->base_correct,
                                             .base_answer = mem_strdup(l->base_answer),
                                             .routing = l->has_label ? digits(l->routing) : NULL,
                                             .answer = mem_strdup(l->label_answer),
                                             .what = mem_strdup("e/labels") };
        rig.labelled += l->has_label;
    }
    assert_true(rig.labelled > 2 && rig.labelled < EXAMPLES); /* else this says little */
    fake_job_release(&f);
    return model_open_with(&rig.model, tiny_dir, &(struct model_options){ 0 }, &err);
}

static int drop_rig(void **state)
{
    for (size_t i = 0; i < EXAMPLES; i++)
        label_claim_release(&rig.claim[i]);
    model_free(rig.model);
    return tiny_remove(state);
}

struct found {
    size_t labels, evaluations, wrong;
    uint64_t id;
    bool base, expected, got;
    char answer[64];
};

static void on_done(void *arg, size_t labels, size_t evaluations)
{
    struct found *f = arg;

    f->labels += labels;
    f->evaluations += evaluations;
}

static void on_disagree(void *arg, const struct label_disagreement *d)
{
    struct found *f = arg;

    f->wrong++;
    f->id = d->claim->id;
    f->base = d->routing == NULL;
    f->expected = d->expected_correct;
    f->got = d->got_correct;
    snprintf(f->answer, sizeof(f->answer), "%s", d->got_answer);
}

static int replay(const struct label_claim *c, size_t n, size_t batch, struct found *ret,
                  struct err *err)
{
    struct label_replay r = { .model = rig.model, .model_name = "tiny", .batch = batch };
    struct label_replay_report report = { ret, on_disagree, on_done };

    r.query = (struct task_query){ .task = "math", .level = 1, .fewshot = -1 };
    assert_int_equal(split_parse("train", &r.query.split, err), 0);
    assert_int_equal(task_prompts_parse("harness", &r.query.prompts, err), 0);
    *ret = (struct found){ 0 };
    return label_replay_run(&r, c, n, &report, NULL, err);
}

static void searched_labels_replay_in_any_batch(void **state)
{
    (void)state;
    for (size_t batch = 1; batch <= 16; batch += 5) {
        struct found f;
        struct err err = { 0 };

        assert_int_equal(replay(rig.claim, EXAMPLES, batch, &f, &err), 0);
        assert_int_equal(f.wrong, 0);
        assert_int_equal(f.labels, EXAMPLES);
        assert_int_equal(f.evaluations, EXAMPLES + rig.labelled);
    }
}

/* The first claim with a label. */
static struct label_claim *labelled(void)
{
    for (size_t i = 0; i < EXAMPLES; i++)
        if (rig.claim[i].routing)
            return &rig.claim[i];
    fail();
    return NULL;
}

static void a_claim_that_says_something_else_is_reported(void **state)
{
    struct label_claim *c = labelled(), copy = *c;
    struct found f;
    struct err err = { 0 };

    (void)state;
    c->base_correct = !c->base_correct;
    assert_int_equal(replay(rig.claim, EXAMPLES, 4, &f, &err), 0);
    assert_int_equal(f.wrong, 1);
    assert_true(f.base && f.id == c->id && f.expected == !copy.base_correct && f.expected != f.got);
    c->base_correct = copy.base_correct;
    c->answer = (char *)(uintptr_t) "another";
    assert_int_equal(replay(rig.claim, EXAMPLES, 4, &f, &err), 0);
    c->answer = copy.answer;
    assert_int_equal(f.wrong, 1);
    assert_true(!f.base && f.expected && f.got);
    assert_string_equal(f.answer, copy.answer);
}

static void what_cannot_be_replayed_is_an_error(void **state)
{
    struct label_claim *c = labelled(), copy = *c;
    struct found f;
    struct err err = { 0 };

    (void)state;
    c->routing = (char *)(uintptr_t) "11111";
    assert_int_equal(replay(rig.claim, EXAMPLES, 4, &f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "4 digits 0, 1, 2"));
    c->routing = (char *)(uintptr_t) "1131";
    assert_int_equal(replay(rig.claim, EXAMPLES, 4, &f, &err), ERR_INVALID);
    c->routing = copy.routing;
    c->id++;
    assert_int_equal(replay(rig.claim, EXAMPLES, 4, &f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "another version of the task"));
    c->id = copy.id;
    assert_int_equal(replay(rig.claim, EXAMPLES, 4, &f, &err), 0);
    assert_int_equal(f.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searched_labels_replay_in_any_batch),
        cmocka_unit_test(a_claim_that_says_something_else_is_reported),
        cmocka_unit_test(what_cannot_be_replayed_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_rig, drop_rig);
}
