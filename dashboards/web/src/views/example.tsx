// SPDX-License-Identifier: Apache-2.0
// One question: what the model answers with all its layers and with the label's, and the search
// that found the label.
import "../styles/science.css";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { Answer, Badge, Card, Empty, Facts, LongText } from "../components/basics";
import { SearchTree } from "../components/search_tree";
import { Strip, StripLegend } from "../components/strip";
import { useData } from "../lib/data";
import { cut, duration, integer, share } from "../lib/format";
import { useTitle } from "../lib/hooks";
import { useKeys } from "../lib/keyboard";
import { go, link, useQuery } from "../lib/router";
import { routingWords } from "../lib/routing";
import type { LabelDocument, TreeNode } from "../lib/types";
import { exampleQuestion } from "./labels_choice";
import { verdictOf, verdictTone } from "./labels_examples";

interface More {
  verdict?: string;
  evaluations?: number | null;
  hinted?: number | null;
  layer_rows?: number | null;
  layer_rows_whole?: number | null;
  wall_us?: number | null;
  subset?: string | null;
  job?: { id: number; step: string; worker: string | null } | null;
  readers?: { experiment: number; name: string; step: string; run: number; seed: number }[];
  readers_more?: boolean;
}

type Doc = Omit<LabelDocument, "label"> & { label: LabelDocument["label"] & More };
type Tree = NonNullable<LabelDocument["tree"]> & { of?: number; truncated?: boolean; right?: number };

function AnswerBox(props: {
  title: string;
  answer: string | null;
  right: boolean | null;
  routing: string;
  base?: string;
  note: string;
}): VNode {
  return (
    <div class={"answer-box " + (props.right === null ? "" : props.right ? "answer-right" : "answer-wrong")}>
      <h3>
        {props.title}
        {props.right !== null && (
          <Badge tone={props.right ? "good" : "bad"}>{props.right ? "✓ right" : "✗ wrong"}</Badge>
        )}
      </h3>
      <LongText
        text={props.answer === null || props.answer === "" ? "(empty)" : props.answer}
        lines={4}
        mono
      />
      <div class="strip-scroll" tabIndex={0} role="region" aria-label={`${props.title}: layers`}>
        <Strip
          routing={props.routing}
          large
          {...(props.base === undefined ? {} : { against: props.base })}
          label={props.title}
        />
      </div>
      <p class="muted">{props.note}</p>
    </div>
  );
}

function Answers(props: { label: Doc["label"] }): VNode {
  const l = props.label;
  const whole = "1".repeat(Math.min(256, Math.max(0, l.layers)));
  const saved = l.label_layers !== null && l.layers > 0 ? l.layers - l.label_layers : 0;
  return (
    <div class="answer-pair">
      <AnswerBox
        title="Every layer once"
        answer={l.base_answer}
        right={Number(l.base_correct) !== 0}
        routing={whole}
        note={`${integer(l.layers)} layers`}
      />
      {l.has_label && l.routing !== null ? (
        <AnswerBox
          title="The label's path"
          answer={l.label_answer}
          right={true}
          routing={l.routing}
          base={whole}
          note={`${routingWords(l.routing)}${saved > 0 ? `; saves ${share(saved / l.layers, 0)}` : saved < 0 ? `; costs ${share(-saved / l.layers, 0)} more` : ""}`}
        />
      ) : (
        <div class="answer-box">
          <h3>No label</h3>
          <p>None of the paths that the search tried answers this question right.</p>
          {l.label_answer !== null && l.label_answer !== "" && (
            <LongText text={l.label_answer} lines={4} mono />
          )}
        </div>
      )}
    </div>
  );
}

function SearchCard(props: { tree: Tree; label: Doc["label"] }): VNode {
  const { tree, label } = props;
  const nodes = useMemo(
    () => tree.nodes.map((n): TreeNode => ({ ...n, edit: n.edit === "" ? "root" : n.edit })),
    [tree],
  );
  const saved =
    typeof label.layer_rows === "number" &&
    typeof label.layer_rows_whole === "number" &&
    label.layer_rows_whole > 0
      ? 1 - label.layer_rows / label.layer_rows_whole
      : null;
  return (
    <Card title="The search" class="search-card">
      <Facts
        items={[
          ["Simulations", integer(tree.simulations)],
          ["Paths evaluated", integer(tree.evaluations)],
          tree.right !== undefined && [
            "Right",
            `${integer(tree.right)} (${share(tree.right / Math.max(1, tree.of ?? nodes.length), 0)})`,
          ],
          typeof label.hinted === "number" &&
            label.hinted > 0 && ["From earlier searches", integer(label.hinted)],
          saved !== null && ["Layers saved by prefixes and memo", share(saved, 0)],
          typeof label.wall_us === "number" && label.wall_us > 0 && ["Time", duration(label.wall_us / 1e6)],
        ]}
      />
      {tree.truncated === true && (
        <p class="muted">
          The first {integer(nodes.length)} of {integer(tree.of)} paths, and the way to the label.
        </p>
      )}
      <SearchTree nodes={nodes} best={tree.best} layers={tree.layers} />
    </Card>
  );
}

export function ExampleView(props: { id: number }): VNode {
  const [query] = useQuery();
  const experiment = query.get("experiment");
  const question = { experiment, ...exampleQuestion(query) };
  const example = useData<Doc>(`labels/${props.id}`, question);
  const d = example.data;
  const place = (to: number | null | undefined): string | null =>
    to === null || to === undefined ? null : link("labels", to, question);
  // the server gives up where a list has nothing that fits for long
  const [previous, next] = [place(d?.neighbours.previous), place(d?.neighbours.next)];
  useTitle(d === null ? null : `${d.label.task} ${d.label.idx}`);
  useKeys([
    { keys: "n", text: "Next example", section: "Examples", run: () => next !== null && go(next) },
    {
      keys: "p",
      text: "Previous example",
      section: "Examples",
      run: () => previous !== null && go(previous),
    },
  ]);
  const reader =
    d?.label.readers?.find((r) => experiment === null || String(r.experiment) === experiment) ??
    d?.label.readers?.[0];
  const home = experiment ?? (reader === undefined ? null : String(reader.experiment));
  return (
    <div class="example">
      <header class="example-head">
        <nav class="crumbs" aria-label="Path">
          <a href={link()}>Experiments</a>
          {home !== null && (
            <>
              <a href={link("experiments", home, "labels")}>
                {reader === undefined ? `experiment ${home}` : cut(reader.name, 60)}
              </a>
              <a href={link("experiments", home, "examples", exampleQuestion(query))}>Examples</a>
            </>
          )}
        </nav>
        <div class="example-title">
          <h1>
            {d === null
              ? "\u00a0"
              : `${cut(d.label.task, 60)}${d.label.level === null ? "" : ` level ${d.label.level}`} · ${d.label.split} ${d.label.idx}`}
          </h1>
          {d !== null && <Badge tone={verdictTone(verdictOf(d.label))}>{verdictOf(d.label)}</Badge>}
          <span class="example-turn">
            <a
              class="button small"
              href={previous ?? undefined}
              aria-disabled={previous === null}
              title="Previous (p)"
            >
              ← Previous
            </a>
            <a class="button small" href={next ?? undefined} aria-disabled={next === null} title="Next (n)">
              Next →
            </a>
          </span>
        </div>
      </header>
      <Answer of={example} height={500} lines={8}>
        {(doc) => (
          <>
            <Card title="Question" actions={<StripLegend />}>
              <div class="card-body">
                <LongText text={doc.label.question ?? ""} lines={8} mono />
                <Facts
                  items={[
                    ["Right answer", <code key="gold">{cut(doc.label.gold ?? "–", 300)}</code>],
                    doc.label.source_id !== null &&
                      doc.label.source_id !== "" &&
                      doc.label.source_id !== doc.label.question && ["Source", cut(doc.label.source_id, 120)],
                    typeof doc.label.subset === "string" &&
                      doc.label.subset !== "" && ["Subset", cut(doc.label.subset, 80)],
                    doc.label.job !== null &&
                      doc.label.job !== undefined && [
                        "Job",
                        <a
                          key="job"
                          href={link("jobs", doc.label.job.id)}
                        >{`${doc.label.job.step} ${doc.label.job.id}`}</a>,
                      ],
                    reader !== undefined && [
                      "Run",
                      <a key="run" href={link("runs", reader.run)}>{`${reader.run}, seed ${reader.seed}`}</a>,
                    ],
                  ]}
                />
                <Answers label={doc.label} />
              </div>
            </Card>
            {doc.tree === null || doc.tree.nodes.length === 0 ? (
              <Card title="The search">
                <Empty title="No log">
                  The paths that this search tried were not kept (search.log = false).
                </Empty>
              </Card>
            ) : (
              <SearchCard key={String(doc.label["id"] ?? props.id)} tree={doc.tree} label={doc.label} />
            )}
          </>
        )}
      </Answer>
    </div>
  );
}
