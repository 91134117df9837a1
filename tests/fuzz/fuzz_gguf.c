/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes offered as a GGUF file crash, hang or take memory that the file's size does not
 * justify, and no view leaves the file. Method: the bytes are the file (in memory, by way of
 * memfd); every key, list and tensor is read, then it is opened as a model. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum; /* so that every byte is looked at */

static void read_list(const struct gguf *g, const char *key)
{
    struct gguf_list l;
    struct gguf_text t;

    if (!gguf_get_list(g, key, GGUF_TEXT, &l, NULL))
        while (gguf_next_text(&l, &t))
            for (size_t i = 0; i < t.len; i++)
                sum += (unsigned char)t.text[i];
    if (!gguf_get_list(g, key, GGUF_F32, &l, NULL))
        for (size_t i = 0; i < l.len; i++)
            sum += gguf_list_f32(&l, i) > 0.0f;
    if (!gguf_get_list(g, key, GGUF_I32, &l, NULL))
        for (size_t i = 0; i < l.len; i++)
            sum += (unsigned)gguf_list_i32(&l, i);
}

static void read_header(const char *path)
{
    struct gguf *g;

    if (gguf_open(&g, path, NULL))
        return;
    read_list(g, "tokenizer.ggml.tokens");
    read_list(g, "tokenizer.ggml.scores");
    read_list(g, "tokenizer.ggml.token_type");
    for (size_t i = 0; i < gguf_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        char name[24];

        for (size_t j = 0; j < t->name.len; j++)
            sum += (unsigned char)t->name.text[j];
        (void)gguf_type_name(t->type, name);
    }
    gguf_close(g);
}

static int read_view(const struct model_tensor *t, const struct tensor_view *v, void *arg)
{
    size_t bytes = v->rows * v->cols * weight_type_bytes(v->type);

    (void)arg;
    assert(v->data && v->rows == t->rows && v->cols == t->cols);
    for (size_t i = 0; i < bytes; i++)
        sum += ((const unsigned char *)v->data)[i];
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checkpoint *c;
    char path[64];
    int fd = memfd_create("gguf", MFD_CLOEXEC);

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    read_header(path);
    if (gguf_probe(path) && !checkpoint_open(&c, path, NULL)) {
        (void)checkpoint_each(c, read_view, NULL);
        checkpoint_close(c);
    }
    (void)close(fd);
    return 0;
}
