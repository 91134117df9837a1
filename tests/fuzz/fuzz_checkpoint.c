/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes offered as a model crash, hang or take memory that the file's size does not
 * justify, and no view leaves the file. Method: the first byte chooses the reader, the rest is the
 * file (in memory, by way of memfd; a folder of two for the readers of folders). */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/checkpoint/safetensors.h"
#include "worker/checkpoint/views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum; /* so that every byte is looked at */

static int read_view(const struct model_tensor *t, const struct tensor_view *v, void *arg)
{
    size_t bytes = v->rows * v->cols * weight_type_bytes(v->type);

    (void)arg;
    assert(v->data && v->rows == t->rows && v->cols == t->cols);
    for (size_t i = 0; i < bytes; i++)
        sum += ((const unsigned char *)v->data)[i];
    return 0;
}

static void model(const char *path)
{
    struct checkpoint *c;

    if (checkpoint_open(&c, path, NULL))
        return;
    (void)checkpoint_each(c, read_view, NULL);
    checkpoint_close(c);
}

/* Open, then view every tensor that has a type and shape that a model could ask for. */
static void safetensors(const char *path)
{
    struct safetensors s;

    if (safetensors_open(&s, path, NULL))
        return;
    for (size_t i = 0; i < s.len; i++) {
        const struct safetensor *t = &s.tensor[i];
        size_t rows = t->dims == 2 ? t->shape[0] : 1, cols = t->dims ? t->shape[t->dims - 1] : 1;
        struct tensor_view v;

        assert(safetensors_find(&s, t->name));
        if (safetensors_view(&s, t, rows, cols, t->dims == 1, &v, NULL))
            continue;
        for (uint64_t j = 0; j < t->end - t->begin; j++)
            sum += ((const unsigned char *)v.data)[j];
    }
    safetensors_close(&s);
}

/* What was read prints as a file that reads the same. */
static void config(const char *path)
{
    struct model_conf c, again;
    struct buf out = { 0 };
    char copy[64];
    int fd;

    if (hf_config_read(path, &c, NULL))
        return;
    hf_config_print(&c, &out);
    fd = memfd_create("again", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, out.data, out.len) == (ssize_t)out.len);
    snprintf(copy, sizeof(copy), "/proc/self/fd/%d", fd);
    assert(!hf_config_read(copy, &again, NULL));
    assert(again.layers == c.layers && again.eos_len == c.eos_len && again.qkv_bias == c.qkv_bias);
    assert(!memcmp(&again.rope_scaling, &c.rope_scaling, sizeof(c.rope_scaling)));
    (void)close(fd);
    buf_release(&out);
}

/* config.json, a NUL, model.safetensors. */
static void folder(const char *data, size_t size)
{
    static char dir[] = "/dev/shm/drover-fuzz-XXXXXX", path[64];
    const char *nul = memchr(data, 0, size);
    size_t first = nul ? (size_t)(nul - data) : size, rest = nul ? size - first - 1 : 0;

    if (strchr(dir, 'X') && strstr(dir, "XXXXXX"))
        assert(mkdtemp(dir));
    for (int i = 0; i < 2; i++) {
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", dir, i ? "model.safetensors" : "config.json");
        f = fopen(path, "wb");
        assert(f);
        (void)!fwrite(i ? data + size - rest : data, 1, i ? rest : first, f);
        assert(!fclose(f));
    }
    model(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd;

    if (size < 2)
        return 0;
    if (data[0] % 4 == 3) {
        folder((const char *)data + 1, size - 1);
        return 0;
    }
    fd = memfd_create("checkpoint", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (data[0] % 4 == 0)
        model(path); /* llama2.c, or GGUF */
    else if (data[0] % 4 == 1)
        safetensors(path);
    else
        config(path);
    (void)close(fd);
    return 0;
}
