/* SPDX-License-Identifier: Apache-2.0 */
/* means.h - features of prompts (router.h) in front of every layer, for a router's training.
 *
 * Execution follows the routing that each example brings (teacher forcing), so features are
 * constants: computed in one pass of many examples through the sweep, into one file per network in
 * a folder of the worker's cache, and mapped. Routers of the same (model, prompts, routings,
 * features) share them. Private to worker/jobs. */
#ifndef WORKER_JOBS_MEANS_H
#define WORKER_JOBS_MEANS_H

#include "worker/jobs/job.h"
#include "worker/model/router.h"

/* What a router sees of an example. */
struct means_example {
    uint32_t *tokens; /* [rows]: the prompt */
    size_t rows;
    const uint8_t *routing; /* [layers] */
};

struct means {
    uint8_t *rows;          /* [n]: feature rows of each example */
    size_t stride;          /* room for feature rows per example */
    const float **features; /* [networks]: (n, stride, inputs) */
    size_t networks;
    void **map; /* [maps], of MAP_BYTES each */
    size_t maps, map_bytes;
};

/* Features of the N examples E for routers of configuration C of the job's model M: from the
 * worker's cache, or computed. ERR_LIMIT, ERR_CANCELLED, ERR_FULL, ERR_IO, ERR_NOMEM. */
int means_open(struct means *ret, struct job *j, const struct model *m, const struct router_conf *c,
               const struct means_example *e, size_t n, struct err *err) MUST_CHECK;
void means_close(struct means *m);

#endif
