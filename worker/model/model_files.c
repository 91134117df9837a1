/* SPDX-License-Identifier: Apache-2.0 */
/* model_files.c - models from and to files: which reader, which tokenizer. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/model/formats.h"
#include "worker/model/tokenizer.h"

static bool is_there(const char *dir, const char *name, struct buf *ret_path)
{
    buf_clear(ret_path);
    buf_printf(ret_path, "%s/%s", dir, name);
    return !access(buf_str(ret_path), F_OK);
}

/* Names of llama2.c's two kinds of file: "tok*.bin" is a tokenizer, another .bin a checkpoint. */
static bool is_bin(const char *name, bool tokenizer)
{
    size_t n = strlen(name);

    return n > 4 && !strcmp(name + n - 4, ".bin") && !strncmp(name, "tok", 3) == tokenizer;
}

/* Path of the checkpoint (or tokenizer) in folder DIR, the last of several; *RET_FOUND is their
 * number. */
static int find_bin(const char *dir, bool tokenizer, struct buf *ret_path, size_t *ret_found,
                    struct err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    *ret_found = 0;
    if (!d)
        return err_errno(err, errno, "open %s", dir);
    while ((e = readdir(d))) {
        if (!is_bin(e->d_name, tokenizer))
            continue;
        ++*ret_found;
        buf_clear(ret_path);
        buf_printf(ret_path, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    return 0;
}

static int find_checkpoint(const char *dir, struct buf *ret_path, struct err *err)
{
    size_t found;
    int rc = find_bin(dir, false, ret_path, &found, err);

    if (rc || found == 1)
        return rc;
    return err_set(err, found ? ERR_INVALID : ERR_NOT_FOUND,
                   found ? "%s: no config.json, and more than one .bin: name the checkpoint"
                         : "%s: neither a config.json nor a llama2.c checkpoint (.bin) in it",
                   dir);
}

/* Folder part of PATH into OUT. */
static void folder_of(const char *path, struct buf *out)
{
    const char *slash = strrchr(path, '/');

    if (slash)
        buf_add(out, path, (size_t)(slash - path) + (slash == path));
    else
        buf_adds(out, ".");
}

static int load_files(struct model *m, const char *path, const char *tokenizer, struct err *err)
{
    CLEANUP(buf_release) struct buf config = { 0 }, bin = { 0 }, own = { 0 }, folder = { 0 };
    struct stat st;
    size_t found = 0;
    int rc;

    if (stat(path, &st) < 0)
        return err_errno(err, errno, "open model %s", path);
    if (S_ISDIR(st.st_mode) && is_there(path, "config.json", &config)) {
        rc = hf_load(path, &m->conf, &m->w, err);
        if (!tokenizer && is_there(path, "tokenizer.json", &own))
            tokenizer = buf_str(&own);
    } else {
        rc = S_ISDIR(st.st_mode) ? find_checkpoint(path, &bin, err) : 0;
        if (!rc)
            rc = llama2c_load(bin.len ? buf_str(&bin) : path, &m->conf, &m->w, err);
        folder_of(bin.len ? buf_str(&bin) : path, &folder);
        if (!rc && !tokenizer)
            rc = find_bin(buf_str(&folder), true, &own, &found, err);
        if (found == 1)
            tokenizer = buf_str(&own);
    }
    if (rc || !tokenizer)
        return rc;
    return tokenizer_open(&m->tok, tokenizer, m->conf.vocab, err);
}

int model_open(struct model **ret, const char *path, const char *tokenizer,
               const struct kernels *kern, struct err *err)
{
    struct model *m = mem_calloc(1, sizeof(*m));
    int rc = load_files(m, path, tokenizer, err);

    if (!rc)
        rc = model_complete(m, kern, err);
    if (rc) {
        model_free(m);
        return rc;
    }
    *ret = m;
    return 0;
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
    CLEANUP(buf_release) struct buf config = { 0 };
    int rc;

    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make folder %s", dir);
    rc = hf_save_weights(dir, c, w, err);
    if (!rc && tok && tokenizer_is_json(tok))
        rc = save_tokenizer(dir, tok, err);
    if (rc)
        return rc;
    hf_config_print(c, &config);
    return put_text(dir, "config.json", &config, err);
}
