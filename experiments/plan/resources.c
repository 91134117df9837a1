/* SPDX-License-Identifier: Apache-2.0 */
/* What a step's jobs need of a worker, and how many there are of them: no part of what they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/plan/step.h"

enum { CORES_MAX = 65536, LABEL_BYTES_MAX = 63, REQUIRES_MAX = 64 }; /* WIRE_LABELS_MAX */

/* "8G", "512M": in MiB, rounded up; 0: it is no size. */
static uint64_t size_mib(const char *text)
{
    static const char letters[] = "MGT";
    char *end = NULL;

    if (*text < '0' || *text > '9')
        return 0;
    errno = 0;
    const double v = strtod(text, &end); /* "1.5G" too */
    const char *letter = *end != '\0' ? strchr(letters, *end) : NULL;
    if (errno != 0 || letter == NULL || end[1] != '\0')
        return 0;
    const double mib = v * (double)(UINT64_C(1) << 10 * (letter - letters));
    if (!(mib >= 1) || mib > 1e9) /* a thousand terabytes */
        return 0;
    return (uint64_t)mib + ((double)(uint64_t)mib < mib);
}

static int take_memory(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *v = step_value(p, st->from, "memory", NULL);

    if (!v)
        return 0;
    st->memory_mib = v->type == PARAM_TEXT ? size_mib(v->s) : 0;
    if (st->memory_mib == 0)
        return step_error(p, st->from, err, ERR_INVALID, "memory",
                          "must be a size as text, a number with M, G or T: \"8G\"");
    return 0;
}

/* As drover-worker --label takes them. */
static bool is_label(const char *s)
{
    const size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_-.");
    return len > 0 && len <= LABEL_BYTES_MAX && s[len] == '\0';
}

static int take_requires(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *v = step_value(p, st->from, "requires", NULL);

    if (!v)
        return 0;
    if (v->type != PARAM_TEXT && v->type != PARAM_TEXTS && v->len > 0)
        return step_error(p, st->from, err, ERR_INVALID, "requires",
                          "must be labels of workers: [\"gpu\"]");
    st->requires_len = v->type == PARAM_TEXT ? 1 : v->len;
    st->requires = v->type == PARAM_TEXT ? &v->s : v->texts;
    if (st->requires_len > REQUIRES_MAX)
        return step_error(p, st->from, err, ERR_LIMIT, "requires", "more than %d labels",
                          REQUIRES_MAX);
    for (size_t i = 0; i < st->requires_len; i++)
        if (!is_label(st->requires[i]))
            return step_error(p, st->from, err, ERR_INVALID, "requires",
                              "\"%s\" is no label: letters, digits, _ - . and at most %d of them",
                              st->requires[i], LABEL_BYTES_MAX);
    return 0;
}

static int take_jobs(const struct point *p, struct step *st, struct err *err)
{
    int rc = 0;

    st->jobs = 1;
    if (st->kind->id == KIND_NOOP)
        rc = step_count(p, st->from, "jobs", 1, 1, PLAN_JOBS_MAX, &st->jobs, err);
    if (!rc && st->jobs > 1 && params_get(&st->params, "number"))
        rc = step_error(p, st->from, err, ERR_INVALID, "number",
                        "jobs = %llu numbers its jobs itself; leave one of the two out",
                        (unsigned long long)st->jobs);
    return rc;
}

int step_resources(const struct point *p, struct step *st, struct err *err)
{
    uint64_t cores = 0;

    int rc = step_count(p, st->from, "cores", 0, 1, CORES_MAX, &cores, err);
    st->cores = (uint32_t)cores;
    rc = rc ? rc : take_memory(p, st, err);
    rc = rc ? rc : take_requires(p, st, err);
    return rc ? rc : take_jobs(p, st, err);
}

bool step_makes_model(const struct step *from)
{
    return from->kind->id != KIND_NOOP ||
           (from->jobs == 1 && strcmp(kind_text(from->kind, &from->params, "makes"), "model") == 0);
}
