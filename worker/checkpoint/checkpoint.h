/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h - a model's files, opened: its configuration and a view of every tensor in the
 * mapped bytes.
 *
 * Formats: a Hugging Face folder (config.json; model.safetensors, or model.safetensors.index.json
 * and its shards; architectures LlamaForCausalLM and Qwen2ForCausalLM; F32, F16, BF16), a GGUF v3
 * file (architectures llama and qwen2; F32, F16, BF16), a llama2.c checkpoint (.bin, v0 or v1), or
 * a folder with one of those and no config.json. Files are mapped read-only and never copied;
 * everything is checked against sizes and headers before a view is handed out. */
#ifndef WORKER_CHECKPOINT_CHECKPOINT_H
#define WORKER_CHECKPOINT_CHECKPOINT_H

#include "common/base/buf.h"
#include "worker/checkpoint/tensors.h"
#include "worker/kernels/weight.h"

/* One tensor in the mapped file: (rows, cols) row-major elements of TYPE. DATA may be unaligned (a
 * safetensors file promises nothing): read it with weight_widen or memcpy. A llama2.c file's F32
 * and every other form look the same from here. data NULL: the model has no such tensor. */
struct tensor_view {
    const void *data;
    enum weight_type type;
    size_t rows, cols;
};

struct checkpoint {
    struct model_conf conf;
    const char *format;                         /* "safetensors", "gguf", "llama2.c" */
    uint64_t tensors, tensor_bytes, parameters; /* number, bytes in files, elements */
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) struct tensor_view *F;
    MODEL_TENSORS(X) /* F[0] for the whole-model ones, F[layer] for the others; head[0] is embed[0]
                        when tied */
#undef X
    struct mapping *mapping; /* private */
    size_t mappings_len;
};

/* ERR_CORRUPT (truncated, oversized, torn: offset), ERR_INVALID (unknown architecture or dtype:
 * named, with what is supported; wrong shape: tensor, expected, found; missing tensor),
 * ERR_NOT_FOUND, ERR_VERSION, ERR_LIMIT; the text names the file. */
int checkpoint_open(struct checkpoint **ret, const char *path, struct err *err) MUST_CHECK;
void checkpoint_close(struct checkpoint *c); /* NULL is fine; views are void afterwards */
/* V's pages are not needed soon: they leave memory and come back from the file when read again. A
 * hint; keeps a model from being in memory twice while it is packed. */
void checkpoint_drop(const struct checkpoint *c, const struct tensor_view *v);
/* The file that a tokenizer is looked for in when none is named, appended to OUT: the GGUF file
 * itself (unless PATH is a folder that has a tokenizer as well) or the only tok*.bin beside a
 * llama2.c checkpoint, else tokenizer.json, tokenizer.model, vocab.json + merges.txt or
 * tokenizer.bin in the folder. Nothing is appended when there is none. ERR_INVALID: several
 * tok*.bin. */
int checkpoint_tokenizer(const char *path, struct buf *out, struct err *err) MUST_CHECK;

/* Every tensor of the model in table order, with the name that it has in the files. */
typedef int (*checkpoint_tensor_fn)(const struct model_tensor *t, const struct tensor_view *v,
                                    void *arg);
int checkpoint_each(const struct checkpoint *c, checkpoint_tensor_fn fn, void *arg);

/* All views of C as floats laid out for training, exactly: conf and weights of C are together what
 * model_from_weights and checkpoint_save take. The rows of q and k stay in the order that
 * conf.rope_interleaved says. ERR_NOMEM. */
int checkpoint_widen(const struct checkpoint *c, struct model_weights *ret,
                     struct err *err) MUST_CHECK;

/* Write model.safetensors (F32, rotate-half layout) and, last, config.json into folder DIR, which
 * exists. Bytes are a function of the arguments; checkpoint_open gives C back, with
 * rope_interleaved false. ERR_INVALID: biases that no architecture of Hugging Face has; ERR_IO,
 * ERR_FULL, ERR_READONLY, ERR_NOMEM. */
int checkpoint_save(const char *dir, const struct model_conf *c, const struct model_weights *w,
                    struct err *err) MUST_CHECK;

#endif
