/* SPDX-License-Identifier: Apache-2.0 */
/* States of difficulty rules as text. */
#include "common/base/macros.h"
#include "common/curriculum/exact.h"
#include "common/curriculum/rules.h"

static void put_bandit(const struct difficulty_conf *c, const struct difficulty_state *s,
                       struct buf *out)
{
    for (size_t i = 0; i < c->levels; i++) {
        exact_put_count(out, s->drawn[i]);
        exact_put_real(out, s->value[i]);
        exact_put_count(out, s->remembered[i]);
        for (size_t k = 0; k < s->remembered[i]; k++)
            exact_put_real(out, s->memory[i][k]);
    }
}

void difficulty_save(const struct difficulty_conf *c, const struct difficulty_state *s,
                     struct buf *out)
{
    exact_put_word(out, "difficulty-1");
    buf_addc(out, ' ');
    exact_put_word(out, difficulty_name(c->rule));
    exact_put_count(out, c->levels);
    exact_put_count(out, s->told);
    exact_put_real(out, s->target);
    exact_put_count(out, s->low);
    exact_put_count(out, s->high);
    exact_put_count(out, s->updates);
    exact_put_count(out, s->problems);
    exact_put_count(out, s->samples);
    exact_put_count(out, s->correct);
    put_bandit(c, s, out);
}

static void take_bandit(const struct difficulty_conf *c, struct exact *e,
                        struct difficulty_state *s)
{
    const uint64_t most = c->rule == DIFFICULTY_DUMP ? difficulty_window(c) : 0;

    for (size_t i = 0; i < c->levels; i++) {
        s->drawn[i] = exact_take_count(e, UINT64_MAX);
        s->value[i] = exact_take_real(e, 0, 1);
        s->remembered[i] = exact_take_count(e, most);
        for (size_t k = 0; k < s->remembered[i]; k++)
            s->memory[i][k] = exact_take_real(e, 0, 1);
    }
}

int difficulty_load(const struct difficulty_conf *c, const char *text, struct difficulty_state *ret,
                    struct err *err)
{
    struct exact e = { .at = text, .ok = true };

    difficulty_start(c, ret);
    exact_take_word(&e, "difficulty-1");
    exact_take_word(&e, difficulty_name(c->rule));
    if (exact_take_count(&e, c->levels) != c->levels)
        e.ok = false;
    ret->told = exact_take_count(&e, UINT64_MAX);
    ret->target = exact_take_real(&e, 0, (double)(c->levels - 1));
    ret->low = exact_take_count(&e, c->levels - 1);
    ret->high = exact_take_count(&e, c->levels - 1);
    ret->updates = exact_take_count(&e, UINT64_MAX);
    ret->problems = exact_take_count(&e, UINT64_MAX);
    ret->samples = exact_take_count(&e, UINT64_MAX);
    ret->correct = exact_take_count(&e, ret->samples);
    take_bandit(c, &e, ret);
    /* Only RLVE's window leaves the easiest level, and never its hardest one. */
    if (exact_end(&e) && ret->low <= (c->rule == DIFFICULTY_RLVE ? ret->high : 0))
        return 0;
    return err_set(err, ERR_INVALID,
                   "the state of difficulty = \"%s\" over %zu levels cannot be read: \"%.60s\"",
                   difficulty_name(c->rule), c->levels, text);
}
