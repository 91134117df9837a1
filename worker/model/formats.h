/* SPDX-License-Identifier: Apache-2.0 */
/* formats.h - readers and writers of model files, behind model_open and model_save. Private to this
 * folder.
 *
 * Loaders fill *C and allocate *W only after the file's header, shapes and size agreed; on failure
 * *W holds nothing. */
#ifndef WORKER_MODEL_FORMATS_H
#define WORKER_MODEL_FORMATS_H

#include "common/base/buf.h"
#include "worker/model/model.h"

/* config.json: LlamaForCausalLM without biases and rope scaling. ERR_NOT_FOUND, ERR_INVALID (field
 * and file). */
int hf_config_read(const char *path, struct model_conf *c, struct err *err) MUST_CHECK;
/* Text of a config.json for C, appended to OUT. */
void hf_config_print(const struct model_conf *c, struct buf *out);

/* A folder with config.json and model.safetensors or model.safetensors.index.json. */
int hf_load(const char *dir, struct model_conf *c, struct model_weights *w,
            struct err *err) MUST_CHECK;
/* model.safetensors into DIR. */
int hf_save_weights(const char *dir, const struct model_conf *c, const struct model_weights *w,
                    struct err *err) MUST_CHECK;

/* llama2.c checkpoint, version 0 (no magic) or 1. */
int llama2c_load(const char *path, struct model_conf *c, struct model_weights *w,
                 struct err *err) MUST_CHECK;

/* Finish a model whose conf and w are set: pack, rotary tables. ERR_NOMEM. */
int model_complete(struct model *m, const struct kernels *kern, struct err *err) MUST_CHECK;

/* OUT (e rows per head) = X with the rows of each head changed from interleaved pairs to
 * rotate-half order. */
void rope_rows_to_halves(float *out, const float *x, size_t heads, size_t head_dim, size_t cols);

#endif
