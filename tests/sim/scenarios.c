/* SPDX-License-Identifier: Apache-2.0 */
/* scenarios.c - short stories with steady times, compared line by line with golden traces. They are
 * documentation: each file shows what the coordinator reads (flush left), does (indented) and why.
 *
 *   sim-scenarios FOLDER [--update]
 *
 * Exits with 1 and a first difference when a trace changed; --update writes the traces anew. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "tests/sim/sim.h"

enum deed { KILL, CRASH, STOP, CUT, CANCEL, DRAIN, DRAIN_NAMED, FULL_DISK, LAST };
struct line {
    uint64_t at_ms;
    enum deed deed;
    uint32_t what; /* host or job; FULL_DISK: for so many ms */
};
struct scenario {
    const char *name, *story;
    uint32_t hosts, slots, queue, jobs;
    uint32_t examples, work_ms;
    uint32_t fails; /* of job 1: its first attempts */
    bool poison;    /* job 1 */
    bool chain;     /* each job needs the one before */
    bool shape;     /* they take about as long */
    bool eager;
    bool parties;     /* the first half of the jobs is one experiment's, the rest another's */
    uint32_t ends_ms; /* workers that come before then leave after so long; the last job is of
                       * another shape, and short */
    struct line script[5];
};

static const struct scenario scenarios[] = {
    { .name = "first_light",
      .story = "Two workers, three jobs of two examples; the third needs the first two. A lease is "
               "not written: an attempt gets its row with its first example.",
      .hosts = 2,
      .slots = 1,
      .jobs = 3,
      .examples = 2,
      .work_ms = 100,
      .script = { { 0, LAST, 0 } } },
    { .name = "worker_killed",
      .story =
          "A worker is killed in its third example. The next attempt starts with two finished.",
      .hosts = 1,
      .slots = 1,
      .jobs = 1,
      .examples = 4,
      .work_ms = 100,
      .script = { { 300, KILL, 0 }, { 0, LAST, 0 } } },
    { .name = "coordinator_killed",
      .story = "The coordinator is killed. The worker comes back with its attempts, which have "
               "rows by then, and keeps them.",
      .hosts = 1,
      .slots = 2,
      .jobs = 2,
      .examples = 3,
      .work_ms = 150,
      .script = { { 350, CRASH, 0 }, { 0, LAST, 0 } } },
    { .name = "crash_before_anything_was_stored",
      .story =
          "The coordinator is killed before either attempt had something durable, and nobody knows "
          "them after. The one that runs is dropped, and its job given out anew under an id behind "
          "all that were reserved. The one that finished meanwhile is kept: its result comes too "
          "late to count, and is compared if its job has one by then. Here it has none.",
      .hosts = 1,
      .slots = 2,
      .jobs = 2,
      .work_ms = 90,
      .script = { { 60, CRASH, 0 }, { 0, LAST, 0 } } },
    { .name = "program_is_stored_first",
      .story = "A job whose result nobody could compare has its row before its lease leaves: after "
               "a crash its attempt is known, goes on, and does not run twice.",
      .hosts = 1,
      .slots = 1,
      .jobs = 1,
      .work_ms = 800,
      .eager = true,
      .script = { { 60, CRASH, 0 }, { 0, LAST, 0 } } },
    { .name = "both_killed",
      .story = "Coordinator and worker are killed. The job waits for its worker for the re-attach "
               "window, then goes to another one, without blame.",
      .hosts = 1,
      .slots = 1,
      .jobs = 1,
      .examples = 4,
      .work_ms = 100,
      .script = { { 250, KILL, 0 }, { 251, CRASH, 0 }, { 0, LAST, 0 } } },
    { .name = "stopped_past_its_lease",
      .story = "A worker is stopped for longer than its lease and continued: what it says then is "
               "refused, and it stops the attempt.",
      .hosts = 2,
      .slots = 1,
      .jobs = 1,
      .examples = 6,
      .work_ms = 100,
      .script = { { 250, STOP, 0 }, { 0, LAST, 0 } } },
    { .name = "queue_at_the_worker",
      .story = "One slot, places for two more leases. The first job goes alone: nobody knows how "
               "long its kind takes. With its result that is known, and from then on the slot "
               "finds the next one waiting.",
      .hosts = 1,
      .slots = 1,
      .queue = 2,
      .jobs = 5,
      .work_ms = 40,
      .shape = true,
      .script = { { 0, LAST, 0 } } },
    { .name = "killed_with_a_queue",
      .story = "The worker dies with one lease that runs and two that wait: all three are lost, "
               "and only the one that ran is blamed.",
      .hosts = 1,
      .slots = 1,
      .queue = 2,
      .jobs = 4,
      .work_ms = 60,
      .shape = true,
      .script = { { 110, KILL, 0 }, { 0, LAST, 0 } } },
    { .name = "back_off",
      .story = "A job fails, rests, runs out of memory, rests twice as long, and is done. What "
               "does not fail goes on meanwhile.",
      .hosts = 1,
      .slots = 1,
      .jobs = 3,
      .work_ms = 60,
      .fails = 2,
      .script = { { 0, LAST, 0 } } },
    { .name = "poison_in_quarantine",
      .story = "A job kills its worker twice; the job beside it pays as well. Then it is alone: "
               "the worker empties for it, and gets nothing else until that one is gone, too. "
               "Then the job has failed.",
      .hosts = 1,
      .slots = 2,
      .jobs = 2,
      .examples = 1,
      .work_ms = 50,
      .poison = true,
      .script = { { 0, LAST, 0 } } },
    { .name = "poison_and_its_heirs",
      .story = "A job that kills its workers is LOST as often as is allowed, then FAILED; the one "
               "that needs it is skipped.",
      .hosts = 1,
      .slots = 1,
      .jobs = 2,
      .examples = 1,
      .work_ms = 50,
      .poison = true,
      .chain = true,
      .script = { { 0, LAST, 0 } } },
    { .name = "cancelled",
      .story = "A running job and a ready one are cancelled; the worker stops and says so.",
      .hosts = 1,
      .slots = 1,
      .jobs = 2,
      .examples = 20,
      .work_ms = 100,
      .script = { { 350, CANCEL, 1 }, { 351, CANCEL, 2 }, { 0, LAST, 0 } } },
    { .name = "drained",
      .story = "A worker is asked to leave: it gives its job back and says goodbye; the other one "
               "takes over.",
      .hosts = 2,
      .slots = 1,
      .jobs = 1,
      .examples = 4,
      .work_ms = 100,
      .script = { { 250, DRAIN, 0 }, { 0, LAST, 0 } } },
    { .name = "drained_by_name",
      .story = "A client asks the coordinator to empty a worker. It gets nothing more from that "
               "moment on, is told, gives back what waits and what runs, without blame, and goes.",
      .hosts = 2,
      .slots = 1,
      .queue = 2,
      .jobs = 5,
      .work_ms = 50,
      .shape = true,
      .script = { { 100, DRAIN_NAMED, 0 }, { 0, LAST, 0 } } },
    { .name = "full_disk",
      .story = "The disk is full: the commit fails, the coordinator ends, and nothing of it was "
               "acknowledged. When there is room it starts, and the worker tells again.",
      .hosts = 1,
      .slots = 1,
      .jobs = 1,
      .examples = 3,
      .work_ms = 100,
      .script = { { 150, FULL_DISK, 500 }, { 0, LAST, 0 } } },
    { .name = "fair_share",
      .story = "Two experiments of the same priority, one slot: neither waits for the other's end, "
               "though the first one's jobs are all older.",
      .hosts = 1,
      .slots = 1,
      .jobs = 6,
      .work_ms = 50,
      .parties = true,
      .script = { { 0, LAST, 0 } } },
    { .name = "end_of_the_allocation",
      .story =
          "A worker says that it leaves in 1.4 s. The first job tells how long its kind takes: "
          "there is time for a second one, and not for a third. A younger job, of which nobody "
          "knows anything, goes before that; then, with too little left, nothing. The next "
          "worker has no end, and takes the third.",
      .hosts = 1,
      .slots = 1,
      .jobs = 4,
      .work_ms = 480,
      .shape = true,
      .ends_ms = 1420,
      .script = { { 0, LAST, 0 } } },
};

static void collect(void *arg, const char *line)
{
    buf_adds(arg, line);
    buf_adds(arg, "\n");
}

/* In lines that can be read. */
static void tell_story(struct buf *trace, const char *story)
{
    enum { WIDTH = 100 };
    while (strlen(story) > WIDTH) {
        int n = WIDTH;
        while (story[n] != ' ')
            n--;
        buf_printf(trace, "%.*s\n", n, story);
        story += n + 1;
    }
    collect(trace, story);
}

static void do_deed(struct sim *m, const struct line *x)
{
    switch (x->deed) {
    case KILL:
        host_kill(m, x->what);
        break;
    case CRASH:
        coord_crash(m);
        break;
    case STOP:
        m->host[x->what].stopped_until_ms = m->now_ms + LEASE_MS + 300;
        sim_trace(m, "fault: worker=%u stopped until %u", (unsigned)m->host[x->what].worker,
                  (unsigned)m->host[x->what].stopped_until_ms);
        break;
    case CUT:
        net_cut(m, x->what);
        break;
    case CANCEL:
        coord_cancel(m, x->what);
        break;
    case DRAIN:
        sim_trace(m, "worker=%u is told to drain", (unsigned)m->host[x->what].worker);
        host_agent(m, x->what, AGENT_EV_DRAIN);
        break;
    case DRAIN_NAMED:
        coord_drain(m, x->what);
        break;
    case FULL_DISK:
        m->coord.full_until_ms = m->now_ms + x->what;
        sim_trace(m, "fault: the disk is full until %u", (unsigned)m->coord.full_until_ms);
        break;
    case LAST:
        break;
    }
}

static void tell(const struct scenario *x, struct buf *trace)
{
    struct sim_conf conf = { .jobs = x->jobs,
                             .hosts = x->hosts,
                             .slots = x->slots,
                             .queue = x->queue,
                             .delay_min_ms = 1,
                             .losses_max = 3,
                             .quarantine = 2,
                             .experiments = 2,
                             .limit_ms = 20000,
                             .ends = x->ends_ms > 0,
                             .ends_ms = x->ends_ms,
                             .faults_end_ms = x->ends_ms,
                             .steady = true };
    struct job_spec specs[JOBS_MAX] = { 0 };

    for (uint32_t j = 1; j <= x->jobs; j++) {
        specs[j] = (struct job_spec){ .examples = x->examples, .work_ms = x->work_ms };
        specs[j].row = (struct sched_job){ .id = j, .retries = 2, .eager = x->eager };
        specs[j].row.shape = x->shape;
        specs[j].poison = x->poison && j == 1;
        specs[j].fails = j == 1 ? x->fails : 0;
        specs[j].groups = !x->parties ? 0 : j <= x->jobs / 2 ? 1 : 2;
        if (x->chain && j > 1)
            specs[j].needs[specs[j].needs_len++] = j - 1;
    }
    if (x->ends_ms > 0) {
        specs[x->jobs].row.shape = 2;
        specs[x->jobs].work_ms = 80;
    }
    if (strcmp(x->name, "crash_before_anything_was_stored") == 0)
        specs[2].work_ms = 600;
    if (strcmp(x->name, "first_light") == 0) {
        specs[3].needs_len = 2;
        specs[3].needs[0] = 1;
        specs[3].needs[1] = 2;
    }
    struct sim *m = sim_new(1, &conf, specs);
    m->trace = collect;
    m->trace_arg = trace;
    tell_story(trace, x->story);
    for (const struct line *l = x->script; l->deed != LAST; l++) {
        (void)sim_run_until(m, l->at_ms);
        do_deed(m, l);
    }
    if (!sim_run_until(m, conf.limit_ms))
        sim_fail(m, "%s does not end", x->name);
    (void)sim_run_until(m, m->now_ms); /* the acks of the last moment */
    oracle_end(m);
    sim_free(m);
}

/* The number of the first line in which A and B differ. */
static unsigned first_difference(const char *a, const char *b)
{
    unsigned line = 1;
    for (; *a && *a == *b; a++, b++)
        line += *a == '\n';
    return line;
}

int main(int argc, char **argv)
{
    bool update = argc == 3 && strcmp(argv[2], "--update") == 0;
    int code = 0;

    if (argc < 2 || (argc > 2 && !update)) {
        fprintf(stderr, "usage: sim-scenarios FOLDER [--update]\n");
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        struct buf trace = { 0 }, golden = { 0 };
        struct err err = { 0 };
        char path[512];
        snprintf(path, sizeof path, "%s/%s.txt", argv[1], scenarios[i].name);
        tell(&scenarios[i], &trace);
        if (update && buf_write_file(path, buf_str(&trace), trace.len, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            code = 1;
        } else if (!update && buf_read_file(&golden, path, 1 << 20, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            code = 1;
        } else if (!update && strcmp(buf_str(&trace), buf_str(&golden)) != 0) {
            fprintf(stderr, "%s:%u: the trace differs (look at git diff after --update)\n", path,
                    first_difference(buf_str(&trace), buf_str(&golden)));
            code = 1;
        }
        buf_release(&trace);
        buf_release(&golden);
    }
    return code;
}
