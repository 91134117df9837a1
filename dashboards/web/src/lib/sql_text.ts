// SPDX-License-Identifier: Apache-2.0
// Helpers of the SQL console. Pure.
import type { Cell, QueryAnswer } from "./types";

export type Kind = "number" | "time" | "text";

/** What the values of a column are: the server says; else what all of them look like. */
export function kindOf(answer: QueryAnswer, column: number): Kind {
  const said = answer.kinds?.[column];
  if (said === "number" || said === "time" || said === "text") return said;
  const values = answer.rows.map((r) => r[column]).filter((v) => v !== null && v !== undefined);
  return values.length > 0 && values.every((v) => typeof v === "number") ? "number" : "text";
}

export interface ChartChoice {
  x: number;
  y: number;
  by: number | null;
}

/** The columns that a picture of an answer most likely wants: the first number or time as x, the
 * last other number as y, the first text with few values as groups. Null: nothing to draw. */
export function chooseChart(answer: QueryAnswer): ChartChoice | null {
  const kinds = answer.columns.map((_, k) => kindOf(answer, k));
  const numbers = kinds.flatMap((k, i) => (k === "number" || k === "time" ? [i] : []));
  const values = kinds.flatMap((k, i) => (k === "number" ? [i] : []));
  const y = values[values.length - 1];
  if (y === undefined) return null;
  const x = numbers.find((i) => i !== y);
  const groups = kinds.flatMap((k, i) => (k === "text" && few(answer, i) ? [i] : []));
  if (x === undefined) {
    const names = kinds.indexOf("text");
    return { x: names >= 0 ? names : y, y, by: null };
  }
  return { x, y, by: groups[0] ?? null };
}

function few(answer: QueryAnswer, column: number): boolean {
  const seen = new Set<Cell | undefined>();
  for (const row of answer.rows) {
    seen.add(row[column]);
    if (seen.size > 12) return false;
  }
  return seen.size > 0 && seen.size * 2 <= answer.rows.length + 1;
}

export interface Drawn {
  name: string;
  x: number[];
  y: (number | null)[];
}

/** Columns of an answer as series, in order of x. */
export function seriesOf(answer: QueryAnswer, choice: ChartChoice): Drawn[] {
  const time = kindOf(answer, choice.x) === "time";
  const groups = new Map<string, [number, number | null][]>();
  for (const row of answer.rows) {
    const raw = row[choice.x];
    const x = typeof raw === "number" ? raw : time && typeof raw === "string" ? Date.parse(raw) : NaN;
    const y = row[choice.y];
    if (!Number.isFinite(x)) continue;
    const name = choice.by === null ? (answer.columns[choice.y] ?? "y") : String(row[choice.by] ?? "none");
    const list = groups.get(name);
    const point: [number, number | null] = [x, typeof y === "number" ? y : null];
    if (list === undefined) groups.set(name, [point]);
    else list.push(point);
  }
  return [...groups].slice(0, 60).map(([name, points]) => {
    points.sort((a, b) => a[0] - b[0]);
    return { name, x: points.map((p) => p[0]), y: points.map((p) => p[1]) };
  });
}

/** TEXT with WORD put between FROM and TO, set off by blanks; and where the cursor goes. */
export function insertWord(text: string, from: number, to: number, word: string): { text: string; at: number } {
  const before = text.slice(0, from);
  const after = text.slice(to);
  const left = before === "" || /[\s(,.]$/.test(before) ? "" : " ";
  const right = after === "" || /^[\s),;.]/.test(after) ? "" : " ";
  return { text: before + left + word + right + after, at: (before + left + word).length };
}

/** A name as SQL needs it. */
export function quoted(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : '"' + name.replace(/"/g, '""') + '"';
}

/** The history with a new entry first, each once, at most MAX. */
export function remembering(history: readonly string[], sql: string, max = 60): string[] {
  const text = sql.trim();
  return text === "" ? [...history] : [text, ...history.filter((h) => h !== text)].slice(0, max);
}
