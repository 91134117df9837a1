/* SPDX-License-Identifier: Apache-2.0 */
/* report_cell.c - what stands behind one cell of a table: {"cell": what tables_cell() gives}. */
#include "store/reports/private.h"
#include "store/tables/tables.h"

static const struct report_arg args[] = {
    { "experiment", ARG_TEXT, false }, /* as report table */
    { "spec", ARG_TEXT, false },
    { "spec_name", ARG_TEXT, false },
    { "table", ARG_INTEGER, false }, /* its number, from 1; 0: the only one */
    { "row", ARG_TEXT, true },       /* number from 1, or "key=value,..." */
    { "column", ARG_TEXT, true },    /* number from 1, or a head path */
    { 0 }
};

static int make(struct report_call *c, struct err *err)
{
    struct buf cell CLEANUP(buf_release) = { 0 };
    const int64_t table = arg_integer(c, "table", 0);

    if (table < 0)
        return err_set(err, ERR_INVALID, "report cell: table is the number of a table, from 1");
    int rc = tables_cell(c->s, arg_text(c, "spec", NULL), arg_text(c, "spec_name", "specification"),
                         arg_text(c, "experiment", NULL), (size_t)table, arg_text(c, "row", ""),
                         arg_text(c, "column", ""), &cell, err);
    if (!rc)
        jsonw_raw(&c->w, "cell", buf_str(&cell));
    return rc;
}

const struct report report_cell = { "cell", "Runs, jobs, examples and SQL behind a table's cell.",
                                    args, make };
