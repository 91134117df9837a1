// SPDX-License-Identifier: Apache-2.0
// Sums of what searches found, by step, task, level and split: put together as readers want rows. Pure.
import { cut } from "./format";
import type { LabelSet, LayerCounts } from "./types";

export type RowsBy = "task" | "step" | "set";

function counts(into: Map<number, number>, list: readonly [number, number][]): void {
  for (const [length, n] of list) into.set(length, (into.get(length) ?? 0) + n);
}

// One set of all, under the names of the first. Models of different depth: layers from the first.
export function mergeSets(sets: readonly LabelSet[]): LabelSet {
  const first = sets[0]!;
  const sum = (f: (s: LabelSet) => number): number => sets.reduce((n, s) => n + f(s), 0);
  const depth = Math.max(0, ...sets.map((s) => s.per_layer.length));
  const lengths = new Map<number, number>();
  for (const s of sets) counts(lengths, s.lengths);
  const labelled = sum((s) => s.labelled);
  return {
    ...first,
    n: sum((s) => s.n),
    labelled,
    preserved: sum((s) => s.preserved),
    improved: sum((s) => s.improved),
    unsolved: sum((s) => s.unsolved),
    layers: Math.max(0, ...sets.map((s) => s.layers)),
    per_layer: Array.from({ length: depth }, (_, l): LayerCounts => {
      const at = (choice: 0 | 1 | 2): number => sum((s) => s.per_layer[l]?.[choice] ?? 0);
      return [at(0), at(1), at(2)];
    }),
    lengths: [...lengths].sort((a, b) => a[0] - b[0]),
    mean_layers: labelled > 0 ? sum((s) => (s.mean_layers ?? 0) * s.labelled) / labelled : null,
  };
}

export interface LabelRow {
  name: string;
  set: LabelSet;
  // what a list of its examples is narrowed by
  choose: Record<string, string | number | null>;
}

const parts: Record<RowsBy, readonly ("step" | "task" | "level" | "split")[]> = {
  task: ["task", "level"],
  step: ["step"],
  set: ["step", "task", "level", "split"],
};

function levelText(level: LabelSet["level"]): string {
  return level === null || level === "" ? "" : `level ${level}`;
}

// Rows of the maps: sets that agree in what BY means, in the order of their first.
export function labelRows(sets: readonly LabelSet[], by: RowsBy): LabelRow[] {
  const groups = new Map<string, LabelSet[]>();
  for (const s of sets) {
    const key = JSON.stringify(parts[by].map((p) => s[p]));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [s]);
    else group.push(s);
  }
  const rows = [...groups.values()].map((group) => ({ set: mergeSets(group), first: group[0]! }));
  const differs = (p: "step" | "task" | "level" | "split"): boolean =>
    rows.some((r) => r.first[p] !== rows[0]!.first[p]);
  return rows.map(({ set, first }) => {
    const words = parts[by].map((p) =>
      p === "level"
        ? differs(p) || first.level
          ? levelText(first.level)
          : ""
        : p === "task" || by === "step" || differs(p)
          ? String(first[p])
          : "",
    );
    return {
      name: cut(words.filter((w) => w !== "").join(" "), 40),
      set,
      choose: Object.fromEntries(parts[by].map((p) => [p, first[p]])),
    };
  });
}

// The first way of making rows that is of use: by task and level, unless all sets are of one.
export function firstRows(sets: readonly LabelSet[]): RowsBy {
  const several = (by: RowsBy): boolean =>
    new Set(sets.map((s) => JSON.stringify(parts[by].map((p) => s[p])))).size > 1;
  return several("task") ? "task" : several("step") ? "step" : several("set") ? "set" : "task";
}
