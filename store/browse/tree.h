/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - what one search tried, as a tree: the paths it evaluated in order of discovery, each
 * below the one it was first reached from. Of any method: the tree of progressive widening, the
 * published chain, an enumeration. */
#ifndef STORE_BROWSE_TREE_H
#define STORE_BROWSE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct store;

enum { LABEL_TREE_NODES_MAX = 2000 };

struct label_node {
    int64_t place, parent; /* parent: a place that is among the nodes; -1: none */
    uint32_t depth;        /* edits from the root */
    uint32_t layers;       /* layer applications */
    uint64_t visits;
    double reward, value; /* value: sum of rewards */
    char *routing, *answer;
    char *edit; /* what leads from the parent: "skip 7", "skip 4-5", "repeat 3"; "root" */
    bool best;  /* on the way to the label's path */
};
struct label_tree {
    struct label_node *node; /* by place */
    size_t len;
    uint64_t of;    /* paths in the log; more than LEN: the first ones, and the way to the best */
    int64_t best;   /* place of the label's path; -1: no label, or it is not in the log */
    uint64_t right; /* of all: paths that answer rightly */
};
void label_tree_release(struct label_tree *t);

/* The search log of label LABEL, whose path is ROUTING (NULL: none), at most MOST nodes and the way
 * to the best. A label without a log has no nodes. */
int label_tree_read(struct store *s, uint64_t label, const char *routing, size_t most,
                    struct label_tree *ret, struct err *err) MUST_CHECK;

/* What turns path FROM into TO: "skip 4-5", "skip 3, repeat 9"; "nothing". At most some 200 bytes,
 * then "...". Layers count from 0. */
void label_edit(const char *from, const char *to, struct buf *out);

#endif
