/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/outlook.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/client.h"

/* A key is 67 bytes of arguments, which may be 4 MiB. */
enum { KEYS_AT_ONCE = 20000, STATUS_MS = 10000 };

/* What is known while it is being made. */
struct looking {
    const struct plan *p;
    const struct options *o;
    struct outlook *l;
    char *state;        /* of each job */
    int64_t *stored;    /* of each family */
    size_t *step_of;    /* of each job: index in the plan's steps */
    double *job_s;      /* of each job: expected seconds left */
    double *bytes_each; /* of each step: of a job's outputs */
};

static void looking_release(struct looking *k)
{
    free(k->state);
    free(k->stored);
    free(k->step_of);
    free(k->job_s);
    free(k->bytes_each);
}

static size_t step_index(const struct plan *p, const struct plan_job *j)
{
    for (size_t i = 0; i < p->steps_len; i++)
        if (strcmp(p->step[i].id, j->step) == 0)
            return i;
    return 0;
}

/* ---- asking ---- */

static int ask_states(struct looking *k, size_t from, size_t n, struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *keys = json_new_array(), *answer CLEANUP(json_cleanup) = NULL;
    char hex[DIGEST_HEX];

    for (size_t i = from; i < from + n; i++)
        json_push(keys, json_new_text(digest_hex(&k->p->job[i].key, hex)));
    json_set(arguments, "jobs", keys);
    int rc = ask_report(k->o, "plan", arguments, &answer, err);
    if (rc)
        return rc;
    const struct json *states = json_get(answer, "states");
    if (json_text_len(states) != n)
        return err_set(err, ERR_PROTO, "%zu states for %zu jobs", json_text_len(states), n);
    memcpy(k->state + from, json_text(states), n);
    return 0;
}

static int ask_families(struct looking *k, size_t from, size_t n, struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *keys = json_new_array(), *answer CLEANUP(json_cleanup) = NULL;
    char hex[DIGEST_HEX];

    for (size_t i = from; i < from + n; i++)
        json_push(keys, json_new_text(digest_hex(&k->p->family[i].key, hex)));
    json_set(arguments, "families", keys);
    int rc = ask_report(k->o, "plan", arguments, &answer, err);
    for (size_t i = 0; !rc && i < n; i++)
        k->stored[from + i] = json_integer(json_at(json_get(answer, "families"), i), 0);
    return rc;
}

/* As the coordinator writes them into the store. */
static void print_params(const struct params *p, struct buf *out)
{
    for (size_t i = 0; i < p->len; i++) {
        buf_printf(out, "%s = ", p->entry[i].name);
        param_print(&p->entry[i].value, out);
        buf_addc(out, '\n');
    }
}

/* The first job of each step stands for it. */
static int ask_times(struct looking *k, struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *kinds = json_new_array(), *answer CLEANUP(json_cleanup) = NULL;

    for (size_t i = 0; i < k->p->steps_len; i++) {
        struct buf params CLEANUP(buf_release) = { 0 };
        struct json *kind = json_new_object();
        const char *class = "";

        for (size_t j = 0; j < k->p->jobs_len; j++)
            if (k->step_of[j] == i) {
                class = k->p->job[j].numeric_class;
                print_params(k->p->job[j].params, &params);
                break;
            }
        json_set(kind, "kind", json_new_text(k->p->step[i].kind->name));
        json_set(kind, "class", json_new_text(class));
        json_set(kind, "params", json_new_text(buf_str(&params)));
        json_push(kinds, kind);
    }
    json_set(arguments, "kinds", kinds);
    int rc = ask_report(k->o, "plan", arguments, &answer, err);
    for (size_t i = 0; !rc && i < k->p->steps_len; i++) {
        const struct json *past = json_at(json_get(answer, "kinds"), i);
        struct outlook_step *s = &k->l->step[i];

        s->past.n = (size_t)json_integer(json_get(past, "n"), 0);
        s->past.mean_ms = json_number(json_get(past, "mean_ms"), NAN);
        s->past.sd_ms = json_number(json_get(past, "sd_ms"), NAN);
        s->same = json_bool(json_get(past, "same_parameters"), false);
        k->bytes_each[i] = json_number(json_get(past, "bytes"), NAN);
    }
    return rc;
}

static int ask_all(struct looking *k, struct err *err)
{
    int rc = ask_times(k, err);

    for (size_t i = 0; !rc && i < k->p->jobs_len; i += KEYS_AT_ONCE)
        rc = ask_states(k, i, MIN(KEYS_AT_ONCE, k->p->jobs_len - i), err);
    for (size_t i = 0; !rc && i < k->p->families_len; i += KEYS_AT_ONCE)
        rc = ask_families(k, i, MIN(KEYS_AT_ONCE, k->p->families_len - i), err);
    return rc;
}

/* ---- reckoning ---- */

static uint64_t units_of(const struct plan_job *j)
{
    return j->kind->shards ? j->end - j->begin : 1;
}

static void count_jobs(struct looking *k)
{
    for (size_t j = 0; j < k->p->jobs_len; j++) {
        const struct plan_job *job = &k->p->job[j];
        struct outlook_step *s = &k->l->step[k->step_of[j]];

        switch (k->state[j]) {
        case 'D':
            s->done++;
            if (job->families.len == 1 && job->kind->shards) /* the rest lies in other shards */
                k->stored[job->families.v[0]] -= (int64_t)units_of(job);
            break;
        case 'W':
        case 'R':
            s->pending++;
            break;
        case '-':
            s->fresh++;
            break;
        default:
            s->failed++;
            break;
        }
    }
}

/* Units that J still has to do: examples that are stored already count for the first shard that is
 * not done. */
static uint64_t units_left(struct looking *k, const struct plan_job *j)
{
    uint64_t units = units_of(j);

    if (j->kind->shards && j->families.len == 1) {
        int64_t *stored = &k->stored[j->families.v[0]];
        const uint64_t there = MIN((uint64_t)MAX(*stored, 0), units);
        *stored -= (int64_t)there;
        units -= there;
    }
    return units;
}

/* Sums per step; returns the seconds of the longest chain of needs. */
static double reckon_jobs(struct looking *k)
{
    double chain = 0;

    for (size_t j = 0; j < k->p->jobs_len; j++) {
        const struct plan_job *job = &k->p->job[j];
        struct outlook_step *s = &k->l->step[k->step_of[j]];
        double before = 0;

        for (size_t n = 0; n < job->needs.len; n++)
            before = MAX(before, k->job_s[job->needs.v[n]]);
        k->job_s[j] = before;
        if (k->state[j] == 'D')
            continue;
        const uint64_t units = units_left(k, job);
        s->units_left += units;
        if (s->past.n)
            k->job_s[j] += (double)units * s->past.mean_ms / 1000;
        chain = MAX(chain, k->job_s[j]);
    }
    return chain;
}

static void reckon(struct looking *k)
{
    struct outlook *l = k->l;

    count_jobs(k);
    const double chain = reckon_jobs(k);
    l->work = (struct expect){ .known = true, .interval = true };
    for (size_t i = 0; i < k->p->steps_len; i++) {
        struct outlook_step *s = &l->step[i];
        const uint64_t jobs = s->failed + s->pending + s->fresh;

        s->work = expect_work(&s->past, (double)s->units_left, jobs);
        s->bytes = *k->p->step[i].kind->outputs && jobs ? (double)jobs * k->bytes_each[i] : 0;
        l->unknown += !s->work.known;
        if (s->work.known)
            l->work = expect_add(l->work, s->work);
        if (!isnan(s->bytes))
            l->bytes += s->bytes;
    }
    l->wall = expect_wall(l->work, chain, l->slots);
}

/* ---- what it reads, who works ---- */

/* The sizes in a manifest: lines "name size digest". */
static double manifest_bytes(const char *manifest)
{
    double sum = 0;

    for (const char *line = manifest; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *end = line + strcspn(line, "\n"),
                   *digest = memrchr(line, ' ', (size_t)(end - line));
        if (!digest || digest == line)
            continue;
        const char *size = memrchr(line, ' ', (size_t)(digest - line));
        sum += size ? strtod(size + 1, NULL) : 0;
    }
    return sum;
}

static void count_files(const struct plan *p, struct outlook *l)
{
    l->files = p->files_len;
    for (size_t i = 0; i < p->files_len; i++) {
        const struct plan_file *f = &p->file[i];
        const double bytes = f->manifest ? manifest_bytes(f->manifest) : (double)f->size_bytes;

        l->files_bytes += bytes;
        l->largest_bytes = MAX(l->largest_bytes, bytes);
    }
}

static size_t cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static int count_slots(const char *endpoint, size_t *ret, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;

    request.experiment = (char *)""; /* protobuf-c has no const */
    request.workers = true;
    int rc = client_call(endpoint, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request,
                         DROVER__ENVELOPE__BODY_STATUS, STATUS_MS, &answer, err);
    if (rc)
        return rc;
    *ret = 0;
    for (size_t i = 0; i < answer->status->n_workers; i++)
        if (!answer->status->workers[i]->draining)
            *ret += answer->status->workers[i]->slots;
    return 0;
}

int outlook_make(const struct plan *p, const struct options *o, size_t slots, struct outlook *ret,
                 struct err *err)
{
    struct looking k CLEANUP(looking_release) = { .p = p, .o = o, .l = ret };
    int rc = 0;

    *ret = (struct outlook){ .step = mem_calloc(p->steps_len + 1, sizeof(*ret->step)),
                             .slots = slots };
    k.state = mem_calloc(p->jobs_len + 1, 1);
    memset(k.state, '-', p->jobs_len);
    k.stored = mem_calloc(p->families_len + 1, sizeof(*k.stored));
    k.step_of = mem_calloc(p->jobs_len + 1, sizeof(*k.step_of));
    k.job_s = mem_calloc(p->jobs_len + 1, sizeof(*k.job_s));
    k.bytes_each = mem_calloc(p->steps_len + 1, sizeof(*k.bytes_each));
    for (size_t i = 0; i < p->steps_len; i++)
        k.bytes_each[i] = NAN;
    for (size_t j = 0; j < p->jobs_len; j++)
        k.step_of[j] = step_index(p, &p->job[j]);
    ret->asked = o->coordinator || access(options_store(o), F_OK) == 0;
    if (ret->asked)
        rc = ask_all(&k, err);
    if (!rc && !slots && o->coordinator)
        rc = count_slots(o->coordinator, &ret->slots, err);
    if (!rc && !slots && !ret->slots)
        ret->slots = cores();
    count_files(p, ret);
    if (!rc)
        reckon(&k);
    return rc;
}

void outlook_release(struct outlook *l)
{
    free(l->step);
    l->step = NULL;
}
