/* SPDX-License-Identifier: Apache-2.0 */
/* labels_export.c - labels with all paths that were tried, as files for others (labels.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/jsonw.h"
#include "experiments/cli/labels.h"

struct exporting {
    struct store *s;
    FILE *to;
    struct err *err;
    bool merged; /* merged_mcts_samples */
    uint64_t rows;
    struct buf line;
    struct jsonw right, wrong; /* the lists of one label, without brackets */
    struct buf right_text, wrong_text;
};

/* "1021" as the layers that it executes: [0,2,2,3]. */
static void put_executed(struct jsonw *w, const char *routing)
{
    jsonw_open(w, '[');
    for (size_t l = 0; routing[l]; l++)
        for (char n = '0'; n < routing[l]; n++)
            jsonw_int(w, NULL, (int64_t)l);
    jsonw_close(w, ']');
}

static int on_path(const struct store_path_row *p, void *arg)
{
    struct exporting *x = arg;
    struct jsonw *w = p->right ? &x->right : &x->wrong;

    if (x->merged)
        put_executed(w, p->routing);
    else
        jsonw_text(w, NULL, p->routing);
    return 0;
}

static int read_paths(struct exporting *x, const struct store_label_row *r)
{
    buf_clear(&x->right_text);
    buf_clear(&x->wrong_text);
    x->right = (struct jsonw){ .to = &x->right_text };
    x->wrong = (struct jsonw){ .to = &x->wrong_text };
    jsonw_open(&x->right, '[');
    jsonw_open(&x->wrong, '[');
    int rc = store_label_paths(x->s, r->id, on_path, x, x->err);
    jsonw_close(&x->right, ']');
    jsonw_close(&x->wrong, ']');
    return rc;
}

static void put_merged(struct exporting *x, struct jsonw *w, const struct store_label_row *r)
{
    jsonw_text(w, "question", r->question);
    jsonw_text(w, "gt_ans", r->gold);
    jsonw_int(w, "initial_score", r->base_correct);
    jsonw_raw(w, "valid_paths", buf_str(&x->right_text));
    jsonw_raw(w, "invalid_paths", buf_str(&x->wrong_text));
}

static void put_row(struct exporting *x, struct jsonw *w, const struct store_label_row *r)
{
    char id[17];

    snprintf(id, sizeof(id), "%016llx", (unsigned long long)r->example);
    jsonw_text(w, "id", id);
    jsonw_text(w, "experiment", r->experiment);
    jsonw_text(w, "step", r->step);
    jsonw_int(w, "seed", (int64_t)r->seed);
    jsonw_text(w, "task", r->task);
    jsonw_int(w, "level", r->level);
    jsonw_text(w, "split", r->split);
    jsonw_int(w, "index", (int64_t)r->index);
    jsonw_text(w, "question", r->question);
    jsonw_text(w, "gold", r->gold);
    jsonw_bool(w, "base_correct", r->base_correct);
    jsonw_text(w, "base_answer", r->base_answer);
    jsonw_text(w, "routing", r->routing);
    jsonw_text(w, "label_answer", r->label_answer);
    jsonw_bool(w, "improved", r->has_label && !r->base_correct);
    jsonw_int(w, "layers", r->layers);
    jsonw_int(w, "label_layers", r->label_layers);
    jsonw_int(w, "simulations", r->simulations);
    jsonw_int(w, "evaluations", r->evaluations);
    jsonw_raw(w, "right", buf_str(&x->right_text));
    jsonw_raw(w, "wrong", buf_str(&x->wrong_text));
}

static int on_label(const struct store_label_row *r, void *arg)
{
    struct exporting *x = arg;
    struct jsonw w = { .to = &x->line };
    int rc = read_paths(x, r);

    if (rc)
        return rc;
    buf_clear(&x->line);
    if (x->merged)
        buf_adds(&x->line, x->rows ? ",\n" : "");
    jsonw_open(&w, '{');
    if (x->merged)
        put_merged(x, &w, r);
    else
        put_row(x, &w, r);
    jsonw_close(&w, '}');
    if (!x->merged)
        buf_addc(&x->line, '\n');
    x->rows++;
    if (fwrite(x->line.data, 1, x->line.len, x->to) != x->line.len)
        return err_errno(x->err, errno, "write the labels");
    return 0;
}

static int write_all(struct exporting *x, const struct labels_arguments *a, struct err *err)
{
    struct store_label_filter f = a->filter;
    int rc;

    if (a->limited)
        f.limit = a->limit;
    if (x->merged)
        fputs("[\n", x->to);
    rc = store_list_labels(x->s, &f, on_label, x, err);
    if (rc == 0 && x->merged)
        fputs("\n]\n", x->to);
    if (rc == 0 && (fflush(x->to) != 0 || ferror(x->to)))
        rc = err_errno(err, errno, "write the labels");
    return rc;
}

int labels_export(struct store *s, const struct labels_arguments *a, struct err *err)
{
    struct exporting x = { .s = s,
                           .to = stdout,
                           .err = err,
                           .merged = a->format && strcmp(a->format, "merged_mcts_samples") == 0 };
    struct buf part CLEANUP(buf_release) = { 0 };
    int rc = 0;

    if (a->output) { /* the file is there when it is whole */
        buf_printf(&part, "%s.part", a->output);
        x.to = fopen(buf_str(&part), "we");
        if (!x.to)
            return err_errno(err, errno, "open %s", buf_str(&part));
    }
    rc = write_all(&x, a, err);
    if (a->output) {
        if (fclose(x.to) != 0 && rc == 0)
            rc = err_errno(err, errno, "write %s", buf_str(&part));
        if (rc == 0 && rename(buf_str(&part), a->output) != 0)
            rc = err_errno(err, errno, "rename %s", buf_str(&part));
        if (rc)
            (void)remove(buf_str(&part));
        else
            printf("%llu labels in %s\n", (unsigned long long)x.rows, a->output);
    }
    buf_release(&x.line);
    buf_release(&x.right_text);
    buf_release(&x.wrong_text);
    return rc;
}
