/* SPDX-License-Identifier: Apache-2.0 */
/* generate.c - rounds: sequences join, one pass gives each its next token, those that end leave. */
#include "worker/model/generate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/sampling.h"
#include "worker/model/stops.h"
#include "worker/model/sweep_state.h"
#include "worker/tokenizer/tokenizer.h"

enum { JOIN_ROWS = 4096 }; /* of prompts in one pass, or one longer prompt: bounds its states */

/* A generation in the sweep, or one that waits in the same pass for a prompt that another reads. */
struct member {
    struct generation *g;
    struct kv *kv;
    struct token_stream stream;
    uint32_t next; /* the last token, not yet in the cache */
    size_t shown;  /* bytes of the text that on_text has got */
    bool done;
    size_t leader; /* of a follower: the member whose prompt is its own */
};

struct batch {
    struct sweep *s;
    struct member *member; /* [room] */
    struct sweep_seq *seq; /* [room] */
    float *logits;         /* (room, vocab) */
    size_t len, room, vocab;
    struct member *follower; /* [room - len]: join behind the pass, with a copy of the cache */
    size_t followers;
    struct sampler sampler;
};

const char *finish_name(enum finish f)
{
    switch (f) {
    case FINISH_LENGTH:
        return "length";
    case FINISH_EOS:
        return "eos";
    case FINISH_STOP:
        return "stop";
    case FINISH_CALLER:
        return "caller";
    case FINISH_CONTEXT:
        return "context";
    }
    return "unknown";
}

void generation_release(struct generation *g)
{
    free(g->ids);
    buf_release(&g->text);
    g->ids = NULL;
    g->ids_len = 0;
}

static void batch_release(struct batch *b)
{
    for (size_t i = 0; i < b->len; i++)
        kv_free(b->member[i].kv);
    free(b->member);
    free(b->follower);
    free(b->seq);
    free(b->logits);
    sampler_release(&b->sampler);
}

static int check_all(const struct model *m, struct generation *g, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        int rc = sampling_check(&g[i].sampling, err);

        if (rc)
            return rc;
        assert(g[i].prompt_len > 0);
        assert(m->tok || (!g[i].on_text && !g[i].stops_len));
        if (g[i].prompt_len > m->conf.positions)
            return err_set(err, ERR_LIMIT,
                           "a prompt of %zu tokens; the model has %zu positions: shorten it",
                           g[i].prompt_len, m->conf.positions);
        g[i].ids_len = 0;
        g[i].finish = FINISH_LENGTH;
        buf_clear(&g[i].text);
    }
    return 0;
}

static struct member member_of(struct generation *g)
{
    return (struct member){ .g = g, .stream = { .previous = g->prompt[g->prompt_len - 1] + 1 } };
}

static int join(struct batch *b, struct generation *g, struct err *err)
{
    const struct model_conf *c = &b->s->m->conf;
    struct member *m = &b->member[b->len];
    size_t most = MIN(g->max_new, c->positions); /* no sum overflows */
    int rc;

    *m = member_of(g);
    rc = kv_new(&m->kv, c, g->decider ? NULL : g->routing, MIN(c->positions, g->prompt_len + most),
                err);
    if (rc)
        return rc;
    b->seq[b->len++] = (struct sweep_seq){ .tokens = g->prompt,
                                           .rows = g->prompt_len,
                                           .routing = g->routing,
                                           .kv = m->kv,
                                           .logits_from = g->prompt_len - 1,
                                           .decider = g->decider,
                                           .decided = g->decided,
                                           .decide_rows = g->decider ? g->prompt_len : 0 };
    return 0;
}

/* Samples of one prompt: the same memory, so that no texts are compared. */
static bool same_prompt(const struct generation *a, const struct generation *b)
{
    return a->prompt == b->prompt && a->prompt_len == b->prompt_len && a->routing == b->routing &&
           a->max_new == b->max_new && !a->decider && !b->decider;
}

/* Those that wait, from *NEXT on, take the free places. The first of several samples of a prompt
 * reads it for all. */
static int join_waiting(struct batch *b, struct generation *g, size_t n, size_t *next,
                        struct err *err)
{
    size_t rows = 0, old = b->len;

    for (; *next < n && b->len + b->followers < b->room; ++*next) {
        struct generation *w = &g[*next];
        int rc;

        if (!w->max_new)
            continue;
        if (b->len > old && same_prompt(w, b->member[b->len - 1].g)) {
            b->follower[b->followers] = member_of(w);
            b->follower[b->followers++].leader = b->len - 1;
            continue;
        }
        if (rows && rows + w->prompt_len > JOIN_ROWS)
            break;
        rc = join(b, w, err);
        if (rc)
            return rc;
        rows += w->prompt_len;
    }
    return 0;
}

static void end(struct member *m, enum finish why)
{
    if (m->done)
        return;
    m->done = true;
    m->g->finish = why;
}

/* Text that came: look for stops behind byte OLD, show what is safe (everything at the LAST). */
static void take_text(struct member *m, size_t old, bool last)
{
    struct generation *g = m->g;
    size_t len = g->text.len, stop = stops_find(buf_str(&g->text), len, old, g->stop, g->stops_len);
    size_t safe = len;

    if (stop < len) {
        g->text.len = safe = stop;
        g->text.data[stop] = 0;
        m->done = true; /* the stop decides, also over what ended the text with this token */
        g->finish = FINISH_STOP;
    } else if (!last) {
        safe -= stops_held(g->text.data, len, g->stop, g->stops_len);
    }
    if (!g->on_text || safe <= m->shown)
        return;
    if (g->on_text(g->arg, g->text.data + m->shown, safe - m->shown))
        end(m, FINISH_CALLER);
    m->shown = safe;
}

/* Token ID comes to the text of M. */
static void take_token(struct batch *b, struct member *m, uint32_t id)
{
    const struct model *model = b->s->m;
    struct generation *g = m->g;
    size_t old = g->text.len;

    if (!(g->ids_len & (g->ids_len - 1))) /* grows at 0 and powers of two */
        g->ids = mem_realloc(g->ids, MAX(2 * g->ids_len, 32), sizeof(*g->ids));
    g->ids[g->ids_len++] = id;
    m->next = id;
    if (id == model->conf.bos || model_conf_is_eos(&model->conf, id))
        end(m, FINISH_EOS);
    else if (g->ids_len == g->max_new)
        end(m, FINISH_LENGTH);
    else if (kv_len(m->kv) == model->conf.positions)
        end(m, FINISH_CONTEXT);
    if (!model->tok)
        return;
    if (!(m->done && g->finish == FINISH_EOS))
        token_stream_push(&m->stream, model->tok, id, false, &g->text);
    if (m->done)
        token_stream_end(&m->stream, &g->text);
    take_text(m, old, m->done);
}

/* M's next token by logits that stand behind the positions of KV. */
static int draw(struct batch *b, struct member *m, const struct kv *kv, const float *logits,
                struct err *err)
{
    uint32_t id;
    int rc = sampler_draw(&b->sampler, b->s->m->kern, &m->g->sampling, logits, b->vocab, kv_len(kv),
                          &id, err);

    if (!rc)
        take_token(b, m, id);
    return rc;
}

/* Their prompt was read: they are members now. */
static int join_followers(struct batch *b, struct err *err)
{
    size_t leaders = b->len;
    int rc = 0;

    for (size_t i = 0; i < b->followers && !rc; i++) {
        struct member *m = &b->member[b->len];
        const struct member *leader = &b->member[b->follower[i].leader];

        assert(b->follower[i].leader < leaders);
        *m = b->follower[i];
        rc = kv_copy(&m->kv, leader->kv, err);
        b->len += !rc;
        rc = rc ? rc : draw(b, m, m->kv, b->logits + m->leader * b->s->m->conf.vocab, err);
    }
    b->followers = 0;
    return rc;
}

/* One pass for all members. */
static int step(struct batch *b, struct progress *progress, struct err *err)
{
    int rc;

    for (size_t i = 0; i < b->len; i++)
        b->seq[i].logits = b->logits + i * b->s->m->conf.vocab;
    rc = sweep_run(b->s, b->seq, b->len, progress, err);
    for (size_t i = 0; i < b->len && !rc; i++)
        rc = draw(b, &b->member[i], b->member[i].kv, b->logits + i * b->s->m->conf.vocab, err);
    return rc ? rc : join_followers(b, err);
}

static const uint8_t *routing_of(const struct generation *g)
{
    return g->decider ? g->decided : g->routing;
}

/* Members that ended go; the others ask for the token behind their last. */
static void leave(struct batch *b)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->len; i++) {
        if (b->member[i].done) {
            kv_free(b->member[i].kv);
            continue;
        }
        b->member[kept] = b->member[i];
        b->seq[kept] = (struct sweep_seq){ .tokens = &b->member[kept].next,
                                           .rows = 1,
                                           .routing = routing_of(b->member[kept].g),
                                           .kv = b->member[kept].kv };
        kept++;
    }
    b->len = kept;
}

int generate_run(struct sweep *s, struct generation *g, size_t n, size_t batch,
                 struct progress *progress, struct err *err)
{
    const struct model *m = s->m;
    struct batch b = { .s = s, .room = MIN(MAX(batch, 1), n), .vocab = m->conf.vocab };
    size_t next = 0;
    int rc = check_all(m, g, n, err);

    if (rc || !n)
        return rc;
    if (m->tok)
        b.vocab = MIN(b.vocab, tokenizer_vocab(m->tok));
    b.member = mem_calloc(b.room, sizeof(*b.member));
    b.follower = mem_calloc(b.room, sizeof(*b.follower));
    b.seq = mem_calloc(b.room, sizeof(*b.seq));
    b.logits = mem_try_aligned(b.room * m->conf.vocab, sizeof(float));
    if (!b.logits)
        rc =
            err_set(err, ERR_NOMEM, "%zu bytes for logits", b.room * m->conf.vocab * sizeof(float));
    while (!rc) {
        rc = join_waiting(&b, g, n, &next, err);
        if (rc || !b.len)
            break;
        rc = step(&b, progress, err);
        leave(&b);
    }
    batch_release(&b);
    return rc;
}
