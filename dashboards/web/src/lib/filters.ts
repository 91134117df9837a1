// SPDX-License-Identifier: Apache-2.0
// Filters of runs: people write "accuracy > 0.5", the address says "accuracy~gt~0.5".

export type FilterOp = "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "has" | "in";

export interface Filter {
  name: string;
  op: FilterOp;
  value: string;
}

const SIGNS: readonly (readonly [string, FilterOp])[] = [
  ["!=", "ne"],
  ["<>", "ne"],
  ["<=", "le"],
  [">=", "ge"],
  ["==", "eq"],
  ["≠", "ne"],
  ["≤", "le"],
  ["≥", "ge"],
  ["=", "eq"],
  ["<", "lt"],
  [">", "gt"],
  ["~", "has"],
];

const SHOWN: Record<FilterOp, string> = {
  eq: "=",
  ne: "≠",
  lt: "<",
  le: "≤",
  gt: ">",
  ge: "≥",
  has: "contains",
  in: "in",
};

export function filterText(f: Filter): string {
  return `${f.name}~${f.op}~${f.value}`;
}

export function parseFilter(text: string): Filter | null {
  const first = text.indexOf("~");
  const second = text.indexOf("~", first + 1);
  if (first <= 0 || second < 0) return null;
  const op = text.slice(first + 1, second);
  if (!(op in SHOWN)) return null;
  return { name: text.slice(0, first), op: op as FilterOp, value: text.slice(second + 1) };
}

export function filtersOf(query: URLSearchParams, name = "filter"): Filter[] {
  return query
    .getAll(name)
    .map(parseFilter)
    .filter((f) => f !== null);
}

export function filterShown(f: Filter): string {
  return `${f.name} ${SHOWN[f.op]} ${f.value}`;
}

/** What a person typed. Names that are no column give null, with a reason. */
export function readFilter(text: string, names: readonly string[]): Filter | { wrong: string } {
  const trimmed = text.trim();
  const lower = new Map(names.map((n) => [n.toLowerCase(), n]));
  const word = /^(\S+)\s+(contains|has|in)\s+(.+)$/i.exec(trimmed);
  if (word !== null) {
    const name = lower.get((word[1] ?? "").toLowerCase());
    if (name === undefined) return { wrong: unknown(word[1] ?? "", names) };
    return { name, op: (word[2] ?? "").toLowerCase() === "in" ? "in" : "has", value: (word[3] ?? "").trim() };
  }
  let best: { at: number; sign: string; op: FilterOp } | null = null;
  for (const [sign, op] of SIGNS) {
    const at = trimmed.indexOf(sign);
    if (at > 0 && (best === null || at < best.at || (at === best.at && sign.length > best.sign.length)))
      best = { at, sign, op };
  }
  if (best === null)
    return { wrong: 'Write a column, a sign and a value: "accuracy > 0.5", "schedule = cosine", "task ~ gsm"' };
  const name = lower.get(trimmed.slice(0, best.at).trim().toLowerCase());
  if (name === undefined) return { wrong: unknown(trimmed.slice(0, best.at).trim(), names) };
  let value = trimmed.slice(best.at + best.sign.length).trim();
  if (/^".*"$/.test(value) && value.length > 1) value = value.slice(1, -1);
  if (value === "") return { wrong: `Which value of ${name}?` };
  return { name, op: best.op, value };
}

function unknown(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return `No column "${name}"` + (near === null ? "" : `; did you mean "${near}"?`);
}

export function nearest(word: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const name of names) {
    const d = distance(word.toLowerCase(), name.toLowerCase());
    if (d < least) {
      least = d;
      best = name;
    }
  }
  return best;
}

function distance(a: string, b: string): number {
  const x = a.slice(0, 40);
  const y = b.slice(0, 40);
  let row = Array.from({ length: y.length + 1 }, (_, k) => k);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let k = 1; k <= y.length; k++) {
      next.push(
        Math.min((next[k - 1] ?? 0) + 1, (row[k] ?? 0) + 1, (row[k - 1] ?? 0) + (x[i - 1] === y[k - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[y.length] ?? 0;
}
