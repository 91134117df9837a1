/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/reference.h"

#include <string.h>

#include "common/kinds/kinds.h"
#include "experiments/plan/keys_table.h"
#include "experiments/plan/step.h"

static void print_range(const struct param_spec *p, struct buf *out)
{
    if (p->words) {
        for (size_t i = 0; p->words[i]; i++)
            buf_printf(out, "%s`%s`", i ? ", " : "", p->words[i]);
        return;
    }
    if (p->min <= p->max)
        buf_printf(out, "%.10g to %.10g%s%s", p->min, p->max, *p->unit ? " " : "", p->unit);
}

static void print_fallback(const char *fallback, const char *quote, struct buf *out)
{
    if (!fallback)
        buf_adds(out, "required");
    else if (*fallback)
        buf_printf(out, "%s%s%s", quote, fallback, quote);
}

static void print_param(const struct param_spec *p, struct buf *out)
{
    static const char *const types[PARAM_TYPES] = { "integer",  "number", "true/false", "text",
                                                    "integers", "texts",  "numbers" };

    buf_printf(out, "| `%s` | %s | ", p->name, types[p->type]);
    print_fallback(p->fallback, "`", out);
    buf_adds(out, " | ");
    print_range(p, out);
    buf_printf(out, " | %s | %s |\n", p->identity ? "yes" : "no", p->help);
}

void plan_reference(struct buf *out)
{
    for (int k = 0; k < KINDS; k++) {
        const struct kind *kind = kind_at((enum kind_id)k);
        buf_printf(out, "### %s\n\n%s", kind->name, kind->help);
        if (*kind->seed_drives)
            buf_printf(out, " Its seed drives %s.", kind->seed_drives);
        buf_adds(out, "\n\n");
        buf_adds(out, "| key | type | default | allowed | in the key | meaning |\n"
                      "|---|---|---|---|---|---|\n");
        for (size_t i = 0; i < kind->params_len; i++)
            if (!step_planner_param(kind, kind->params[i].name))
                print_param(&kind->params[i], out);
        buf_addc(out, '\n');
    }
}

static void print_place(enum recipe_place place, struct buf *out)
{
    const bool steps = place == KEYS_STEP;
    const struct recipe_key *keys;
    char kinds[200];
    size_t len;

    keys = recipe_keys(place, &len);
    buf_printf(out, "### %s\n\n| key | type | default |%s meaning |\n|---|---|---|%s---|\n",
               recipe_place_title(place), steps ? " kinds |" : "", steps ? "---|" : "");
    for (size_t i = 0; i < len; i++) {
        buf_printf(out, "| `%s` | %s | ", keys[i].name, keys[i].type);
        print_fallback(keys[i].fallback, "", out);
        if (steps)
            buf_printf(out, " | %s", recipe_key_kinds(&keys[i], kinds, sizeof(kinds)));
        buf_printf(out, " | %s |\n", keys[i].help);
    }
    buf_addc(out, '\n');
}

void recipe_reference_print(struct buf *out)
{
    buf_adds(out, "## Every key\n\n");
    for (int place = 0; place < RECIPE_PLACES; place++)
        print_place((enum recipe_place)place, out);
    buf_adds(out, "## Job kinds\n\nA step has the keys of its kind besides those above.\n\n");
    plan_reference(out);
}
