// SPDX-License-Identifier: Apache-2.0
// What all views of one experiment share: its name and progress, the tabs, its document.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { Answer, Empty, State, Tabs, TabItem } from "../components/basics";
import { ProgressBar } from "../components/progress";
import { peek } from "../lib/api";
import { useData } from "../lib/data";
import { duration, integer, plural, progress, rate } from "../lib/format";
import { useTitle } from "../lib/hooks";
import { useKeys } from "../lib/keyboard";
import { Place, go, link } from "../lib/router";
import type { ExperimentDocument, Overview } from "../lib/types";
import { CurriculumView } from "../views/curriculum";
import { CompareView, CurvesView, GraphView, JobsView, ParetoView, RecipeView, RunsView } from "../views/experiment";
import { FailuresView } from "../views/failures";
import { ExamplesView, LabelsView } from "../views/labels";
import { TablesView } from "../views/tables";
import { Guard } from "./guard";

/** Every view of an experiment is a function of these. The place's query is useQuery()'s. */
export interface ExperimentViewProps {
  id: number;
  doc: ExperimentDocument;
  place: Place;
}

const VIEWS: {
  name: string;
  title: string;
  key: string;
  view: (props: ExperimentViewProps) => VNode;
  has?: keyof ExperimentDocument["has"];
}[] = [
  { name: "runs", title: "Runs", key: "r", view: RunsView },
  { name: "compare", title: "Compare", key: "c", view: CompareView },
  { name: "curves", title: "Curves", key: "m", view: CurvesView, has: "metrics" },
  { name: "pareto", title: "Pareto", key: "p", view: ParetoView },
  { name: "curriculum", title: "Curriculum", key: "u", view: CurriculumView, has: "curriculum" },
  { name: "labels", title: "Labels", key: "l", view: LabelsView, has: "labels" },
  { name: "examples", title: "Examples", key: "x", view: ExamplesView, has: "labels" },
  { name: "tables", title: "Tables", key: "t", view: TablesView, has: "tables" },
  { name: "graph", title: "Graph", key: "g", view: GraphView },
  { name: "jobs", title: "Jobs", key: "j", view: JobsView },
  { name: "failures", title: "Failures", key: "f", view: (props) => <FailuresView id={props.id} doc={props.doc} /> },
  { name: "recipe", title: "Recipe", key: "b", view: RecipeView },
];

export function ExperimentFrame(props: { id: number; place: Place }): VNode {
  const { id, place } = props;
  const document = useData<ExperimentDocument>(`experiments/${id}`);
  const name = place.parts[2] ?? "runs";
  const view = VIEWS.find((v) => v.name === name);
  const has = document.data?.has;
  const [known] = useState(() => peek<Overview>("overview")?.experiments.find((e) => e.id === id));
  const experiment = document.data?.experiment ?? known;
  useTitle(experiment === undefined ? null : `${experiment.name} ${view?.title ?? ""}`);
  useKeys(
    VIEWS.filter((v) => v.has === undefined || has?.[v.has] === true).map((v) => ({
      keys: "e " + v.key,
      text: v.title,
      section: "In an experiment",
      run: () => go(link("experiments", id, v.name)),
    })),
  );
  const items: TabItem[] = VIEWS.map((v) => ({
    name: v.name,
    title: v.title,
    href: link("experiments", id, v.name),
    hidden: v.has !== undefined && has !== undefined && !has[v.has] && v.name !== name,
    count:
      v.name === "failures" && experiment !== undefined && experiment.failed + experiment.diverged > 0
        ? integer(experiment.failed + experiment.diverged)
        : null,
  }));
  const View = view?.view;
  return (
    <div class="experiment">
      <header class="experiment-head">
        <div class="experiment-title">
          <nav class="crumbs" aria-label="Path">
            <a href={link()}>Experiments</a>
          </nav>
          <h1 title={experiment?.name}>{experiment?.name ?? `Experiment ${id}`}</h1>
          {experiment !== undefined && <State state={experiment.state} />}
        </div>
        {experiment !== undefined && (
          <div class="experiment-figures">
            <ProgressBar counts={experiment} label={experiment.name} />
            <span class="experiment-numbers">
              {progress(experiment.done, experiment.jobs)} of {integer(experiment.jobs)} jobs ·{" "}
              {plural(experiment.runs, "run")}
              {experiment.eta_s !== null && experiment.state === "running" && <> · {duration(experiment.eta_s)} left</>}
              {experiment.per_s !== null && experiment.per_s > 1e-5 && experiment.state === "running" && (
                <> · {rate(experiment.per_s)}</>
              )}
            </span>
          </div>
        )}
      </header>
      <Tabs label="Views of the experiment" items={items} current={name} />
      <div class="experiment-view">
        {View === undefined ? (
          <Empty title="No such view" />
        ) : name === "failures" ? (
          <Guard key={name}>
            <FailuresView id={id} doc={document.data ?? undefined} />
          </Guard>
        ) : (
          <Answer of={document} height={300} lines={6}>
            {(doc) => (
              <Guard key={name}>
                <View id={id} doc={doc} place={place} />
              </Guard>
            )}
          </Answer>
        )}
      </div>
    </div>
  );
}
