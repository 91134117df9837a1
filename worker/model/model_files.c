/* SPDX-License-Identifier: Apache-2.0 */
/* model_files.c - models from and to files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/model/model_private.h"
#include "worker/tokenizer/tokenizer.h"

static int open_tokenizer(struct model *m, const char *path, const struct model_options *o,
                          struct err *err)
{
    CLEANUP(buf_release) struct buf found = { 0 };
    const char *file = o->tokenizer;
    size_t vocab;
    int rc = 0;

    if (!file && !o->no_tokenizer) {
        rc = checkpoint_tokenizer(path, &found, err);
        file = found.len ? buf_str(&found) : NULL;
    }
    if (rc || !file)
        return rc;
    rc = tokenizer_open(&m->tok, file, m->conf.vocab, o->pre, err);
    if (rc)
        return rc;
    vocab = tokenizer_vocab(m->tok);
    if (vocab <= m->conf.vocab)
        return 0; /* fewer are fine: vocabularies are padded */
    return err_set(
        err, ERR_INVALID,
        "tokenizer %s has %zu tokens, the model %s only %zu: they do not belong together", file,
        vocab, path, m->conf.vocab);
}

int model_open_with(struct model **ret, const char *path, const struct model_options *o,
                    struct err *err)
{
    struct model *m = mem_calloc(1, sizeof(*m));
    int rc = checkpoint_open(&m->files, path, err);

    if (!rc) {
        m->conf = m->files->conf;
        rc = open_tokenizer(m, path, o, err); /* before the long part */
    }
    rc = rc ? rc : model_build(m, m->files, o, err);
    if (rc) {
        model_free(m);
        return rc;
    }
    *ret = m;
    return 0;
}

int model_open(struct model **ret, const char *path, const char *tokenizer,
               const struct kernels *kern, struct err *err)
{
    struct model_options o = { .tokenizer = tokenizer, .kern = kern };

    return model_open_with(ret, path, &o, err);
}

static int put_text(const char *dir, const char *name, const struct buf *text, struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 };

    buf_printf(&path, "%s/%s", dir, name);
    return buf_write_file(buf_str(&path), text->data, text->len, err);
}

/* tokenizer.json, and what other tools want to know besides. */
static int save_tokenizer(const char *dir, const struct tokenizer *tok, struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 }, config = { 0 };
    int rc;

    buf_printf(&path, "%s/tokenizer.json", dir);
    rc = tokenizer_save(tok, buf_str(&path), err);
    if (rc)
        return rc;
    buf_adds(&config, "{\n  \"bos_token\": \"<s>\",\n  \"clean_up_tokenization_spaces\": false,\n"
                      "  \"eos_token\": \"</s>\",\n"
                      "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n");
    return put_text(dir, "tokenizer_config.json", &config, err);
}

int model_save(const char *dir, const struct model_conf *c, const struct model_weights *w,
               const struct tokenizer *tok, struct err *err)
{
    int rc = 0;

    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make folder %s", dir);
    if (tok && tokenizer_is_json(tok))
        rc = save_tokenizer(dir, tok, err);
    return rc ? rc : checkpoint_save(dir, c, w, err); /* config.json comes last */
}
