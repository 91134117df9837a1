// SPDX-License-Identifier: Apache-2.0
// Curricula side by side: what each stage of training was given (budget, difficulty) and what came
// of it (accuracy, tokens).
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { Answer, Card, Choice, Empty, Select } from "../components/basics";
import { Chart } from "../components/chart";
import { FilterBar } from "../components/filterbar";
import { Sentence } from "../components/sentence";
import { PlainTable } from "../components/plain_table";
import { useData } from "../lib/data";
import { firstGrouping, groupings, shortName } from "../lib/columns";
import { filterText, filtersOf } from "../lib/filters";
import { compact, integer, share } from "../lib/format";
import { brief, fixed, intervalText, measureLook, measureText } from "../lib/measures";
import { useQuery } from "../lib/router";
import {
  commonStages,
  curriculumWords,
  groupNames,
  StageAxis,
  StageGroup,
  Planned,
  plannedOf,
  plannedPath,
  plannedSeries,
  StageMeasure,
  stagePath,
  stageSeries,
  stagesKnow,
  stageValue,
} from "../lib/stages";
import type { Curriculum, CurriculumStage } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";

const panels: readonly { measure: StageMeasure; title: string; axis: string }[] = [
  { measure: "budget", title: "Budget", axis: "Budget (tokens)" },
  { measure: "difficulty", title: "Difficulty", axis: "Difficulty (level)" },
  { measure: "accuracy", title: "Accuracy while training", axis: "Accuracy (%)" },
  { measure: "tokens", title: "Length of answers", axis: "Length (tokens)" },
  { measure: "validation_accuracy", title: "Validation accuracy", axis: "Accuracy (%)" },
  { measure: "reward", title: "Reward", axis: "Reward" },
  { measure: "truncated", title: "Answers cut off", axis: "Cut off (%)" },
];

const always: readonly StageMeasure[] = ["budget", "difficulty", "accuracy", "tokens"];

// Is a panel worth its place: does it know anything, and, beside the four, anything but zero?
function worthShowing(d: Curriculum, measure: StageMeasure): boolean {
  if (!stagesKnow(d, measure)) return false;
  return (
    always.includes(measure) ||
    d.groups.some((g) =>
      g.stages.some((s) => (stageValue(s, measure) ?? 0) > (measure === "truncated" ? 0.005 : 0)),
    )
  );
}

type Answered = Curriculum & { band?: string; ready?: boolean; loaded?: number };

function Panel(props: {
  data: Curriculum;
  measure: StageMeasure;
  title: string;
  yLabel: string;
  axis: StageAxis;
  planned: Planned[];
}): VNode {
  const { data, measure, axis } = props;
  const series = useMemo(() => {
    const names = groupNames(data.groups);
    const done = data.groups.map((g, k) => stageSeries(g, measure, axis, k, names[k]!));
    const planned = props.planned.flatMap((plan) => {
      const k = data.groups.findIndex((o) => o.name === plan.name);
      const one = plannedSeries(plan, Math.max(0, k));
      return one === null ? [] : [one];
    });
    return [...done, ...(measure === "budget" && axis === "step" ? planned : [])];
  }, [data, measure, axis, props.planned]);
  const stages = useMemo(() => (axis === "stage" ? undefined : commonStages(data.groups)), [data, axis]);
  return (
    <section class="panel" aria-label={props.title}>
      <h2 class="panel-title">{props.title}</h2>
      <Chart
        {...(stages === undefined ? {} : { stages })}
        label={`${props.title} over ${axis === "stage" ? "stages" : "training steps"}`}
        series={series}
        xLabel={axis === "stage" ? "Stage" : "Training step"}
        yLabel={props.yLabel}
        xFormat={(x) => (axis === "stage" ? (Number.isInteger(x) ? String(x) : "") : compact(x))}
        yFormat={brief}
        height={230}
      />
    </section>
  );
}

function last(g: StageGroup): CurriculumStage | undefined {
  return g.stages[g.stages.length - 1];
}

function Summary(props: { data: Curriculum; planned: Planned[] }): VNode {
  const { data, planned } = props;
  const names = groupNames(data.groups);
  const accuracy = measureLook("accuracy");
  const tokens = measureLook("tokens");
  return (
    <PlainTable
      label="Schedules"
      rows={data.groups.map((g, k) => ({ g, name: names[k]!, plan: planned.find((p) => p.name === g.name) }))}
      rowKey={(r) => r.name}
      columns={[
        { name: "name", title: "Schedule", sort: true, value: (r) => r.name, render: (r) => r.name },
        { name: "runs", title: "Runs", type: "number", render: (r) => integer(r.g.runs) },
        { name: "seeds", title: "Seeds", type: "number", render: (r) => integer(last(r.g)?.seeds) },
        { name: "stages", title: "Stages", type: "number", render: (r) => integer(r.g.stages.length) },
        { name: "planned", title: "Planned budget", render: (r) => plannedPath(r.plan) },
        { name: "budget", title: "Mean budget of the stages", render: (r) => stagePath(r.g, "budget") },
        { name: "difficulty", title: "Difficulty", render: (r) => stagePath(r.g, "difficulty") },
        {
          name: "accuracy",
          title: "Last accuracy %",
          type: "number",
          sort: true,
          value: (r) => last(r.g)?.accuracy ?? null,
          render: (r) => measureText(last(r.g)?.accuracy, accuracy, true),
        },
        {
          name: "accuracy_ci",
          title: "95 % interval",
          render: (r) => (
            <span class="ci">
              {intervalText(last(r.g)?.accuracy_lo, last(r.g)?.accuracy_hi, accuracy, false)}
            </span>
          ),
        },
        {
          name: "tokens",
          title: "Last tokens",
          type: "number",
          sort: true,
          value: (r) => last(r.g)?.tokens ?? null,
          render: (r) => measureText(last(r.g)?.tokens, tokens, true),
        },
        {
          name: "tokens_ci",
          title: "95 % interval",
          render: (r) => (
            <span class="ci">{intervalText(last(r.g)?.tokens_lo, last(r.g)?.tokens_hi, tokens, false)}</span>
          ),
        },
        {
          name: "reward",
          title: "Last reward",
          type: "number",
          sort: true,
          value: (r) => last(r.g)?.reward ?? null,
          render: (r) => fixed(last(r.g)?.reward, 3),
        },
      ]}
    />
  );
}

export function CurriculumView(props: ExperimentViewProps): VNode {
  const { id, doc } = props;
  const [query, change] = useQuery();
  const params = groupings(doc).map((c) => c.name);
  const by = query.get("by") ?? firstGrouping(doc);
  const filters = filtersOf(query);
  const axis: StageAxis = query.get("x") === "stage" ? "stage" : "step";
  const curriculum = useData<Answered>(`experiments/${id}/curriculum`, {
    by: by === "" ? [""] : by,
    filter: filters.map(filterText),
  });
  const planned = useMemo(
    () => (curriculum.data === null ? [] : plannedOf(curriculum.data)),
    [curriculum.data],
  );
  return (
    <div class="curriculum">
      <div class="view-bar">
        <Select
          label="Schedules by"
          value={by}
          options={[...new Set([...(by === "" ? [""] : [by]), ...params])].map((p) => ({
            value: p,
            title: p === "" ? "all runs" : shortName(p, params),
          }))}
          onChange={(v) => change({ by: v })}
        />
        <Choice
          label="x"
          value={axis}
          options={[
            { value: "step", title: "training steps" },
            { value: "stage", title: "stages" },
          ]}
          onChange={(v) => change({ x: v === "stage" ? v : null })}
        />
        <FilterBar
          columns={[{ name: "run" }, ...doc.columns]}
          filters={filters}
          onChange={(list) => change({ filter: list.map(filterText) })}
        />
      </div>
      <Answer of={curriculum} height={500} lines={8}>
        {(d) =>
          d.groups.every((g) => g.stages.length === 0) ? (
            <Empty title="No stages yet">
              No run that the filters let through has finished a stage of training.
            </Empty>
          ) : (
            <>
              <div class="lead-block">
                <Sentence words={curriculumWords(d)} />
              </div>
              <div class="panels">
                {panels
                  .filter((p) => worthShowing(d, p.measure))
                  .map((p) => (
                    <Panel
                      key={p.measure}
                      data={d}
                      axis={axis}
                      planned={planned}
                      measure={p.measure}
                      title={p.title}
                      yLabel={p.axis}
                    />
                  ))}
              </div>
              <Card title="Schedules side by side">
                <Summary data={d} planned={planned} />
              </Card>
              <p class="chart-note">
                Bands: {d.band ?? "95 % t interval over seeds, from three seeds on"}. Accuracy and length are
                of the answers sampled in training, over each stage. Dashed: the budget as planned.
                {d.ready === false && ` Still reading: ${share(d.loaded ?? 0, 0)}.`}
              </p>
            </>
          )
        }
      </Answer>
    </div>
  );
}
