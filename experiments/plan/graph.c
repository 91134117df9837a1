/* SPDX-License-Identifier: Apache-2.0 */
/* The plan's steps for people with graphviz. */
#include <inttypes.h>

#include "common/base/buf.h"
#include "experiments/plan/plan.h"

/* Names are letters, digits, _ - / . and need no escape in DOT's quotes. */
static void print_node(const struct plan *p, size_t i, struct buf *out)
{
    const struct plan_step *s = &p->step[i];

    buf_printf(out, "  s%zu [label=\"%s\\n%s\\n%" PRIu64 " job%s", i, s->id, s->kind->name, s->jobs,
               s->jobs == 1 ? "" : "s");
    if (s->kind->shards)
        buf_printf(out, ", %" PRIu64 " example%s", s->units, s->units == 1 ? "" : "s");
    buf_printf(out, "\"%s];\n", s->kind->id == KIND_SELECT ? ", shape=diamond" : "");
}

void plan_graph_print(const struct plan *p, struct buf *out)
{
    buf_printf(out, "digraph \"%s\" {\n  rankdir=LR;\n  node [shape=box];\n", p->name);
    for (size_t i = 0; i < p->steps_len; i++)
        print_node(p, i, out);
    for (size_t i = 0; i < p->steps_len; i++)
        for (size_t k = 0; k < p->step[i].needs.len; k++)
            buf_printf(out, "  s%u -> s%zu;\n", p->step[i].needs.v[k], i);
    buf_adds(out, "}\n");
}
