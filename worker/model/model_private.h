/* SPDX-License-Identifier: Apache-2.0 */
/* model_private.h - inside of model*.c. */
#ifndef WORKER_MODEL_MODEL_PRIVATE_H
#define WORKER_MODEL_MODEL_PRIVATE_H

#include "worker/model/model.h"

/* Memory for the packed weights and vectors of M, whose conf is set, in the types that FILES has.
 * ERR_NOMEM. */
int model_alloc(struct model *m, const struct checkpoint *files, struct err *err) MUST_CHECK;
/* Pack all tensors of FILES, giving their pages back. Parts go to all threads of POOL (may be
 * NULL). ERR_CANCELLED. */
int model_pack(struct model *m, const struct checkpoint *files, struct pool *pool,
               struct progress *progress, struct err *err) MUST_CHECK;
/* A model whose conf, kern and embed are to be taken from FILES. */
int model_build(struct model *m, const struct checkpoint *files, const struct model_options *o,
                struct err *err) MUST_CHECK;

#endif
