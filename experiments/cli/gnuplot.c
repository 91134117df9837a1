/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "common/base/mem.h"

extern char **environ;

int gnuplot_target_of(const char *path, enum gnuplot_target *ret, struct err *err)
{
    static const char *const endings[GNUPLOT_TARGETS] = { NULL, ".svg", ".pdf", ".png" };
    const char *dot = strrchr(path, '.');

    for (int i = 1; i < GNUPLOT_TARGETS; i++)
        if (dot && strcmp(dot, endings[i]) == 0) {
            *ret = (enum gnuplot_target)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "%s: the name must end in .svg, .pdf or .png", path);
}

/* ---- the script ---- */

/* S between double quotes; enhanced text is off, so only these matter. */
static void put_quoted(struct buf *out, const char *s)
{
    buf_addc(out, '"');
    for (; s && *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *s == '\n' ? ' ' : *s);
    }
    buf_addc(out, '"');
}

static void put_number(struct buf *out, const struct json *v)
{
    if (json_is_number(v))
        buf_printf(out, " %.12g", json_number(v, NAN));
    else
        buf_adds(out, " NaN");
}

static const char *text_of(const struct json *v, const char *key)
{
    const char *s = json_text(json_get(v, key));
    return s ? s : "";
}

/* Data blocks: $pIsK for curves, $pI for dots and their frontier, $pIsK for panels of bars. */
static void put_curve_data(struct buf *out, const struct json *plot, size_t p)
{
    const struct json *series = json_get(plot, "series");

    for (size_t i = 0; i < json_len(series); i++) {
        const struct json *points = json_get(json_at(series, i), "points");

        buf_printf(out, "$p%zus%zu << EOD\n", p, i);
        for (size_t k = 0; k < json_len(points); k++) {
            for (size_t c = 0; c < 4; c++)
                put_number(out, json_at(json_at(points, k), c));
            buf_addc(out, '\n');
        }
        buf_adds(out, "EOD\n");
    }
}

static int by_x(const void *a, const void *b)
{
    const struct json *x = *(struct json *const *)a, *y = *(struct json *const *)b;
    double d = json_number(json_get(x, "x"), 0) - json_number(json_get(y, "x"), 0);

    return d < 0 ? -1 : d > 0;
}

/* x y xlow xhigh ylow yhigh; a bar that is not there has the dot's own place. */
static void put_dot(struct buf *out, const struct json *dot)
{
    static const char *const keys[][2] = { { "x", "x" },     { "y", "y" },    { "xlow", "x" },
                                           { "xhigh", "x" }, { "ylow", "y" }, { "yhigh", "y" } };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct json *v = json_get(dot, keys[i][0]);
        put_number(out, json_is_number(v) ? v : json_get(dot, keys[i][1]));
    }
    buf_addc(out, '\n');
}

static void put_pareto_data(struct buf *out, const struct json *plot, size_t p)
{
    const struct json *series = json_get(plot, "series");
    const size_t len = json_len(series);
    struct json **best CLEANUP(mem_cleanup) = mem_calloc(len + 1, sizeof(*best));
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        struct json *dot = json_at(series, i);

        buf_printf(out, "$p%zus%zu << EOD\n", p, i);
        put_dot(out, dot);
        buf_adds(out, "EOD\n");
        if (json_bool(json_get(dot, "best"), false))
            best[n++] = dot;
    }
    qsort(best, n, sizeof(struct json *), by_x);
    buf_printf(out, "$p%zubest << EOD\n", p);
    for (size_t i = 0; i < n; i++)
        put_dot(out, best[i]);
    buf_adds(out, "EOD\n");
}

/* Dots of a line in the order of x. */
static void put_tradeoff_data(struct buf *out, const struct json *plot, size_t p)
{
    const struct json *series = json_get(plot, "series");

    for (size_t i = 0; i < json_len(series); i++) {
        const struct json *points = json_get(json_at(series, i), "points");
        const size_t len = json_len(points);
        struct json **dot CLEANUP(mem_cleanup) = mem_calloc(len + 1, sizeof(*dot));

        for (size_t k = 0; k < len; k++)
            dot[k] = json_at(points, k);
        qsort(dot, len, sizeof(struct json *), by_x);
        buf_printf(out, "$p%zus%zu << EOD\n", p, i);
        for (size_t k = 0; k < len; k++)
            put_dot(out, dot[k]);
        buf_adds(out, "EOD\n");
    }
}

static void put_routing_data(struct buf *out, const struct json *plot, size_t p)
{
    const struct json *series = json_get(plot, "series");

    for (size_t i = 0; i < json_len(series); i++) {
        const struct json *layers = json_get(json_at(series, i), "layers");

        buf_printf(out, "$p%zus%zu << EOD\n", p, i);
        for (size_t k = 0; k < json_len(layers); k++) {
            buf_printf(out, "%zu", k);
            for (size_t c = 0; c < 3; c++)
                put_number(out, json_at(json_at(layers, k), c));
            buf_addc(out, '\n');
        }
        buf_adds(out, "EOD\n");
    }
}

/* What every panel says about itself. */
static void put_labels(struct buf *out, const struct json *plot, const char *title)
{
    const char *log = text_of(plot, "log");

    buf_adds(out, "set title ");
    put_quoted(out, title);
    buf_adds(out, "\nset xlabel ");
    put_quoted(out, text_of(plot, "xlabel"));
    buf_adds(out, "\nset ylabel ");
    put_quoted(out, text_of(plot, "ylabel"));
    buf_printf(out, "\nunset logscale\n%s%s%s", *log ? "set logscale " : "", log, *log ? "\n" : "");
}

static void put_curves(struct buf *out, const struct json *plot, size_t p, bool dumb)
{
    const struct json *series = json_get(plot, "series");
    bool band = !dumb && strcmp(text_of(plot, "band"), "none") != 0;

    put_labels(out, plot, text_of(plot, "title"));
    for (size_t i = 0; i < json_len(series); i++) {
        buf_adds(out, i ? ", \\\n  " : "plot ");
        if (band)
            buf_printf(out,
                       "$p%zus%zu using 1:3:4 with filledcurves lt %zu fs transparent solid 0.2 "
                       "noborder notitle, \\\n  ",
                       p, i, i + 1);
        buf_printf(out, "$p%zus%zu using 1:2 with lines lt %zu lw 2 title ", p, i, i + 1);
        put_quoted(out, text_of(json_at(series, i), "name"));
    }
    buf_addc(out, '\n');
}

static void put_dots(struct buf *out, const struct json *plot, size_t p)
{
    const struct json *series = json_get(plot, "series");

    size_t best = 0;

    for (size_t i = 0; i < json_len(series); i++)
        best += json_bool(json_get(json_at(series, i), "best"), false);
    put_labels(out, plot, text_of(plot, "title"));
    buf_adds(out, "plot ");
    if (best >= 2) /* one dot makes no line */
        buf_printf(out,
                   "$p%zubest using 1:2 with lines lc rgb \"#999999\" dt 2 title \"best\", "
                   "\\\n  ",
                   p);
    for (size_t i = 0; i < json_len(series); i++) {
        buf_printf(out, "%s$p%zus%zu using 1:2:3:4:5:6 with xyerrorbars lt %zu pt 7 title ",
                   i ? ", \\\n  " : "", p, i, i + 1);
        put_quoted(out, text_of(json_at(series, i), "name"));
    }
    buf_addc(out, '\n');
}

static void put_tradeoff(struct buf *out, const struct json *plot, size_t p)
{
    const struct json *series = json_get(plot, "series");
    bool any = false;

    put_labels(out, plot, text_of(plot, "title"));
    buf_adds(out, "plot ");
    for (size_t i = 0; i < json_len(series); i++) {
        const size_t dots = json_len(json_get(json_at(series, i), "points"));

        if (dots == 0)
            continue;
        if (dots > 1) {
            buf_printf(out, "%s$p%zus%zu using 1:2 with lines lt %zu notitle",
                       any ? ", \\\n  " : "", p, i, i + 1);
            any = true;
        }
        buf_printf(out, "%s$p%zus%zu using 1:2:3:4:5:6 with xyerrorbars lt %zu pt 7 ps 0.6 title ",
                   any ? ", \\\n  " : "", p, i, i + 1);
        put_quoted(out, text_of(json_at(series, i), "name"));
        any = true;
    }
    buf_addc(out, '\n');
}

static void put_bars(struct buf *out, const struct json *plot, size_t p)
{
    const struct json *series = json_get(plot, "series");

    for (size_t i = 0; i < json_len(series); i++) {
        struct buf title CLEANUP(buf_release) = { 0 };

        buf_printf(&title, "%s%s%s (%lld labels)", text_of(plot, "title"),
                   *text_of(plot, "title") ? ": " : "", text_of(json_at(series, i), "name"),
                   (long long)json_integer(json_get(json_at(series, i), "labels"), 0));
        put_labels(out, plot, buf_str(&title));
        buf_printf(
            out,
            "set style histogram rowstacked\nset boxwidth 0.8\nset yrange [0:1]\n"
            "plot $p%zus%zu using 2:xtic(1) with histograms fs solid lt 7 title \"skip\", \\\n"
            "  '' using 3 with histograms fs solid lc rgb \"#bbbbbb\" title \"execute\", \\\n"
            "  '' using 4 with histograms fs solid lt 2 title \"repeat\"\n"
            "set yrange [*:*]\n",
            p, i);
    }
}

static void put_terminal(struct buf *out, enum gnuplot_target target, const char *output,
                         unsigned columns, size_t panels)
{
    const unsigned height = 360 * (unsigned)panels + 60;

    buf_adds(out, "set encoding utf8\n");
    switch (target) {
    case GNUPLOT_SVG:
        buf_printf(out,
                   "set terminal svg size 760,%u dynamic background rgb \"white\" font "
                   "\"Helvetica,13\" noenhanced\n",
                   height);
        break;
    case GNUPLOT_PDF:
        buf_printf(out,
                   "set terminal pdfcairo size 6.3in,%.2fin font \"Helvetica,10\" noenhanced\n",
                   (double)height / 120);
        break;
    case GNUPLOT_PNG:
        buf_printf(out, "set terminal pngcairo size 1140,%u font \"Helvetica,13\" noenhanced\n",
                   height * 3 / 2);
        break;
    case GNUPLOT_DUMB:
    case GNUPLOT_TARGETS:
        buf_printf(out, "set terminal dumb size %u,%zu noenhanced\n", columns, 22 * panels);
        break;
    }
    if (output) {
        buf_adds(out, "set output ");
        put_quoted(out, output);
        buf_addc(out, '\n');
    }
}

/* Okabe and Ito's colours: distinct for colour-blind readers too. */
static void put_style(struct buf *out)
{
    static const char *const colours[] = { "#0072B2", "#E69F00", "#009E73", "#CC79A7",
                                           "#56B4E9", "#F0E442", "#D55E00", "#000000" };

    for (size_t i = 0; i < ARRAY_LEN(colours); i++)
        buf_printf(out, "set linetype %zu lc rgb \"%s\" lw 1.5\n", i + 1, colours[i]);
    buf_printf(out,
               "set linetype cycle %zu\nset grid lc rgb \"#dddddd\"\nset border 3\n"
               "set tics nomirror\nset key outside right top\nset datafile missing \"NaN\"\n",
               ARRAY_LEN(colours));
}

static bool is_kind(const struct json *plot, const char *kind)
{
    return strcmp(text_of(plot, "kind"), kind) == 0;
}

void gnuplot_script(const struct json *report, enum gnuplot_target target, const char *output,
                    unsigned columns, struct buf *out)
{
    const struct json *plots = json_get(report, "plots");
    const size_t len = json_len(plots);
    size_t panels = 0;

    for (size_t i = 0; i < len; i++)
        panels += is_kind(json_at(plots, i), "routing")
                      ? json_len(json_get(json_at(plots, i), "series"))
                      : 1;
    put_terminal(out, target, output, columns, panels);
    put_style(out);
    for (size_t i = 0; i < len; i++) {
        const struct json *plot = json_at(plots, i);

        if (is_kind(plot, "curve"))
            put_curve_data(out, plot, i);
        else if (is_kind(plot, "pareto"))
            put_pareto_data(out, plot, i);
        else if (is_kind(plot, "tradeoff"))
            put_tradeoff_data(out, plot, i);
        else
            put_routing_data(out, plot, i);
    }
    if (panels > 1)
        buf_printf(out, "set multiplot layout %zu,1\n", panels);
    for (size_t i = 0; i < len; i++) {
        const struct json *plot = json_at(plots, i);

        if (is_kind(plot, "curve"))
            put_curves(out, plot, i, target == GNUPLOT_DUMB);
        else if (is_kind(plot, "pareto"))
            put_dots(out, plot, i);
        else if (is_kind(plot, "tradeoff"))
            put_tradeoff(out, plot, i);
        else
            put_bars(out, plot, i);
    }
    if (panels > 1)
        buf_adds(out, "unset multiplot\n");
}

/* ---- running it ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* A file without name that holds SCRIPT, at its beginning; what is written later follows. */
static int scratch(const struct buf *script, int *ret, struct err *err)
{
    FILE *f = tmpfile();

    *ret = -1;
    if (f && fwrite(buf_str(script), 1, script->len, f) == script->len && fflush(f) == 0)
        *ret = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
    if (*ret >= 0)
        (void)lseek(*ret, 0, SEEK_SET);
    if (f)
        fclose(f);
    return *ret >= 0 ? 0 : err_errno(err, errno, "a temporary file");
}

static int wait_for(pid_t pid, int said, struct err *err)
{
    char words[512];
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    ssize_t n = pread(said, words, sizeof(words) - 1, 0);
    words[n > 0 ? n : 0] = '\0';
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_NOT_FOUND,
                       "gnuplot is not installed; ./dev setup installs it "
                       "(package gnuplot-nox), or take --script");
    return err_set(err, ERR_IO, "gnuplot failed: %s", words);
}

static int spawn(int script, int said, pid_t *ret, struct err *err)
{
    char *argv[] = { (char[]){ "gnuplot" }, (char[]){ "-" }, NULL };
    posix_spawn_file_actions_t actions;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
    fflush(stdout);
    int failed = posix_spawnp(ret, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT)
        return err_set(err, ERR_NOT_FOUND,
                       "gnuplot is not installed; ./dev setup installs it "
                       "(package gnuplot-nox), or take --script");
    return failed ? err_errno(err, failed, "gnuplot") : 0;
}

int gnuplot_run(const struct buf *script, const char *output, struct err *err)
{
    static const struct buf nothing = { 0 };
    int in CLEANUP(close_fd) = -1, said CLEANUP(close_fd) = -1;
    struct buf part CLEANUP(buf_release) = { 0 };
    pid_t pid = 0;
    int rc = scratch(script, &in, err);

    if (output)
        buf_printf(&part, "%s.part", output);
    rc = rc ? rc : scratch(&nothing, &said, err);
    rc = rc ? rc : spawn(in, said, &pid, err);
    rc = rc ? rc : wait_for(pid, said, err);
    if (rc == 0 && output && rename(buf_str(&part), output) != 0)
        rc = err_errno(err, errno, "%s", output);
    if (rc && output)
        (void)unlink(buf_str(&part));
    return rc;
}
