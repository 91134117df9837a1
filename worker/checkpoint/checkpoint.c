/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkpoint/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/checkpoint/gguf.h"
#include "worker/checkpoint/views.h"

bool text_ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

/* What a file's name says: "tok*.bin" is llama2.c's tokenizer, another .bin or a .gguf a model. */
static bool is_tokenizer_bin(const char *name)
{
    return text_ends_with(name, ".bin") && !strncmp(name, "tok", 3);
}

static bool is_model_file(const char *name)
{
    return (text_ends_with(name, ".bin") && !is_tokenizer_bin(name)) ||
           text_ends_with(name, ".gguf");
}

/* Path of the only file of folder DIR for which IS is true, or of one of several; *RET_FOUND is
 * their number. */
static int find_file(const char *dir, bool (*is)(const char *name), struct buf *ret_path,
                     size_t *ret_found, struct err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    *ret_found = 0;
    if (!d)
        return err_errno(err, errno, "open %s", dir);
    while ((e = readdir(d))) {
        if (!is(e->d_name))
            continue;
        ++*ret_found;
        buf_clear(ret_path);
        buf_printf(ret_path, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    return 0;
}

static bool is_there(const char *dir, const char *name)
{
    CLEANUP(buf_release) struct buf path = { 0 };

    buf_printf(&path, "%s/%s", dir, name);
    return !access(buf_str(&path), F_OK);
}

/* The file or Hugging Face folder that PATH means. */
static int locate(const char *path, struct buf *ret_file, bool *ret_hf, struct err *err)
{
    struct stat st;
    size_t found = 0;
    int rc;

    *ret_hf = false;
    if (stat(path, &st) < 0)
        return err_errno(err, errno, "open model %s", path);
    if (!S_ISDIR(st.st_mode) || is_there(path, "config.json")) {
        *ret_hf = S_ISDIR(st.st_mode);
        buf_adds(ret_file, path);
        return 0;
    }
    rc = find_file(path, is_model_file, ret_file, &found, err);
    if (rc || found == 1)
        return rc;
    return err_set(err, found ? ERR_INVALID : ERR_NOT_FOUND,
                   found ? "%s: no config.json, and more than one .bin or .gguf: name the file"
                         : "%s: neither a config.json nor a llama2.c checkpoint (.bin) nor a GGUF "
                           "file (.gguf) in it",
                   path);
}

static int open_file(struct checkpoint *c, const char *file, struct err *err)
{
    if (gguf_probe(file))
        return gguf_open_model(c, file, err);
    if (text_ends_with(file, ".gguf"))
        return err_set(err, ERR_CORRUPT, "%s: no GGUF file: it does not begin with \"GGUF\"", file);
    if (text_ends_with(file, ".safetensors") || text_ends_with(file, ".json"))
        return err_set(err, ERR_INVALID,
                       "%s: name the folder that holds config.json and the .safetensors", file);
    return llama2c_open(c, file, err);
}

static int count(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    struct checkpoint *c = arg;
    uint64_t elements = (uint64_t)t->rows * t->cols;

    c->tensors++;
    c->parameters += elements;
    c->tensor_bytes += elements * weight_type_bytes(checkpoint_view(c, kind, layer)->type);
    return 0;
}

int checkpoint_open(struct checkpoint **ret, const char *path, struct err *err)
{
    CLEANUP(buf_release) struct buf file = { 0 };
    struct checkpoint *c = mem_calloc(1, sizeof(*c));
    bool hf = false;
    int rc = locate(path, &file, &hf, err);

    if (!rc)
        rc = hf ? hf_open(c, buf_str(&file), err) : open_file(c, buf_str(&file), err);
    if (rc) {
        checkpoint_close(c);
        return rc;
    }
    (void)model_walk(&c->conf, false, count, c);
    if (c->conf.tied)
        c->head[0] = c->embed[0];
    *ret = c;
    return 0;
}

void checkpoint_close(struct checkpoint *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->mappings_len; i++)
        mapping_close(&c->mapping[i]);
    free(c->mapping);
    free(c->embed); /* the block of views */
    free(c);
}

void checkpoint_keep(struct checkpoint *c, struct mapping *m)
{
    c->mapping = mem_realloc(c->mapping, c->mappings_len + 1, sizeof(*c->mapping));
    c->mapping[c->mappings_len++] = *m;
    *m = (struct mapping){ 0 };
}

void checkpoint_drop(const struct checkpoint *c, const struct tensor_view *v)
{
    (void)c;
    if (v->data)
        mapping_drop(v->data, v->rows * v->cols * weight_type_bytes(v->type));
}

struct each {
    const struct checkpoint *c;
    checkpoint_tensor_fn fn;
    void *arg;
};

static int each_tensor(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    const struct each *e = arg;

    return e->fn(t, checkpoint_view(e->c, kind, layer), e->arg);
}

int checkpoint_each(const struct checkpoint *c, checkpoint_tensor_fn fn, void *arg)
{
    return model_walk(&c->conf, !strcmp(c->format, "gguf"), each_tensor,
                      &(struct each){ c, fn, arg });
}

static int widen_tensor(const struct model_tensor *t, const struct tensor_view *v, void *arg)
{
    struct model_weights *w = arg;

    weight_widen(w->all + t->offset, v->data, v->type, v->rows * v->cols);
    return 0;
}

int checkpoint_widen(const struct checkpoint *c, struct model_weights *ret, struct err *err)
{
    int rc = model_weights_alloc(ret, &c->conf, err);

    return rc ? rc : checkpoint_each(c, widen_tensor, ret);
}

/* The tokenizer of file PATH, which is no Hugging Face folder. */
static int beside_file(const char *path, struct buf *out, struct err *err)
{
    CLEANUP(buf_release) struct buf own = { 0 }, folder = { 0 };
    const char *slash = strrchr(path, '/');
    struct gguf *g = NULL;
    size_t found = 0;
    int rc;

    if (gguf_probe(path)) {
        rc = gguf_open(&g, path, err);
        if (!rc && gguf_has(g, "tokenizer.ggml.tokens"))
            buf_adds(out, path);
        gguf_close(g);
        return rc;
    }
    buf_add(&folder, slash ? path : ".", slash ? (size_t)(slash - path) + (slash == path) : 1);
    rc = find_file(buf_str(&folder), is_tokenizer_bin, &own, &found, err);
    if (!rc && found > 1)
        rc = err_set(err, ERR_INVALID, "%s: more than one tok*.bin beside the model: name one",
                     buf_str(&folder));
    if (!rc && found == 1)
        buf_adds(out, buf_str(&own));
    return rc;
}

/* What a folder calls its tokenizer, appended to OUT. */
static void in_folder(const char *folder, struct buf *out)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model", "vocab.json",
                                         "tokenizer.bin" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!is_there(folder, names[i]) || (i == 2 && !is_there(folder, "merges.txt")))
            continue;
        buf_printf(out, "%s/%s", folder, names[i]);
        return;
    }
}

int checkpoint_tokenizer(const char *path, struct buf *out, struct err *err)
{
    CLEANUP(buf_release) struct buf file = { 0 };
    bool hf = false;
    size_t before = out->len;
    int rc = locate(path, &file, &hf, err);

    /* A tokenizer that somebody put into a folder with a GGUF file is meant. */
    if (!rc && !hf && strcmp(buf_str(&file), path) != 0 && gguf_probe(buf_str(&file)))
        in_folder(path, out);
    if (!rc && !hf && out->len == before)
        rc = beside_file(buf_str(&file), out, err);
    if (rc || out->len > before)
        return rc;
    if (hf) {
        in_folder(path, out);
        return 0;
    }
    const char *slash = strrchr(buf_str(&file), '/');
    CLEANUP(buf_release) struct buf folder = { 0 };
    if (slash)
        buf_add(&folder, file.data, MAX((size_t)(slash - file.data), (size_t)1));
    else
        buf_addc(&folder, '.');
    in_folder(buf_str(&folder), out);
    return 0;
}
