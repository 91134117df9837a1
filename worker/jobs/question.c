/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/question.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/tasks/think.h"
#include "worker/tokenizer/chat.h"
#include "worker/tokenizer/tokenizer.h"

struct maker {
    struct question *q;
    const struct model *m;
    const char *model_name;
    struct buf context; /* as the model reads it */
    unsigned flags;     /* for tokenizer_encode */
    uint32_t *head;     /* choices: tokens of the context without blanks at its end, */
    size_t head_len;    /* at least one */
    bool head_made;     /* it is the token that stands for an empty context */
};

void question_release(struct question *q)
{
    for (size_t i = 0; i < q->parts; i++)
        free(q->part[i].tokens);
    for (size_t i = 0; i < q->targets; i++)
        free(q->target[i].ids);
    free(q->prompt);
    *q = (struct question){ 0 };
}

/* The conversation up to where the model is to go on. */
static int chat_context(struct maker *k, struct err *err)
{
    const struct example *e = k->q->example;
    enum chat_family family = chat_family_of(k->m->tok);
    struct chat_message message[2];
    size_t len = 0;
    int rc;

    if (family == CHAT_NONE)
        return err_set(err, ERR_INVALID,
                       "%s has no chat template that is known (Llama 3.x, Qwen2.5, told by their "
                       "special tokens); a base model takes the prompts harness or dr_llm",
                       k->model_name);
    if (e->system)
        message[len++] = (struct chat_message){ "system", e->system };
    message[len++] = (struct chat_message){ "user", e->prompt };
    rc = chat_render(family, message, len, NULL, &k->context, err);
    if (rc == 0 && e->begin)
        buf_adds(&k->context, e->begin);
    k->flags = TOKENIZER_SPECIAL;
    return rc;
}

static int encode(const struct maker *k, const char *text, size_t len, unsigned flags,
                  uint32_t **ret, size_t *ret_len, struct err *err)
{
    *ret = NULL;
    *ret_len = 0;
    return tokenizer_encode(k->m->tok, text, len, flags, ret, ret_len, err);
}

/* What stands for an empty context. */
static int first_token(const struct maker *k, uint32_t *ret, struct err *err)
{
    uint32_t bos = tokenizer_bos(k->m->tok), eos = tokenizer_eos(k->m->tok);

    *ret = bos != UINT32_MAX ? bos : eos;
    if (*ret == UINT32_MAX)
        return err_set(err, ERR_INVALID,
                       "an empty prompt, and the tokenizer of %s has no token that begins or ends "
                       "a text",
                       k->model_name);
    return 0;
}

/* Python's str.isspace() of the character C (its UTF-8 bytes, N of them). */
static bool is_blank(const unsigned char *c, size_t n)
{
    if (n == 1)
        return (c[0] >= 9 && c[0] <= 13) || (c[0] >= 28 && c[0] <= 32);
    if (n == 2)
        return c[0] == 0xC2 && (c[1] == 0x85 || c[1] == 0xA0);
    if (n != 3)
        return false;
    unsigned u = (c[0] & 15u) << 12 | (c[1] & 63u) << 6 | (c[2] & 63u);
    return u == 0x1680 || (u >= 0x2000 && u <= 0x200A) || u == 0x2028 || u == 0x2029 ||
           u == 0x202F || u == 0x205F || u == 0x3000;
}

/* Bytes of TEXT without the blanks at its end. */
static size_t stripped_len(const char *text, size_t len)
{
    while (len > 0) {
        size_t n = 1;

        while (n < 3 && n < len && ((unsigned char)text[len - n] & 0xC0) == 0x80)
            n++;
        if (!is_blank((const unsigned char *)text + len - n, n))
            break;
        len -= n;
    }
    return len;
}

/* The context's tokens, the same for all choices. */
static int encode_head(struct maker *k, struct err *err)
{
    size_t len = stripped_len(buf_str(&k->context), k->context.len);
    int rc = k->context.len > 0
                 ? encode(k, buf_str(&k->context), len, k->flags, &k->head, &k->head_len, err)
                 : 0;

    if (rc < 0 || k->head_len > 0)
        return rc;
    free(k->head);
    k->head = mem_calloc(1, sizeof(*k->head));
    k->head_len = 1;
    k->head_made = true;
    return first_token(k, k->head, err);
}

/* Tokens of context and CHOICE, and how many of them are the continuation's. */
static int encode_pair(const struct maker *k, const char *choice, uint32_t **ret, size_t *ret_len,
                       size_t *ret_continuation, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    unsigned flags = k->context.len > 0 ? k->flags : 0;
    uint32_t *whole CLEANUP(mem_cleanup) = NULL;
    size_t len = 0, made = k->head_made;
    int rc;

    buf_add(&text, buf_str(&k->context), k->context.len);
    buf_adds(&text, choice);
    rc = encode(k, buf_str(&text), text.len, flags, &whole, &len, err);
    if (rc < 0)
        return rc;
    if (len + made <= k->head_len)
        return err_set(err, ERR_INVALID, "choice \"%.40s\" has no tokens of its own", choice);
    *ret = mem_calloc(len + made, sizeof(**ret));
    if (made)
        (*ret)[0] = k->head[0];
    memcpy(*ret + made, whole, len * sizeof(**ret));
    *ret_len = len + made;
    *ret_continuation = *ret_len - k->head_len;
    return 0;
}

static size_t add_part(struct question *q, uint32_t *tokens, size_t rows, size_t logit_rows)
{
    q->part[q->parts] = (struct part){
        .tokens = tokens, .rows = rows, .logits_from = rows - logit_rows, .before = q->rows
    };
    q->rows += rows;
    return q->parts++;
}

/* The part that reads TOKENS already and whose choice has one token, as the new one has; parts when
 * there is none. */
static size_t equal_part(const struct question *q, const uint32_t *tokens, size_t rows)
{
    size_t i = 0;

    while (i < q->parts && !(q->part[i].rows == rows && q->part[i].logits_from == rows - 1 &&
                             memcmp(q->part[i].tokens, tokens, rows * sizeof(*tokens)) == 0))
        i++;
    return i;
}

static int add_choice(struct maker *k, size_t i, struct err *err)
{
    struct question *q = k->q;
    size_t longest = k->m->conf.positions, len = 0, continuation = 0, cut, rows, part;
    uint32_t *tokens = NULL, *ids;
    int rc = encode_pair(k, q->example->choice[i], &tokens, &len, &continuation, err);

    if (rc < 0)
        return rc;
    continuation = MIN(continuation, longest); /* of a longer one its end is scored */
    cut = len > longest + 1 ? len - longest - 1 : 0;
    rows = len - cut - 1;
    q->truncated = MAX(q->truncated, (uint64_t)cut);
    ids = mem_calloc(continuation, sizeof(*ids));
    memcpy(ids, tokens + len - continuation, continuation * sizeof(*ids));
    memmove(tokens, tokens + cut, rows * sizeof(*tokens));
    part = continuation == 1 ? equal_part(q, tokens, rows) : q->parts;
    if (part < q->parts)
        free(tokens);
    else
        part = add_part(q, tokens, rows, continuation);
    q->target[q->targets++] = (struct target){ .part = part, .len = continuation, .ids = ids };
    return 0;
}

/* The prompt's tokens, the last MOST of them; *RET_LEN >= 1. */
static int encode_prompt(struct maker *k, size_t most, uint32_t **ret, size_t *ret_len,
                         struct err *err)
{
    size_t len = 0, cut;
    int rc = encode(k, buf_str(&k->context), k->context.len, k->flags, ret, &len, err);

    if (rc == 0 && len == 0) {
        free(*ret);
        *ret = mem_calloc(1, sizeof(**ret));
        len = 1;
        rc = first_token(k, *ret, err);
    }
    if (rc < 0) {
        free(*ret);
        *ret = NULL;
        return rc;
    }
    cut = len > most ? len - most : 0;
    k->q->truncated = MAX(k->q->truncated, (uint64_t)cut);
    memmove(*ret, *ret + cut, (len - cut) * sizeof(**ret));
    *ret_len = len - cut;
    return 0;
}

static int make_token(struct maker *k, struct err *err)
{
    uint32_t *tokens = NULL;
    size_t rows = 0;
    int rc = encode_prompt(k, k->m->conf.positions, &tokens, &rows, err);

    if (rc == 0)
        (void)add_part(k->q, tokens, rows, 1);
    return rc;
}

/* A prompt that states a problem to think about is never cut: one that takes more than half of the
 * positions, and more than the answer leaves, is refused. */
static int check_room(const struct maker *k, size_t room, struct err *err)
{
    const struct question *q = k->q;

    if (q->truncated == 0)
        return 0;
    return err_set(err, ERR_LIMIT,
                   "the prompt has %zu tokens; %s takes %zu positions, of which %zu are left for a "
                   "prompt to be thought about; leave out such problems or take a model with a "
                   "longer context",
                   q->prompt_len + (size_t)q->truncated, k->model_name, k->m->conf.positions, room);
}

static int make_text(struct maker *k, size_t max_new, struct err *err)
{
    struct question *q = k->q;
    bool thinks = think_prompts(q->example->prompts);
    size_t positions = k->m->conf.positions, half = MAX(positions / 2, (size_t)1);
    size_t room = max_new < positions ? positions - max_new : half;
    int rc;

    room = thinks ? MAX(room, half) : room;
    rc = encode_prompt(k, room, &q->prompt, &q->prompt_len, err);
    if (rc == 0 && thinks && (rc = check_room(k, room, err)) < 0) {
        free(q->prompt);
        q->prompt = NULL;
    }
    if (rc == 0)
        q->max_new = MIN(max_new, MAX(positions - q->prompt_len, (size_t)1));
    return rc;
}

int question_make(struct question *ret, const struct model *m, const char *model_name,
                  const struct example *e, size_t max_new, bool greedy, struct err *err)
{
    struct maker k = { .q = ret,
                       .m = m,
                       .model_name = model_name ? model_name : "the model",
                       .flags = TOKENIZER_BOS };
    bool token;
    int rc = 0;

    *ret = (struct question){ .example = e };
    max_new = max_new ? max_new : MAX(e->answer_tokens_max, (size_t)1);
    token = greedy && max_new == 1 && e->stops_len == 0 && e->choices_len == 0 &&
            !think_prompts(e->prompts);
    ret->form = e->form == TASK_CHOICE ? QUESTION_CHOICES : token ? QUESTION_TOKEN : QUESTION_TEXT;
    if (e->chat)
        rc = chat_context(&k, err);
    else
        buf_adds(&k.context, e->prompt);
    if (rc == 0 && ret->form == QUESTION_TOKEN)
        rc = make_token(&k, err);
    if (rc == 0 && ret->form == QUESTION_TEXT)
        rc = make_text(&k, max_new, err);
    if (rc == 0 && e->choices_len > 0)
        rc = encode_head(&k, err);
    for (size_t i = 0; rc == 0 && i < e->choices_len; i++)
        rc = add_choice(&k, i, err);
    if (rc == 0 && ret->form == QUESTION_CHOICES && ret->targets == 0)
        rc = err_set(err, ERR_INVALID, "it has no choices");
    buf_release(&k.context);
    free(k.head);
    if (rc < 0) {
        question_release(ret);
        return err_wrap(err, rc, "example %s", e->source_id);
    }
    return 0;
}
