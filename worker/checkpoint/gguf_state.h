/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_state.h - inside of struct gguf. Private to this folder. */
#ifndef WORKER_CHECKPOINT_GGUF_STATE_H
#define WORKER_CHECKPOINT_GGUF_STATE_H

#include "worker/checkpoint/gguf.h"
#include "worker/checkpoint/mapping.h"

struct gguf_key {
    struct gguf_text name;
    enum gguf_type type;
    const uint8_t *data; /* the value; a list begins with its type and length */
};

struct gguf {
    struct mapping map;
    struct gguf_key *key; /* sorted by name */
    size_t keys;
    struct gguf_tensor *tensor; /* sorted by name */
    size_t tensors;
};

/* Fills all but g->map, which is open. */
int gguf_parse(struct gguf *g, struct err *err) MUST_CHECK;
/* Bytes of one element; 0 for GGUF_TEXT and GGUF_LIST. */
size_t gguf_type_bytes(enum gguf_type type);
/* Orders texts as memcmp does, a prefix first. */
int gguf_text_order(struct gguf_text a, struct gguf_text b);
/* The element type of ggml's TYPE, as enum weight_type; -1 when this version does not read it. */
int gguf_weight_type(uint32_t type);

#endif
