/* SPDX-License-Identifier: Apache-2.0 */
/* views.h - what the readers of this folder share: the walk over a model's tensors, the views that
 * they fill, and rotary rows. Private to this folder. */
#ifndef WORKER_CHECKPOINT_VIEWS_H
#define WORKER_CHECKPOINT_VIEWS_H

#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/mapping.h"

/* As model_each_tensor, with GGUF names if wanted, and the place of the tensor's view. */
typedef int (*model_walk_fn)(const struct model_tensor *t, size_t kind, size_t layer, void *arg);
int model_walk(const struct model_conf *c, bool gguf_names, model_walk_fn fn, void *arg);

/* Empty views for c->conf, which has passed model_conf_check. */
void checkpoint_alloc_views(struct checkpoint *c);
struct tensor_view *checkpoint_view(const struct checkpoint *c, size_t kind, size_t layer);
/* C keeps M's mapping open; *M is empty afterwards. */
void checkpoint_keep(struct checkpoint *c, struct mapping *m);

/* Readers: fill conf, format, views and mappings of the zeroed C; after an error the caller frees
 * what is there (checkpoint_close). */
int hf_open(struct checkpoint *c, const char *dir, struct err *err) MUST_CHECK;
int gguf_open_model(struct checkpoint *c, const char *path, struct err *err) MUST_CHECK;
int llama2c_open(struct checkpoint *c, const char *path, struct err *err) MUST_CHECK;

/* config.json and, beside it, generation_config.json when there is one. ERR_NOT_FOUND, ERR_INVALID
 * (file, field, range). */
int hf_config_read(const char *path, struct model_conf *c, struct err *err) MUST_CHECK;
/* Text of a config.json for C, appended to OUT. */
void hf_config_print(const struct model_conf *c, struct buf *out);
/* "LlamaForCausalLM" or "Qwen2ForCausalLM": the one that has C's biases. */
const char *hf_architecture(const struct model_conf *c);
bool text_ends_with(const char *s, const char *end);

#endif
