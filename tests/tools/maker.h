/* SPDX-License-Identifier: Apache-2.0 */
/* maker.h - checkpoints of any shape with random weights, written with little memory, in every
 * format that the engine reads.
 *
 * A weight is a function of the seed, the tensor's Hugging Face name, its row and its column,
 * rounded to the element type; so the same seed gives the same model in every format. The writers
 * share no code with the engine's, except for the table of tensors and the text of config.json. */
#ifndef TESTS_TOOLS_MAKER_H
#define TESTS_TOOLS_MAKER_H

#include <stdint.h>

#include "worker/checkpoint/conf.h"
#include "worker/kernels/weight.h"

enum maker_format { MAKER_HF, MAKER_SHARDED, MAKER_GGUF, MAKER_LLAMA2C_V0, MAKER_LLAMA2C_V1 };

struct maker {
    enum maker_format format;
    struct model_conf conf; /* rope_interleaved is ignored: the format says it */
    enum weight_type dtype; /* llama2.c stores floats of this many bits as F32 */
    uint64_t seed;
};

/* Write into OUT: a folder, made when absent, or (gguf, llama2.c) a file. ERR_INVALID: the format
 * cannot say this model. */
int maker_write(const struct maker *m, const char *out, struct err *err) MUST_CHECK;
/* Row ROW of the tensor with this Hugging Face name, in rotate-half order. */
void maker_row(float *out, const struct maker *m, const char *name, size_t row, size_t cols);
/* TO (n elements of TYPE) = N floats, rounded to nearest even. */
void maker_narrow(void *to, const float *from, enum weight_type type, size_t n);

#endif
