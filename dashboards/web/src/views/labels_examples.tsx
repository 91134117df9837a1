// SPDX-License-Identifier: Apache-2.0
// The examples of a search, one row each: what was asked, what the label does.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Badge, Choice } from "../components/basics";
import { Strip, StripLegend } from "../components/strip";
import { DataTable } from "../components/table";
import type { Column } from "../components/table_columns";
import type { Source } from "../components/table_rows";
import { get } from "../lib/api";
import { useData } from "../lib/data";
import { cut, integer } from "../lib/format";
import { go, link, queryText, useQuery } from "../lib/router";
import type { ExampleRow, ExamplesPage, Labels } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";
import { exampleQuestion, LabelChoice, LabelWords, labelQuestion } from "./labels_choice";

type Row = ExampleRow & { verdict?: string };

const shows = ["all", "improved", "preserved", "shorter", "unsolved"] as const;

export function verdictTone(verdict: string): "good" | "busy" | "idle" | "plain" {
  return verdict === "improved"
    ? "busy"
    : verdict === "unsolved"
      ? "idle"
      : verdict === "shorter"
        ? "good"
        : "plain";
}

export function verdictOf(e: Row): string {
  if (e.verdict !== undefined) return e.verdict;
  if (!e.has_label) return "unsolved";
  return Number(e.base_correct) !== 0
    ? (e.label_layers ?? 0) < e.layers
      ? "shorter"
      : "preserved"
    : "improved";
}

function columns(address: (e: Row) => string): Column<Row>[] {
  return [
    {
      name: "idx",
      title: "#",
      type: "number",
      width: 64,
      fixed: true,
      render: (e) => <a href={address(e)}>{e.idx}</a>,
    },
    { name: "step", width: 90, shown: false, render: (e) => (e as Row & { step?: string }).step ?? "" },
    { name: "task", title: "Task", width: 90, render: (e) => cut(e.task, 30) },
    { name: "level", title: "Level", type: "number", width: 60, render: (e) => e.level ?? "" },
    { name: "split", title: "Split", width: 70, shown: false, render: (e) => e.split },
    {
      name: "question",
      title: "Question",
      width: 420,
      render: (e) => (
        <span class="cell-cut" title={cut(e.question ?? "", 600)}>
          {cut((e.question ?? "").replace(/\s+/g, " "), 160)}
        </span>
      ),
    },
    {
      name: "base",
      title: "Base",
      width: 88,
      hint: "Does the model answer right with every layer once?",
      render: (e) => (Number(e.base_correct) !== 0 ? "✓ right" : "✗ wrong"),
    },
    {
      name: "verdict",
      title: "Label",
      width: 92,
      render: (e) => <Badge tone={verdictTone(verdictOf(e))}>{verdictOf(e)}</Badge>,
    },
    {
      name: "routing",
      title: "Layers",
      width: 210,
      hint: "low and open: skipped; tall: repeated",
      render: (e) =>
        e.routing === null || e.routing === "" ? (
          <span class="muted">none</span>
        ) : (
          <Strip routing={e.routing} />
        ),
    },
    {
      name: "label_layers",
      title: "Length",
      type: "number",
      width: 84,
      hint: "Layer applications of the label's path, of the model's layers",
      render: (e) => (e.has_label ? `${e.label_layers ?? "–"} / ${e.layers}` : "–"),
    },
    {
      name: "simulations",
      title: "Simulations",
      type: "number",
      width: 116,
      render: (e) => integer(e.simulations),
    },
  ];
}

// "layer 7 skipped", with a button that takes it away; and a field that adds one.
function LayerConditions(props: { layers: number }): VNode {
  const [query, change] = useQuery();
  const [text, setText] = useState("");
  const at = query.getAll("at");
  const add = (choice: string): void => {
    const layer = Number(text);
    if (text.trim() === "" || !Number.isInteger(layer) || layer < 0) return;
    setText("");
    change({ at: [...new Set([...at, `${layer}:${choice}`])] });
  };
  return (
    <span class="field layer-conditions" role="group" aria-label="Layers">
      <label>
        <span class="field-label">Layer</span>
        <input
          type="number"
          min={0}
          max={Math.max(0, props.layers - 1)}
          value={text}
          class="short-field"
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") add("skip");
          }}
        />
      </label>
      <button type="button" class="button small" disabled={text === ""} onClick={() => add("skip")}>
        skipped
      </button>
      <button type="button" class="button small" disabled={text === ""} onClick={() => add("repeat")}>
        repeated
      </button>
      {at.map((a) => {
        const [layer, choice] = a.split(":");
        const words = `layer ${layer} ${choice === "skip" ? "skipped" : choice === "repeat" ? "repeated" : "executed"}`;
        return (
          <span key={a} class="chip">
            <span class="chip-text">{cut(words, 60)}</span>
            <button
              type="button"
              class="chip-remove"
              aria-label={`Remove: ${words}`}
              onClick={() => change({ at: at.filter((b) => b !== a) })}
            >
              ✕
            </button>
          </span>
        );
      })}
    </span>
  );
}

function Length(props: { name: "min_layers" | "max_layers"; label: string }): VNode {
  const [query, change] = useQuery();
  return (
    <label class="field">
      <span class="field-label">{props.label}</span>
      <input
        type="number"
        min={0}
        class="short-field"
        value={query.get(props.name) ?? ""}
        onChange={(event) => change({ [props.name]: event.currentTarget.value })}
      />
    </label>
  );
}

export function ExamplesView(props: ExperimentViewProps): VNode {
  const { id } = props;
  const [query, change] = useQuery();
  const labels = useData<Labels & LabelWords>(`experiments/${id}/labels`, labelQuestion(query));
  const [text, setText] = useState(query.get("text") ?? "");
  const question = exampleQuestion(query);
  const key = queryText(question);
  const list = useMemo(
    () => columns((e) => link("labels", e.label, { experiment: id, ...question })),
    [id, key],
  );
  const source = useMemo(
    (): Source<Row> => ({
      key: `${id} ${key}`,
      load: async (after, limit, signal) => {
        const page = await get<ExamplesPage>(
          `experiments/${id}/examples`,
          { ...question, after, limit },
          signal,
        );
        return { rows: page.examples, next: page.next, matched: page.matched, total: null };
      },
    }),
    [id, key],
  );
  const show = shows.find((s) => s === query.get("show")) ?? "all";
  return (
    <div class="examples">
      <div class="view-bar">
        <Choice
          label="Outcome"
          value={show}
          options={shows}
          onChange={(v) => change({ show: v === "all" ? null : v })}
        />
        <LabelChoice words={labels.data} />
        <LayerConditions layers={labels.data?.all.layers ?? 256} />
        <Length name="min_layers" label="Length from" />
        <Length name="max_layers" label="to" />
      </div>
      <DataTable
        label="Examples"
        what="examples"
        columns={list}
        source={source}
        rowKey={(e) => e.label}
        onOpen={(e) => go(link("labels", e.label, { experiment: id, ...question }))}
        toolbar={
          <>
            <input
              type="search"
              data-filter
              class="filter-field"
              placeholder="Text in the question"
              aria-label="Text in the question"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter") change({ text });
              }}
              onBlur={() => change({ text })}
            />
            <StripLegend />
          </>
        }
      />
    </div>
  );
}
