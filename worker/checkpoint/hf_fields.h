/* SPDX-License-Identifier: Apache-2.0 */
/* hf_fields.h - typed members of a configuration in JSON, with errors that name file and field.
 * Private to this folder. */
#ifndef WORKER_CHECKPOINT_HF_FIELDS_H
#define WORKER_CHECKPOINT_HF_FIELDS_H

#include "common/base/json.h"
#include "worker/checkpoint/conf.h"

/* Where errors point. */
struct fields {
    const char *path;
    const struct json *root;
    struct err *err;
};

/* Members that are absent or null give FALLBACK; SIZE_MAX and NAN mean that there is none. */
int fields_size(const struct fields *f, const char *key, size_t fallback, size_t *ret);
int fields_float(const struct fields *f, const char *key, double fallback, float *ret);
int fields_bool(const struct fields *f, const char *key, bool fallback, bool *ret);
/* A token id, UINT32_MAX when there is none. */
int fields_token(const struct fields *f, const char *key, uint32_t *ret);
/* Adds a token id or a list of them to c->eos, each once. */
int fields_eos(const struct fields *f, struct model_conf *c);

/* rope_theta, and rope_scaling or rope_parameters, into C, whose head_dim is set. */
int hf_rope_read(const struct fields *f, struct model_conf *c);

#endif
