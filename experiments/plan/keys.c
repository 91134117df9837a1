/* SPDX-License-Identifier: Apache-2.0 */
/* Identities. Whatever is added here changes every key that was ever made: the golden keys of
 * tests/unit/experiments_plan say so. */
#include "experiments/plan/build.h"

static void add_inputs(const struct plan_job *job, const struct plan *p, struct digester *d)
{
    digest_add_u64(d, job->inputs_len);
    for (size_t i = 0; i < job->inputs_len; i++) {
        const struct plan_input *in = &job->input[i];
        digest_add_text(d, in->name);
        digest_add_u64(d, (uint64_t)in->source);
        switch (in->source) {
        case PLAN_BLOB:
            digest_add_bytes(d, in->digest.b, DIGEST_BYTES);
            break;
        case PLAN_OUTPUT:
            digest_add_bytes(d, p->job[in->producer].key.b, DIGEST_BYTES);
            digest_add_text(d, in->output);
            break;
        case PLAN_RESULTS: /* the families are added by themselves */
            break;
        }
    }
}

static void add_common(const struct plan_job *job, const struct plan *p, bool takes_seed,
                       struct digester *d)
{
    kind_digest(job->kind, job->params, d);
    digest_add_text(d, job->numeric_class);
    add_inputs(job, p, d);
    digest_add_u64(d, takes_seed);
    digest_add_u64(d, takes_seed ? job->seed : 0);
}

struct digest key_of_family(const struct plan_job *job, const struct plan *p, bool takes_seed,
                            const struct task_spec *task, int level, const char *split)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "family-1");
    add_common(job, p, takes_seed, &d);
    digest_add_text(&d, task->name);
    digest_add_u64(&d, task->version);
    digest_add_i64(&d, level);
    digest_add_text(&d, split);
    return digest_end(&d);
}

struct digest key_of_evaluation(const struct plan_job *job, const struct plan *p,
                                const struct task_spec *task, int level, const char *split)
{
    struct plan_job read = *job; /* what it reads of the question: not where its paths start */
    struct digester d;

    read.inputs_len = 0;
    for (size_t i = 0; i < job->inputs_len; i++)
        if (step_has_word("model task_file", job->input[i].name))
            read.input[read.inputs_len++] = job->input[i];
    digest_begin(&d);
    digest_add_text(&d, "evaluation-1");
    digest_add_text(&d, job->numeric_class);
    add_inputs(&read, p, &d);
    digest_add_text(&d, task->name);
    digest_add_u64(&d, task->version);
    digest_add_i64(&d, level);
    digest_add_text(&d, split);
    digest_add_text(&d, kind_text(job->kind, job->params, "prompts"));
    digest_add_i64(&d, kind_int(job->kind, job->params, "fewshot"));
    return digest_end(&d);
}

struct digest key_of_shard(const struct digest *family, uint64_t begin, uint64_t end)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "shard-1");
    digest_add_bytes(&d, family->b, DIGEST_BYTES);
    digest_add_u64(&d, begin);
    digest_add_u64(&d, end);
    return digest_end(&d);
}

struct digest key_of_job(const struct plan_job *job, const struct plan *p, bool takes_seed,
                         const uint64_t *examples)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "job-1");
    add_common(job, p, takes_seed, &d);
    digest_add_u64(&d, job->families.len);
    for (size_t i = 0; i < job->families.len; i++) {
        digest_add_bytes(&d, p->family[job->families.v[i]].key.b, DIGEST_BYTES);
        digest_add_u64(&d, examples[i]);
    }
    return digest_end(&d);
}
