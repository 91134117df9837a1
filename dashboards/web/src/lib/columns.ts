// SPDX-License-Identifier: Apache-2.0
// Which columns of an experiment's runs a view offers, and which it chooses at first. Pure.
import type { Cell, ExperimentDocument, RunColumn } from "./types";

// TELLING: the parameter that tells most about the runs, as the server found.
type Doc = Pick<ExperimentDocument, "columns"> & { telling?: string | null };

// Measures in the order that readers look for them.
const order = [
  "accuracy",
  "base",
  "oracle",
  "layers",
  "tokens",
  "reward",
  "loss",
  "n",
  "seconds",
  "jobs",
  "done",
  "running",
  "ready",
  "waiting",
  "failed",
  "skipped",
  "cancelled",
  "diverged",
];

export function isParam(c: { kind: string }): boolean {
  return c.kind === "param";
}

export function isState(c: { kind: string; name: string }): boolean {
  return c.kind === "state" || c.name === "state";
}

const rank = (name: string): number => (order.indexOf(name) < 0 ? order.length : order.indexOf(name));

// Measures with at least one value, the ones that matter first.
export function measures(doc: Doc): RunColumn[] {
  return (doc.columns ?? [])
    .filter(
      (c) =>
        !isParam(c) && !isState(c) && c.kind !== ("run" as string) && c.name !== "run" && c.type === "number",
    )
    .sort((a, b) => rank(a.name) - rank(b.name));
}

const hasValues = (c: RunColumn): boolean => c.min !== null && c.min !== undefined;

// The measure that a comparison begins with.
export function firstMeasure(doc: Doc): string {
  const all = measures(doc);
  return (
    (all.find((c) => c.name === "accuracy" && hasValues(c)) ?? all.find(hasValues) ?? all[0])?.name ??
    "accuracy"
  );
}

// Parameters that tell runs apart, the fewest values first; the seed last.
export function groupings(doc: Doc): RunColumn[] {
  const seed = (c: RunColumn): number => (/(^|\.)seed$/.test(c.name) ? 1 : 0);
  return (doc.columns ?? [])
    .filter((c) => isParam(c) && (c.distinct ?? (c.min === c.max ? 1 : Infinity)) > 1)
    .sort((a, b) => seed(a) - seed(b) || (a.distinct ?? 1e9) - (b.distinct ?? 1e9));
}

// What runs are grouped by at first: what tells most, else what has the fewest values; no seed.
export function firstGrouping(doc: Doc): string {
  const all = groupings(doc);
  const known = all.find((c) => c.name === doc.telling);
  return (known ?? all.find((c) => !/(^|\.)seed$/.test(c.name)))?.name ?? "";
}

// The last part of a dotted name, when it is the only one that ends so.
export function shortName(name: string, all: readonly string[]): string {
  const last = name.split(".").pop() ?? name;
  return last !== "" && all.filter((n) => n.split(".").pop() === last).length === 1 ? last : name;
}

// Is a column worth a place on the screen before the reader chose?
export function shownAtFirst(c: RunColumn): boolean {
  if (isState(c)) return true;
  if (isParam(c)) return c.distinct === null || c.distinct === undefined || c.distinct > 1;
  if (["layers", "tokens", "n"].includes(c.name)) return hasValues(c) && c.min !== c.max;
  return ["accuracy", "base", "oracle", "seconds"].includes(c.name) && hasValues(c);
}

// A value of a parameter without the quotes that the recipe wrote around a text.
export function bare(value: Cell | undefined): Cell {
  if (typeof value !== "string" || value.length < 2 || !value.startsWith('"') || !value.endsWith('"'))
    return value ?? null;
  try {
    const text: unknown = JSON.parse(value);
    return typeof text === "string" ? text : value;
  } catch {
    return value;
  }
}
