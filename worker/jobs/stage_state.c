/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/jsonw.h"

void stage_state_start(struct stage_state *ret, const struct stage_conf *c)
{
    *ret = (struct stage_state){ 0 };
    if (c->adapts)
        adaptive_start(&c->adaptive, &ret->adaptive);
    difficulty_start(&c->difficulty, &ret->difficulty);
}

void stage_state_print(const struct stage_state *s, const struct stage_conf *c, bool inside,
                       struct buf *out)
{
    struct jsonw w = { .to = out };
    struct buf adaptive CLEANUP(buf_release) = { 0 }, difficulty CLEANUP(buf_release) = { 0 };

    jsonw_open(&w, '{');
    jsonw_int(&w, "version", STAGE_STATE_VERSION);
    jsonw_int(&w, "updates", (int64_t)s->updates);
    jsonw_int(&w, "generated_tokens", (int64_t)s->generated);
    jsonw_real(&w, "flops", s->flops);
    if (c->adapts) {
        adaptive_save(&s->adaptive, &adaptive);
        jsonw_text(&w, "adaptive", buf_str(&adaptive));
    }
    difficulty_save(&c->difficulty, &s->difficulty, &difficulty);
    jsonw_text(&w, "rule", difficulty_name(c->difficulty.rule));
    jsonw_text(&w, "difficulty", buf_str(&difficulty));
    jsonw_bool(&w, "diverged", s->diverged);
    if (s->diverged)
        jsonw_text(&w, "why", s->why);
    if (inside) {
        jsonw_real(&w, "core_seconds", s->seconds);
        jsonw_bool(&w, "validated", s->validated);
    }
    jsonw_close(&w, '}');
    buf_addc(out, '\n');
}

/* The controllers' parts; a state of another rule is begun anew: the recipe changed the rule
 * between two stages. */
static int parse_controllers(struct stage_state *s, const struct stage_conf *c,
                             const struct json *root, struct err *err)
{
    const char *adaptive = json_text(json_get(root, "adaptive"));
    const char *rule = json_text(json_get(root, "rule"));
    const char *difficulty = json_text(json_get(root, "difficulty"));
    int rc = 0;

    if (c->adapts && adaptive)
        rc = adaptive_load(&c->adaptive, adaptive, &s->adaptive, err);
    if (rc == 0 && rule && difficulty && strcmp(rule, difficulty_name(c->difficulty.rule)) == 0)
        rc = difficulty_load(&c->difficulty, difficulty, &s->difficulty, err);
    return rc;
}

int stage_state_parse(struct stage_state *ret, const struct stage_conf *c, const char *text,
                      size_t len, const char *name, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    const char *why;
    int64_t version, updates, generated;
    int rc = json_parse(text, len, &root, err);

    if (rc)
        return err_wrap(err, rc, "%s", name);
    version = json_integer(json_get(root, "version"), 0);
    if (version != STAGE_STATE_VERSION)
        return err_set(err, ERR_VERSION,
                       "%s: a stage's state of version %" PRId64 "; this program reads %d", name,
                       version, STAGE_STATE_VERSION);
    stage_state_start(ret, c);
    updates = json_integer(json_get(root, "updates"), -1);
    generated = json_integer(json_get(root, "generated_tokens"), -1);
    ret->flops = json_number(json_get(root, "flops"), -1);
    if (updates < 0 || generated < 0 || !(ret->flops >= 0))
        return err_set(err, ERR_INVALID, "%s: updates, generated_tokens and flops must be there",
                       name);
    ret->updates = (uint64_t)updates;
    ret->generated = (uint64_t)generated;
    ret->diverged = json_bool(json_get(root, "diverged"), false);
    ret->seconds = json_number(json_get(root, "core_seconds"), 0);
    ret->validated = json_bool(json_get(root, "validated"), false);
    why = json_text(json_get(root, "why"));
    (void)snprintf(ret->why, sizeof(ret->why), "%s", why ? why : "");
    rc = ret->diverged ? 0 : parse_controllers(ret, c, root, err);
    return rc ? err_wrap(err, rc, "%s", name) : 0;
}
