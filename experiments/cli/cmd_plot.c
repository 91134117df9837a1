/* SPDX-License-Identifier: Apache-2.0 */
/* drover plot - figures from a specification, drawn by gnuplot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/gnuplot.h"
#include "experiments/cli/sheet.h"

enum { KEY_SCRIPT = KEY_OWN };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "output", 'o', "FILE", 0,
      "Write the figure there: .svg, .pdf or .png (default: draw on the terminal)", 0 },
    { "experiment", 'e', "NAME", 0, "Of this experiment, whatever SPEC says", 0 },
    { "script", KEY_SCRIPT, NULL, 0, "Print the gnuplot script, data included, and draw nothing",
      0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Draw the figures that the file SPEC describes: learning curves with bands over seeds, "
    "accuracy "
    "against cost, routing per layer. gnuplot does the drawing.\v"
    "Example:\n"
    "  cat > reward.cfg <<'END'\n"
    "  experiment = \"sweep\";\n"
    "  kind = \"curve\"; step = \"train\"; metric = \"reward\";\n"
    "  by = [\"train.gamma\"]; where = \"seed <= 5\";\n"
    "  END\n"
    "  drover plot reward.cfg\n"
    "  drover plot reward.cfg -o reward.svg\n\n"
    "docs/plots.md explains every key. --json prints the numbers behind the figure.\n\n"
    "Exit status: 0 done, 1 failed (nothing to draw yet, gnuplot is missing), 2 wrong usage.";

struct arguments {
    struct options o;
    const char *spec, *output, *experiment;
    bool script;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'o':
        a->output = arg;
        return 0;
    case 'e':
        a->experiment = arg;
        return 0;
    case KEY_SCRIPT:
        a->script = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->spec)
            argp_error(state, "one specification at a time");
        a->spec = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->spec)
            argp_error(state, "which specification? drover plot --help shows one");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_plot = { rows, parse, "SPEC", doc, NULL, NULL, NULL };

static unsigned terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 40)
        return 100;
    return size.ws_col;
}

/* The report for the file SPEC, its includes put in. */
static int ask(const struct arguments *a, struct json **ret, struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    struct json *arguments CLEANUP(json_cleanup) = NULL;
    int rc = conf_open(&c, a->spec, err);

    if (rc)
        return rc;
    arguments = json_new_object();
    json_set(arguments, "spec", json_new_text(conf_source(c)));
    json_set(arguments, "name", json_new_text(a->spec));
    if (a->experiment)
        json_set(arguments, "experiment", json_new_text(a->experiment));
    return ask_report(&a->o, "plot", arguments, ret, err);
}

static int draw(const struct arguments *a, const struct json *report, struct err *err)
{
    struct buf script CLEANUP(buf_release) = { 0 }, part CLEANUP(buf_release) = { 0 };
    enum gnuplot_target target = GNUPLOT_DUMB;
    int rc = a->output ? gnuplot_target_of(a->output, &target, err) : 0;

    if (rc)
        return rc;
    if (a->output)
        buf_printf(&part, "%s%s", a->output, a->script ? "" : ".part");
    gnuplot_script(report, target, a->output ? buf_str(&part) : NULL, terminal_columns(), &script);
    if (!a->script)
        return gnuplot_run(&script, a->output, err);
    fputs(buf_str(&script), stdout);
    return 0;
}

int cmd_plot(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .spec = NULL };
    struct json *report CLEANUP(json_cleanup) = NULL;
    enum gnuplot_target target;
    struct err err = { 0 };

    argp_parse(&argp_plot, argc, argv, 0, NULL, &a);
    if (a.output && gnuplot_target_of(a.output, &target, &err) != 0)
        return cli_fail(env, &err);
    if (ask(&a, &report, &err) != 0)
        return cli_fail(env, &err);
    if (a.o.json) {
        char *text CLEANUP(mem_cleanup) = json_dump(report, 1);
        puts(text);
        return CLI_DONE;
    }
    return draw(&a, report, &err) ? cli_fail(env, &err) : CLI_DONE;
}
