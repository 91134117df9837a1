/* SPDX-License-Identifier: Apache-2.0 */
/* cond_tree.h - a parsed condition. Private to common/conf. */
#ifndef COMMON_CONF_COND_TREE_H
#define COMMON_CONF_COND_TREE_H

#include "common/conf/cond.h"

enum cond_op {
    COND_VALUE, /* a literal */
    COND_NAME,
    COND_EQUAL, /* comparisons: a, b are values or names */
    COND_UNEQUAL,
    COND_LESS,
    COND_LESS_EQUAL,
    COND_MORE,
    COND_MORE_EQUAL,
    COND_IN, /* a is a value or a name, b the first of a list of values linked by next */
    COND_NOT_IN,
    COND_TRUE, /* a is a value or a name: is it true? */
    COND_NOT,  /* a is a condition, as below */
    COND_AND,
    COND_OR,
};

struct cond_node {
    enum cond_op op;
    int a, b, next;          /* indexes of nodes, -1: none */
    unsigned column;         /* from 1: where it stands */
    struct cond_value value; /* VALUE; NAME: text is the name */
};

struct cond {
    struct cond_node node[COND_NODES_MAX];
    size_t len;
    int root;
    const char *name[COND_NODES_MAX];
    size_t names_len;
    /* What texts and names point to: each is no longer than where it stands, and ends with a NUL.
     */
    char text[2 * COND_TEXT_MAX];
    size_t text_len;
};

#endif
