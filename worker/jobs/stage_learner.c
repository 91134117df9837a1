/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_learner.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/jobs/implement.h"
#include "worker/tokenizer/tokenizer.h"

/* A tokenizer's files are small; the largest known (Gemma's) has 34 MB. */
enum { TOKENIZER_BYTES_MAX = 256 << 20 };

struct stage_learner {
    struct job *job;
    struct train_conf conf;
    double temperature;
    char path[PATH_MAX]; /* of the model that the stage begins with */
    struct buf tok_path; /* of its tokenizer */
    struct tokenizer *tok;
    struct trainer *trainer, *reference;
    struct sweep *sweep;
    /* Weights to return to: the last that were good, and the last of which all was measured; with
     * SEVERAL false the latter alone, which are both then. */
    float *good[2];
    bool kept[2], several;
    uint64_t start; /* trainer's steps at the stage's start */
};

static struct train_conf train_conf_of(const struct stage_conf *c)
{
    struct train_conf t = train_conf_default();

    /* The stage gives each step its rate; the trainer's own schedule is not used. */
    t.learning_rate = c->policy.rate;
    t.warmup = 0;
    t.steps = 1;
    t.weight_decay = c->weight_decay;
    t.beta2 = c->beta2;
    t.clip = c->clip;
    t.micro_batches = c->micro_batches;
    t.gemm = c->gemm;
    return t;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);

    return n >= k && strcmp(s + n - k, end) == 0;
}

static int open_tokenizer(struct stage_learner *l, struct err *err)
{
    const char *name = job_input_name(l->job, "model");
    size_t vocab = trainer_conf(l->trainer)->model.vocab;
    int rc = checkpoint_tokenizer(l->path, &l->tok_path, err);

    if (rc)
        return rc;
    if (l->tok_path.len == 0)
        return err_set(err, ERR_INVALID,
                       "%s has no tokenizer; put its tokenizer.json, tokenizer.model or "
                       "tokenizer.bin beside the weights",
                       name);
    if (ends_with(buf_str(&l->tok_path), ".gguf"))
        return err_set(err, ERR_INVALID,
                       "%s is a GGUF file; a stage's model is a Hugging Face folder, into which "
                       "its tokenizer cannot be written: begin from the folder that it was made "
                       "of",
                       name);
    rc = tokenizer_open(&l->tok, buf_str(&l->tok_path), vocab, NULL, err);
    if (rc)
        return rc;
    if (tokenizer_vocab(l->tok) > vocab)
        return err_set(err, ERR_INVALID,
                       "%s: the tokenizer has %zu tokens, the model only %zu: they do not belong "
                       "together",
                       name, tokenizer_vocab(l->tok), vocab);
    trainer_set_tokenizer(l->trainer, l->tok);
    return 0;
}

int stage_learner_open(struct stage_learner **ret, const struct stage_conf *c, struct job *j,
                       struct err *err)
{
    struct stage_learner *l = mem_calloc(1, sizeof(*l));
    int rc = j->services->input(j->services->arg, "model", l->path, sizeof(l->path), err);

    l->job = j;
    l->conf = train_conf_of(c);
    l->temperature = c->policy.temperature;
    l->several = c->kl_max > 0 && !(c->policy.kl > 0);
    rc = rc ? rc : trainer_open(&l->trainer, &l->conf, l->path, j->pool, NULL, err);
    rc = rc ? rc : open_tokenizer(l, err);
    if (rc) {
        stage_learner_close(l);
        return rc;
    }
    trainer_set_progress(l->trainer, j->progress);
    l->sweep = sweep_new(trainer_model(l->trainer), j->pool);
    *ret = l;
    return 0;
}

void stage_learner_close(struct stage_learner *l)
{
    if (!l)
        return;
    sweep_free(l->sweep);
    trainer_free(l->reference);
    trainer_free(l->trainer);
    tokenizer_free(l->tok);
    buf_release(&l->tok_path);
    free(l->good[0]);
    free(l->good[1]);
    free(l);
}

const struct model *stage_learner_model(const struct stage_learner *l)
{
    return trainer_model(l->trainer);
}

struct sweep *stage_learner_sweep(struct stage_learner *l)
{
    return l->sweep;
}

struct trainer *stage_learner_trainer(struct stage_learner *l)
{
    return l->trainer;
}

int stage_learner_reference(struct stage_learner *l, const struct train_batch *b, double *logprob,
                            struct err *err)
{
    struct train_conf frozen = l->conf;
    int rc = 0;

    frozen.frozen = true;
    if (!l->reference) {
        rc = trainer_open(&l->reference, &frozen, l->path, l->job->pool, NULL, err);
        if (rc)
            return rc;
        trainer_set_progress(l->reference, l->job->progress);
    }
    return trainer_logprobs(l->reference, b, l->temperature, logprob, NULL, err);
}

static int keep_copy(struct stage_learner *l, bool whole, struct err *err)
{
    const struct model_weights *w = trainer_weights(l->trainer);

    if (!l->good[whole])
        l->good[whole] = mem_try_aligned(w->floats_len, sizeof(float));
    if (!l->good[whole])
        return err_set(err, ERR_NOMEM, "%zu bytes for a copy of the weights",
                       w->floats_len * sizeof(float));
    memcpy(l->good[whole], w->all, w->floats_len * sizeof(float));
    l->kept[whole] = true;
    return 0;
}

int stage_learner_keep(struct stage_learner *l, bool whole, struct err *err)
{
    int rc = l->several ? keep_copy(l, false, err) : 0;

    return rc == 0 && (whole || !l->several) ? keep_copy(l, true, err) : rc;
}

bool stage_learner_return(struct stage_learner *l, bool whole)
{
    whole = whole || !l->several;
    if (!l->kept[whole])
        return false;
    trainer_set_weights(l->trainer, l->good[whole]);
    return true;
}

void stage_learner_begin(struct stage_learner *l)
{
    l->start = trainer_steps(l->trainer);
}

bool stage_learner_is_at_start(const struct stage_learner *l)
{
    return trainer_steps(l->trainer) == l->start;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int copy_file(const char *from, const char *dir, const char *name, struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 }, to CLEANUP(buf_release) = { 0 };
    int rc = buf_read_file(&bytes, from, TOKENIZER_BYTES_MAX, err);

    buf_printf(&to, "%s/%s", dir, name);
    return rc ? rc : buf_write_file(buf_str(&to), bytes.data ? bytes.data : "", bytes.len, err);
}

/* What belongs to tokenizers in the model's folder, as it is. */
static int copy_tokenizer(const struct stage_learner *l, const char *dir, struct err *err)
{
    static const char *const beside[] = { "tokenizer.json",
                                          "tokenizer_config.json",
                                          "tokenizer.model",
                                          "special_tokens_map.json",
                                          "added_tokens.json",
                                          "vocab.json",
                                          "merges.txt",
                                          "chat_template.jinja",
                                          "encoder.json",
                                          "vocab.bpe",
                                          "generation_config.json" };
    const char *path = buf_str(&l->tok_path), *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int folder = slash ? (int)(slash - path) : 1;
    bool done = false;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(beside); i++) {
        struct buf from CLEANUP(buf_release) = { 0 };

        buf_printf(&from, "%.*s/%s", folder, slash ? path : ".", beside[i]);
        if (access(buf_str(&from), R_OK) != 0)
            continue;
        done = done || strcmp(beside[i], name) == 0;
        rc = copy_file(buf_str(&from), dir, beside[i], err);
    }
    if (rc == 0 && !done) /* llama2.c's tok*.bin */
        rc = copy_file(path, dir, ends_with(name, ".bin") ? "tokenizer.bin" : name, err);
    return rc;
}

int stage_learner_save(const struct stage_learner *l, const char *dir, struct err *err)
{
    int rc =
        model_save(dir, &trainer_conf(l->trainer)->model, trainer_weights(l->trainer), NULL, err);

    progress_tick(l->job->progress);
    return rc ? rc : copy_tokenizer(l, dir, err);
}
