/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/stage_batch.h"

/* Groups that were sampled together: all at first, then those that stand in for others. */
struct turn {
    size_t groups;
    size_t *slot;                  /* [groups] */
    uint64_t *key;                 /* [groups] */
    struct stage_problem *problem; /* [groups] */
    struct stage_answer *answer;   /* [groups * group] */
    double *reward;                /* [groups * group] */
    enum group_fate *fate;         /* [groups] */
};

struct work {
    struct stage_update *u;
    const struct stage_conf *c;
    struct stage_problems *problems;
    struct stage_learner *l;
    struct progress *progress;
    struct turn turn[STAGE_RESAMPLE_MAX + 1];
    size_t turns;
    struct stage_batch batch;
};

static void turn_release(struct turn *t, size_t group)
{
    for (size_t i = 0; t->answer && i < t->groups * group; i++)
        stage_answer_release(&t->answer[i]);
    for (size_t i = 0; t->problem && i < t->groups; i++)
        stage_problem_release(&t->problem[i]);
    free(t->slot);
    free(t->key);
    free(t->problem);
    free(t->answer);
    free(t->reward);
    free(t->fate);
}

/* A turn for the places whose group is to be drawn again, or all at first. */
static struct turn *begin_turn(struct work *w)
{
    const struct turn *before = w->turns ? &w->turn[w->turns - 1] : NULL;
    struct turn *t = &w->turn[w->turns];
    size_t most = before ? before->groups : w->c->problems;

    *t = (struct turn){ .slot = mem_calloc(most, sizeof(*t->slot)) };
    for (size_t i = 0; i < most; i++)
        if (!before || before->fate[i] == GROUP_AGAIN)
            t->slot[t->groups++] = before ? before->slot[i] : i;
    if (t->groups == 0) {
        free(t->slot);
        return NULL;
    }
    t->key = mem_calloc(t->groups, sizeof(*t->key));
    t->problem = mem_calloc(t->groups, sizeof(*t->problem));
    t->answer = mem_calloc(t->groups * w->c->group, sizeof(*t->answer));
    t->reward = mem_calloc(t->groups * w->c->group, sizeof(*t->reward));
    t->fate = mem_calloc(t->groups, sizeof(*t->fate));
    w->turns++;
    return t;
}

static int draw(struct work *w, struct turn *t, struct err *err)
{
    size_t number = w->turns - 1;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < t->groups; i++) {
        t->key[i] = stage_key(w->u->update, t->slot[i], number);
        rc = stage_problem_draw(w->problems, w->u->update, t->slot[i], number, w->u->weight,
                                w->u->budget, &t->problem[i], err);
        progress_tick(w->progress);
    }
    return rc;
}

static void count_answer(struct stage_update *u, const struct stage_answer *a,
                         const struct reward_parts *r, const struct model_conf *m)
{
    u->sampled++;
    u->correct += a->marks.correct;
    u->truncated += a->marks.truncated;
    u->reward += r->total;
    u->reward_correct += r->correct;
    u->reward_length += r->length;
    u->reward_format += r->format;
    u->tokens += (double)a->marks.tokens;
    u->think_tokens += (double)a->marks.think_tokens;
    u->generated += a->text.ids_len;
    u->flops += stage_flops_written(m, a->text.prompt_len, a->text.ids_len);
}

static void reward_group(struct work *w, struct turn *t, size_t i)
{
    const struct model_conf *m = &stage_learner_model(w->l)->conf;
    size_t group = w->c->group, correct = 0;

    for (size_t k = i * group; k < (i + 1) * group; k++) {
        struct reward_parts r = stage_reward(w->c, &t->answer[k].marks, w->u->budget);

        t->reward[k] = r.total;
        correct += t->answer[k].marks.correct;
        count_answer(w->u, &t->answer[k], &r, m);
    }
    w->u->flops += stage_flops_read(m, t->problem[i].question.prompt_len);
    difficulty_count_group(&w->u->count[t->problem[i].level], group, correct);
    t->fate[i] = group_decide(w->c->variance, t->reward + i * group, group, w->turns - 1,
                              STAGE_RESAMPLE_MAX);
}

static int sample(struct work *w, struct err *err)
{
    int rc = 0;

    for (struct turn *t; rc == 0 && (t = begin_turn(w)) != NULL;) {
        const struct stage_sampling how = { .temperature = w->c->policy.temperature,
                                            .seed = w->c->seed,
                                            .key = t->key,
                                            .samples = w->c->group };

        rc = draw(w, t, err);
        rc = rc ? rc
                : stage_answer_all(stage_learner_sweep(w->l), stage_learner_model(w->l), t->problem,
                                   t->groups, &how, t->answer, w->progress, err);
        for (size_t i = 0; rc == 0 && i < t->groups; i++)
            reward_group(w, t, i);
        if (w->turns == ARRAY_LEN(w->turn))
            break;
    }
    return rc;
}

static void take_means(struct stage_update *u)
{
    double n = (double)u->sampled;

    u->reward /= n;
    u->reward_correct /= n;
    u->reward_length /= n;
    u->reward_format /= n;
    u->tokens /= n;
    u->think_tokens /= n;
}

/* ---- the step ------------------------------------------------------------------------------- */

static void make_batch(struct work *w)
{
    struct stage_update *u = w->u;
    size_t group = w->c->group;

    u->groups = w->c->problems;
    for (size_t n = 0; n < w->turns; n++)
        for (size_t i = 0; i < w->turn[n].groups; i++) {
            const struct turn *t = &w->turn[n];

            if (t->fate[i] != GROUP_USE)
                continue;
            stage_batch_add(&w->batch, w->c, t->answer + i * group, t->reward + i * group, group);
            u->groups_used++;
        }
    if (u->groups_used > 0)
        stage_batch_finish(&w->batch, w->c);
}

/* The KL divergence from the stage's start is in the loss, or it is time to look at it. */
static bool wants_reference(const struct work *w)
{
    return w->c->policy.kl > 0 ||
           (w->c->kl_max > 0 && w->u->update % STAGE_MEASURE_EVERY == STAGE_MEASURE_EVERY - 1);
}

static void count_flops(struct work *w)
{
    const struct model_conf *m = &stage_learner_model(w->l)->conf;
    const struct stage_batch *b = &w->batch;

    for (size_t s = 0; s < b->sequences; s++) {
        size_t prompt = b->start[s + 1] - b->start[s] + 1 - b->len[s];

        w->u->flops += (double)w->c->epochs * stage_flops_trained(m, prompt, b->len[s]);
        if (w->c->policy.kl > 0)
            w->u->flops += stage_flops_trained(m, prompt, b->len[s]) / 3;
    }
}

static int check_bounds(struct work *w, struct err *err)
{
    struct stage_update *u = w->u;
    unsigned long long at = (unsigned long long)u->update;

    u->strayed = u->measured && w->c->kl_max > 0 && !(u->report.kl_reference <= w->c->kl_max);
    if (u->strayed)
        return err_set(err, ERR_DIVERGED,
                       "update %llu: the KL divergence from the stage's start is %.3g nats per "
                       "token, above kl_max = %g",
                       at, u->report.kl_reference, w->c->kl_max);
    if (w->c->entropy_min > 0 && !(u->report.entropy >= w->c->entropy_min))
        return err_set(err, ERR_DIVERGED,
                       "update %llu: the entropy is %.3g nats per token, below entropy_min = %g",
                       at, u->report.entropy, w->c->entropy_min);
    return 0;
}

/* All is measured, and the weights have not moved yet: what to return to when this update goes
 * wrong, or shows in a later one to have gone wrong. */
static int accept_weights(void *arg, const struct policy_report *report, struct err *err)
{
    struct work *w = arg;
    bool whole = w->u->measured || w->c->kl_max <= 0 || stage_learner_is_at_start(w->l);
    int rc;

    w->u->report = *report;
    rc = check_bounds(w, err);
    return rc ? rc : stage_learner_keep(w->l, whole, err);
}

static int one_epoch(struct work *w, size_t epoch, struct err *err)
{
    struct stage_batch *b = &w->batch;
    struct policy_report report;
    struct policy p = { .conf = w->c->policy,
                        .weight = b->weight,
                        .advantage = b->advantage,
                        .old = epoch ? b->old : NULL,
                        .reference = w->u->measured ? b->reference : NULL,
                        .logprob = epoch ? NULL : b->old,
                        .accept = epoch ? NULL : accept_weights,
                        .arg = w };
    int rc;

    p.conf.rate = w->u->rate;
    rc = trainer_policy_step(stage_learner_trainer(w->l), &b->batch, &p, &report, err);
    if (rc)
        return rc;
    w->u->clipped += report.clipped / (double)w->c->epochs;
    w->u->stepped = true;
    return 0;
}

/* Where there is nothing to learn from, a policy that has collapsed would go unseen. */
static bool wants_look(const struct work *w)
{
    const uint64_t next = w->u->update + 1;

    return (w->c->kl_max > 0 || w->c->entropy_min > 0) &&
           (next % STAGE_MEASURE_EVERY == 0 || next == w->c->first + w->c->updates);
}

/* Entropy and divergence of all that was sampled first. */
static int look(struct work *w, struct err *err)
{
    const struct turn *t = &w->turn[0];
    struct stage_batch *b = &w->batch;
    struct policy_report *r = &w->u->report;
    double *entropy CLEANUP(mem_cleanup) = NULL;
    size_t group = w->c->group;

    for (size_t i = 0; i < t->groups; i++)
        stage_batch_add(b, w->c, t->answer + i * group, t->reward + i * group, group);
    stage_batch_finish(b, w->c);
    entropy = mem_calloc(b->rows, sizeof(*entropy));
    int rc = trainer_logprobs(stage_learner_trainer(w->l), &b->batch, w->c->policy.temperature,
                              b->old, entropy, err);
    rc = rc ? rc : stage_learner_reference(w->l, &b->batch, b->reference, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < b->rows; i++) {
        if (b->target[i] == TRAIN_NO_TARGET)
            continue;
        r->targets++;
        r->entropy += entropy[i];
        r->kl_reference += policy_k3(b->reference[i] - b->old[i]);
    }
    r->entropy /= (double)r->targets;
    r->kl_reference /= (double)r->targets;
    w->u->measured = true;
    rc = check_bounds(w, err);
    return rc ? rc : stage_learner_keep(w->l, true, err);
}

static int learn(struct work *w, struct err *err)
{
    int rc = 0;

    w->u->rate = stage_conf_rate(w->c, w->u->update);
    if (w->u->groups_used == 0)
        return wants_look(w) ? look(w, err) : 0;
    if (wants_reference(w)) {
        rc = stage_learner_reference(w->l, &w->batch.batch, w->batch.reference, err);
        w->u->measured = rc == 0;
    }
    for (size_t e = 0; rc == 0 && e < w->c->epochs; e++)
        rc = one_epoch(w, e, err);
    if (rc == 0)
        count_flops(w);
    return rc;
}

int stage_update_run(struct stage_update *u, const struct stage_conf *c,
                     struct stage_problems *problems, struct stage_learner *l,
                     struct progress *progress, struct err *err)
{
    struct work w = { .u = u, .c = c, .problems = problems, .l = l, .progress = progress };
    int rc = sample(&w, err);

    if (rc == 0) {
        take_means(u);
        make_batch(&w);
        rc = learn(&w, err);
    }
    for (size_t i = 0; i < w.turns; i++)
        turn_release(&w.turn[i], c->group);
    stage_batch_release(&w.batch);
    return rc;
}

double stage_update_accuracy(const struct stage_update *u)
{
    return u->sampled ? (double)u->correct / (double)u->sampled : 0;
}
