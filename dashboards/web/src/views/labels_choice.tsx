// SPDX-License-Identifier: Apache-2.0
// Which labels a view shows: fields for step, task, level and split that live in the address.
import type { VNode } from "preact";
import { Select } from "../components/basics";
import { useQuery } from "../lib/router";
import type { QueryValue } from "../lib/router";

export interface LabelWords {
  steps?: string[];
  tasks?: string[];
  levels?: (string | number)[];
  splits?: string[];
}

const parts = ["step", "task", "level", "split"] as const;

// The members of the address that choose labels, as the server takes them.
export function labelQuestion(query: URLSearchParams): Record<string, QueryValue> {
  return Object.fromEntries(parts.map((p) => [p, query.get(p)]));
}

// The same with everything that a list of examples is narrowed by.
export function exampleQuestion(query: URLSearchParams): Record<string, QueryValue> {
  return {
    ...labelQuestion(query),
    show: query.get("show"),
    at: query.getAll("at"),
    min_layers: query.get("min_layers"),
    max_layers: query.get("max_layers"),
    text: query.get("text"),
    run: query.get("run"),
  };
}

export function LabelChoice(props: { words: LabelWords | null }): VNode {
  const [query, change] = useQuery();
  const lists: Record<(typeof parts)[number], (string | number)[]> = {
    step: props.words?.steps ?? [],
    task: props.words?.tasks ?? [],
    level: props.words?.levels ?? [],
    split: props.words?.splits ?? [],
  };
  return (
    <>
      {parts.map((part) => {
        const now = query.get(part) ?? "";
        const list = lists[part].map(String);
        if (list.length < 2 && now === "") return null;
        return (
          <Select
            key={part}
            label={part.slice(0, 1).toUpperCase() + part.slice(1)}
            value={now}
            options={[{ value: "", title: "all" }, ...new Set([...list, ...(now === "" ? [] : [now])])]}
            onChange={(v) => change({ [part]: v })}
          />
        );
      })}
    </>
  );
}
