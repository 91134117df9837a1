/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "store/plots/plots.h"
#include "store/reports/private.h"

static const struct report_arg args[] = { { "spec", ARG_TEXT, true },
                                          { "name", ARG_TEXT, false },
                                          { "experiment", ARG_TEXT, false },
                                          { NULL, ARG_ANY, false } };

/* plots_make gives a whole document: its members are taken over. */
static int make(struct report_call *c, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = plots_make(c->s, arg_text(c, "spec", ""), arg_text(c, "name", "the specification"),
                        arg_text(c, "experiment", ""), &text, err);

    if (rc)
        return rc;
    jsonw_key(&c->w, "plots");
    const char *plots = strstr(buf_str(&text), "\"plots\":") + strlen("\"plots\":");
    buf_add(c->w.to, plots, strlen(plots) - 1);
    c->w.comma = true;
    return report_fits(c, err);
}

const struct report report_plot = { "plot",
                                    "the numbers of the figures that a specification describes",
                                    args, make };
