/* SPDX-License-Identifier: Apache-2.0 */
/* copy_tables.c - every table of the schema, for copy.c. Whoever adds a table or a column says here
 * how it is copied. Order: a table after those that its natural key refers to. */
#include "store/keep/copy.h"

#define JOB_OF(ID)                                                                                 \
    "(SELECT 'job ' || substr(lower(hex(j.key)), 1, 16) || ' (' || j.kind || ', step ' || j.step " \
    "|| ')' FROM src.job AS j WHERE j.id = " ID ")"
#define RUN_OF(ID)                                                                                 \
    "(SELECT 'run ' || substr(lower(hex(r.digest)), 1, 16) FROM src.run AS r WHERE r.id = " ID ")"
#define EXAMPLE_OF(WHAT)                                                                           \
    "(SELECT printf('%s, level %d, example %016x', e.task, e.level, e.number) FROM src.example "   \
    "AS e WHERE e.id = s.example) || ', " WHAT " in family ' || (SELECT "                          \
    "substr(lower(hex(f.key)), 1, 16) FROM src.family AS f WHERE f.id = s.family)"
#define OF(TABLE, COLUMN)                                                                          \
    "temp.map_" COLUMN " AS o CROSS JOIN src." TABLE " AS s ON s." COLUMN " = o.old"
#define ROWS_OF(TABLE, LAST)                                                                       \
    "temp.want_family AS o CROSS JOIN src." TABLE " AS s ON s.family = o.id AND s." LAST "o.rows"

const struct copy_table copy_tables[] = {
    { .name = "experiment",
      .columns = "id! name* revision>revision submitted_ms cancelled paused "
                 "priority" },
    { .name = "revision",
      .columns = "id! experiment*>experiment number= digest* recipe path submitted_ms git",
      .unique = "experiment>experiment number",
      .says = "'revision ' || s.number || ' (another set of points; import it under another name "
              "with --as)'" },
    { .name = "run",
      .columns = "id! experiment*>experiment digest* seed= revision>revision superseded",
      .says = RUN_OF("s.id") },
    { .name = "param",
      .columns = "run*>run name* value=",
      .from = OF("param", "run"),
      .says = RUN_OF("s.run") " || ', parameter ' || s.name" },
    { .name = "family",
      .columns = "id! key* kind= task= level= split= complete evaluation",
      .says = "'family ' || substr(lower(hex(s.key)), 1, 16)" },
    { .name = "job",
      .columns = "id! key* kind= kind_version= class= step state waiting priority seed= "
                 "range_begin= range_end= retries tries losses epoch attempt>attempt diverged "
                 "params= params_text submitted_ms paused owner>experiment cores memory_mib "
                 "labels parts needed",
      .says = JOB_OF("s.id") },
    { .name = "job_need",
      .columns = "job*>job need*>job gate",
      .from = OF("job_need", "job"),
      .with = "job" },
    { .name = "blob",
      .columns = "id! digest* size= folder= path evicted",
      .says = "'blob ' || substr(lower(hex(s.digest)), 1, 16)" },
    { .name = "job_input",
      .columns = "job*>job place* name source blob>blob producer>job output",
      .from = OF("job_input", "job"),
      .with = "job" },
    { .name = "job_family",
      .columns = "job*>job place* family>family examples",
      .from = OF("job_family", "job"),
      .with = "job" },
    { .name = "job_output",
      .columns = "job*>job name* blob=>blob",
      .from = OF("job_output", "job"),
      .says = JOB_OF("s.job") " || ', output ' || s.name" },
    { .name = "worker",
      .columns = "id! uid* name host pid version classes slots threads first_ms last_ms gone "
                 "environment" },
    /* Its epoch is no key: the same job may have run in both stores (copy.c). */
    { .name = "attempt",
      .columns = "id! job*>job epoch worker*>worker incarnation outcome started_ms* ended_ms "
                 "wall_ms cpu_ms text environment compared repeats from_step" },
    { .name = "tally",
      .columns = "family*>family examples* part* subset parts search n correct correct_norm "
                 "labelled preserved improved layers_label layers_all layers_base tokens generated "
                 "truncated repeats",
      .from = ROWS_OF("tally", "examples <= ") },
    { .name = "vector",
      .columns = "id! family*>family metric* n form data",
      .from = ROWS_OF("vector", "n <= ") },
    /* Behind what the triggers of run_summary look at. */
    { .name = "run_family",
      .columns = "run*>run step* family*>family examples",
      .from = OF("run_family", "run") },
    { .name = "run_job", .columns = "run*>run job*>job step live", .from = OF("run_job", "run") },
    { .name = "gate", .columns = "run*>run job*>job selector*>job", .from = OF("gate", "run") },
    { .name = "candidate",
      .columns = "selector*>job run*>run digest= chosen",
      .from = OF("candidate", "run"),
      .says = RUN_OF("s.run") " || ', candidate'" },
    { .name = "log", .columns = "attempt*>attempt text", .from = OF("log", "attempt") },
    { .name = "series",
      .columns = "id! attempt*>attempt name* n finite first_step last_step last min max sum head "
                 "closed" },
    { .name = "metric_chunk",
      .columns = "id! series*>series level* first_step* last_step stride n finite min max sum "
                 "steps points",
      .from = OF("metric_chunk", "series"),
      .with = "series" },
    { .name = "event",
      .columns = "id! at_ms* incarnation* kind* job*>job attempt*>attempt text*",
      .from = OF("event", "job") },
    { .name = "example",
      .columns = "id! task* level* split* number* source_id question gold subset" },
    { .name = "label",
      .columns =
          "id! family*>family example*>example idx= attempt>attempt base_correct= has_label= "
          "routing= layers label_layers= simulations evaluations layer_rows layer_rows_whole "
          "base_answer= label_answer= wall_us repeats digest= hinted",
      .unique = "family>family idx",
      .says = EXAMPLE_OF("label") },
    { .name = "search_log",
      .columns = "label*>label place* parent routing reward visits value answer",
      .from = OF("search_log", "label"),
      .with = "label" },
    { .name = "score",
      .columns =
          "id! family*>family example*>example idx= attempt>attempt correct= correct_norm= "
          "answer= layer_rows layers tokens routing= logprob= wall_us repeats digest= metrics "
          "pick gold_class whole_set truncated generated",
      .from = ROWS_OF("score", "idx < "),
      .unique = "family>family idx",
      .says = EXAMPLE_OF("score") },
    { .name = "summary",
      .columns = "id! family*>family examples* metric* value stderr stderr_pooled n truncated",
      .from = ROWS_OF("summary", "examples <= ") },
    { .name = "replay",
      .columns = "id! job*>job at_ms* verdict* text* environment*",
      .from = OF("replay", "job") },
};
const size_t copy_tables_len = ARRAY_LEN(copy_tables);

/* meta: counters of one file. pin: a decision of the one who keeps a store. run_summary: triggers
 * make it from the others. checkpoint: of work that goes on, in this store. shape: how long jobs
 * take here. audit: who did what here. */
const char *const copy_not[] = { "meta",  "pin",   "run_summary", "checkpoint", "checkpoint_gone",
                                 "shape", "audit", NULL };
