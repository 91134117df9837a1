/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_metrics.h"

#include <stdio.h>

struct sender {
    const struct job_services *services;
    uint64_t step;
};

static void send(const struct sender *s, const char *name, double value)
{
    s->services->metric(s->services->arg, name, s->step, value);
}

static void send_levels(const struct sender *s, const struct stage_conf *c,
                        const struct stage_update *u)
{
    for (size_t i = 0; i < c->levels; i++) {
        char name[32];

        if (u->count[i].samples == 0)
            continue;
        (void)snprintf(name, sizeof(name), "accuracy.%d", c->level[i]);
        send(s, name, (double)u->count[i].correct / (double)u->count[i].samples);
    }
}

static void send_step(const struct sender *s, const struct stage_update *u)
{
    send(s, "groups_used", (double)u->groups_used);
    send(s, "learning_rate", u->rate);
    if (u->stepped || u->measured)
        send(s, "entropy", u->report.entropy);
    if (u->stepped) {
        send(s, "clip_fraction", u->clipped);
        send(s, "gradient_norm", u->report.grad_norm);
    }
    if (u->measured)
        send(s, "kl", u->report.kl_reference);
}

void stage_metrics_send(const struct job_services *services, const struct stage_conf *c,
                        const struct stage_update *u, const struct stage_state *state)
{
    const struct sender s = { .services = services, .step = u->update + 1 };

    send(&s, "reward", u->reward);
    send(&s, "reward_correct", u->reward_correct);
    send(&s, "reward_length", u->reward_length);
    send(&s, "reward_format", u->reward_format);
    send(&s, "accuracy", stage_update_accuracy(u));
    send_levels(&s, c, u);
    send(&s, "tokens", u->tokens);
    send(&s, "think_tokens", u->think_tokens);
    send(&s, "truncated", (double)u->truncated / (double)u->sampled);
    if (u->budget > 0)
        send(&s, "budget", (double)u->budget);
    send(&s, "difficulty", stage_conf_mean_level(c, u->weight));
    send_step(&s, u);
    send(&s, "generated_tokens", (double)state->generated);
    send(&s, "flops", state->flops);
    send(&s, "core_seconds", state->seconds);
}
