/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes offered as a model or tokenizer crash, hang or take memory that the file's size
 * does not justify. Method: the first byte chooses the reader, the rest is the file (in memory, by
 * way of memfd). */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/model/formats.h"
#include "worker/model/safetensors.h"
#include "worker/model/tokenizer_forms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void llama2c(const char *path)
{
    struct model_conf c;
    struct model_weights w;

    if (!llama2c_load(path, &c, &w, NULL))
        model_weights_release(&w);
}

/* Open, then read every tensor that has a type and shape that a model could ask for. */
static void safetensors(const char *path)
{
    struct safetensors *s;

    if (safetensors_open(&s, path, NULL))
        return;
    for (size_t i = 0; i < safetensors_len(s); i++) {
        const struct safetensor *t = safetensors_at(s, i);
        size_t rows = t->dims == 2 ? t->shape[0] : 1, cols = t->dims ? t->shape[t->dims - 1] : 1;
        float *out;

        assert(safetensors_find(s, t->name));
        if (safetensors_check(s, t, rows, cols, t->dims == 1, NULL))
            continue;
        out = malloc((size_t)(t->end - t->begin) * 2 + 4); /* the widest: 16 bits to 32 */
        (void)!safetensors_read(s, t, out, NULL);
        free(out);
    }
    safetensors_close(s);
}

static void config(const char *path)
{
    struct model_conf c;
    struct buf out = { 0 };

    if (hf_config_read(path, &c, NULL))
        return;
    hf_config_print(&c, &out);
    buf_release(&out);
}

/* Encode and decode TEXT with a tokenizer that could be read. */
static void use_tokenizer(struct tokenizer *t, const char *text)
{
    struct buf out = { 0 };
    uint32_t *ids;
    size_t len;

    if (!tokenizer_encode(t, text, true, &ids, &len, NULL)) {
        for (size_t i = 0; i < len; i++)
            tokenizer_decode(t, i ? ids[i - 1] : UINT32_MAX, ids[i], &out);
        free(ids);
    }
    buf_release(&out);
    tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokenizer *t;
    char path[64];
    int fd;

    if (size < 2)
        return 0;
    fd = memfd_create("checkpoint", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    switch (data[0] % 5) {
    case 0:
        llama2c(path);
        break;
    case 1:
        safetensors(path);
        break;
    case 2:
        config(path);
        break;
    case 3:
        if (!tokenizer_json_open(&t, path, 0, NULL))
            use_tokenizer(t, "3+5=8 <s> \x80");
        break;
    case 4:
        if (!tokenizer_bin_open(&t, path, data[1], NULL))
            use_tokenizer(t, "Once upon \xc3\xa4 <0x41> \x80");
        break;
    }
    close(fd);
    return 0;
}
