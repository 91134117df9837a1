/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no text makes the readers of a curriculum's states crash; what they take is saved as the
 * same text, and training can go on from it: weights that sum to 1, a budget within its bounds.
 * Method: libFuzzer; the first byte picks the rule, the rest is the text. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/curriculum/adaptive.h"
#include "common/curriculum/difficulty.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct adaptive_conf conf = { .first = 64,
                                           .last = 8,
                                           .interval = 3,
                                           .slack = 0.02,
                                           .rate = 0.3,
                                           .sharpness = 20,
                                           .memory = 0.8 };

static void adaptive(const char *text)
{
    struct buf again CLEANUP(buf_release) = { 0 };
    struct adaptive_state s;
    struct err err = { 0 };

    if (adaptive_load(&conf, text, &s, &err) != 0)
        return;
    adaptive_save(&s, &again);
    assert(strcmp(buf_str(&again), text) == 0);
    for (int i = 0; i < 7; i++) {
        const int64_t before = adaptive_budget(&conf, &s);
        (void)adaptive_tell(&conf, &s, i % 2 ? 1 : 0.25);
        const int64_t now = adaptive_budget(&conf, &s);
        assert(now >= conf.last && now <= conf.first && 2 * now > before);
    }
}

static void difficulty(enum difficulty_rule rule, const char *text)
{
    const struct difficulty_conf c = { .rule = rule,
                                       .levels = 3,
                                       .total = 60,
                                       .mixture = { 1, 2, 3 },
                                       .rate = 0.5,
                                       .target = 0.5,
                                       .sharpness = 2,
                                       .width = 0.5,
                                       .down = 0.3,
                                       .temperature = 0.1 };
    static struct difficulty_state s; /* large */
    struct buf again CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    if (difficulty_check(&c, NULL, &err) != 0 || difficulty_load(&c, text, &s, &err) != 0)
        return;
    difficulty_save(&c, &s, &again);
    assert(strcmp(buf_str(&again), text) == 0);
    for (uint64_t i = 0; i < 6; i++) {
        struct difficulty_count count[3] = { 0 };
        double weight[3], sum = 0;
        difficulty_weights(&c, &s, i, weight);
        for (size_t k = 0; k < 3; k++) {
            assert(weight[k] >= 0);
            sum += weight[k];
            difficulty_count_group(&count[k], 4, (i + k) % 5);
        }
        assert(sum > 0.999999 && sum < 1.000001);
        difficulty_tell(&c, &s, count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CLEANUP(mem_cleanup) = mem_calloc(size + 1, 1);

    if (size == 0)
        return 0;
    memcpy(text, data + 1, size - 1);
    if (data[0] % (DIFFICULTY_RULES + 1) == DIFFICULTY_RULES)
        adaptive(text);
    else
        difficulty((enum difficulty_rule)(data[0] % (DIFFICULTY_RULES + 1)), text);
    return 0;
}
