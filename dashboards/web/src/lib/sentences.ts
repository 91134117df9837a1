// SPDX-License-Identifier: Apache-2.0
// sentences.ts - what a figure says, in words: who wins and by how much, which layers the labels
// skip. Pure; every sentence says only what its numbers carry.
import type { Compare, CompareRow, LabelSet } from "./types";
import { integer, plural, share } from "./format";
import { gapText, intervalText, measureLook, measureText, pText } from "./measures";
import { ranges } from "./routing";

export interface Words {
  text: string;
  strong?: boolean;
}

export function plain(words: readonly Words[]): string {
  return words.map((w) => w.text).join("");
}

// What a parameter's value is called; texts of people may be long.
export function valueText(value: unknown, most = 60): string {
  const text =
    value === null || value === undefined || value === ""
      ? "(none)"
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// The same within a sentence, where "none wins" would say something else: "decay = none".
export function nameIn(by: string | null | undefined, value: unknown): string {
  const text = valueText(value);
  const misread = typeof value !== "string" || /^(none|null|nothing|nobody|all|any|both|off|no|others?|)$/i.test(value);
  return misread && typeof by === "string" && /^[^,]+$/.test(by) ? `${by.split(".").at(-1)} = ${text}` : text;
}

// "a", "a and b", "a, b and c".
export function listing(items: readonly string[]): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

const has = (x: number | null | undefined): x is number => x !== null && x !== undefined;

// The row with the best mean; ties go to the one with more seeds.
export function bestRow(c: Compare): CompareRow | null {
  const sign = c.better === "lower" ? -1 : 1;
  let best: CompareRow | null = null;

  for (const r of c.rows) {
    if (!has(r.mean)) continue;
    if (!best || (r.mean - best.mean!) * sign > 0) best = r;
    else if (r.mean === best.mean && r.seeds > best.seeds) best = r;
  }
  return c.rows.find((r) => r.best && has(r.mean)) ?? best;
}

function againstNone(best: CompareRow, c: Compare): Words[] {
  const look = measureLook(c.measure);
  const same = c.rows.filter((r) => r !== best && r.mean === best.mean);
  const interval = intervalText(best.lo, best.hi, look, false);
  const words: Words[] = [
    { text: nameIn(c.by, best.value), strong: true },
    { text: ` has the ${c.better === "lower" ? "lowest" : "highest"} ${c.measure}: ` },
    { text: measureText(best.mean, look), strong: true },
    { text: interval ? ` ${interval}` : "" },
    { text: `, ${plural(best.seeds, "seed")}` },
  ];
  if (same.length)
    words.push({ text: `; level with ${listing(same.map((r) => `“${nameIn(c.by, r.value)}”`))}` });
  words.push({ text: "." });
  return words;
}

// What the server finds is said with its own doubt: SURE is false where it may be chance.
type Answered = Omit<Compare, "winner"> & {
  winner: (NonNullable<Compare["winner"]> & { sure?: boolean }) | null;
};

// "exponential wins: +19.7 points over fixed [+12.3, +26.5], 5 seeds, p < .001."
export function winnerWords(c: Answered): Words[] {
  const look = measureLook(c.measure);
  const usable = c.rows.filter((r) => has(r.mean));
  const best = bestRow(c);

  if (!best) return [{ text: `No run has a value of ${c.measure} yet.` }];
  if (usable.length === 1)
    return [
      { text: `Only ${nameIn(c.by, best.value)} has results (` },
      { text: measureText(best.mean, look), strong: true },
      { text: `, ${plural(best.seeds, "seed")}): nothing to compare it with.` },
    ];
  const base = c.rows.find((r) => String(r.value) === String(c.baseline));
  if (!base || base === best || !has(best.difference)) {
    const words = againstNone(best, c);
    if (base === best) {
      words.pop();
      words.push({ text: "; nothing beats this baseline." });
    }
    return words;
  }
  const known = has(best.diff_lo) && has(best.diff_hi);
  const p = best.adjusted ?? best.p;
  const apart = known && (best.diff_lo! > 0 || best.diff_hi! < 0) && (!has(p) || p < 0.05);
  const clear = apart && c.winner?.sure !== false;
  const gap = gapText(best.difference, look) + (look.gap ? ` ${look.gap}` : "");
  const level = c.rows.filter((r) => r !== best && r !== base && r.mean === best.mean);
  const names = [best, ...level].map((r) => nameIn(c.by, r.value));
  const one = names.length === 1;
  const words: Words[] = [
    { text: names.length > 3 ? `${names[0]} and ${names.length - 1} others` : listing(names), strong: true },
    {
      text: clear
        ? one
          ? " wins: "
          : " win: "
        : ` ${one ? "is" : "are"} ahead${known ? ", but it may be chance" : ""}: `,
    },
    { text: gap, strong: true },
    { text: ` over ${nameIn(c.by, base.value)}` },
  ];
  if (known) words.push({ text: ` ${intervalText(best.diff_lo, best.diff_hi, look)}` });
  words.push({ text: `, ${plural(best.seeds, "seed")}` });
  if (has(p)) words.push({ text: `, p ${p < 0.001 ? "" : "= "}${pText(p)}` });
  if (!known) words.push({ text: "; too few seeds for an interval" });
  words.push({ text: "." });
  return words;
}

export interface LayerShare {
  layer: number;
  share: number;
}

// The layers that stand out: the largest shares down to half of the largest, at most MOST.
export function standOut(shares: readonly LayerShare[], most = 3): LayerShare[] {
  const sorted = shares
    .filter((s) => Number.isFinite(s.share) && s.share > 0)
    .sort((a, b) => b.share - a.share || a.layer - b.layer);
  const limit = (sorted[0]?.share ?? 0) / 2;

  return sorted.slice(0, most).filter((s) => s.share >= limit);
}

// Shares of one choice per layer, from counts [skip, execute, repeat].
export function layerShares(counts: readonly (readonly number[])[], choice: number): LayerShare[] {
  return counts.map((c, layer) => {
    const n = c.reduce((sum, x) => sum + x, 0);
    return { layer, share: n > 0 ? (c[choice] ?? 0) / n : 0 };
  });
}

function layersDone(found: readonly LayerShare[], what: string, of: string): Words[] {
  const layers = found.map((s) => String(s.layer));
  return [
    { text: found.length > 1 ? "Layers " : "Layer " },
    { text: listing(layers), strong: true },
    { text: ` ${found.length > 1 ? "are" : "is"} ${what} most (` },
    { text: listing(found.map((s) => share(s.share, found.some((f) => f.share < 0.00995) ? 1 : 0))) },
    { text: `${of}).` },
  ];
}

// "Layers 7, 11 and 12 are skipped most (41 %, 38 % and 35 % of 1,200 labels). Layer 3 is..."
export function skippedWords(counts: readonly (readonly number[])[], labels: number): Words[] {
  const skipped = standOut(layerShares(counts, 0));
  const repeated = standOut(layerShares(counts, 2));
  const words: Words[] = [];

  if (!labels || !counts.length) return [{ text: "No labels yet." }];
  if (skipped.length) words.push(...layersDone(skipped, "skipped", ` of ${plural(labels, "label")}`));
  else words.push({ text: `None of ${plural(labels, "label")} skips a layer.` });
  if (repeated.length && repeated[0]!.share < 0.005)
    words.push({ text: ` Hardly any repeats a layer (at most ${share(repeated[0]!.share, 2)}).` });
  else if (repeated.length) words.push({ text: " " }, ...layersDone(repeated, "repeated", ""));
  else words.push({ text: " No layer is repeated." });
  const never = layerShares(counts, 0)
    .filter((s) => s.share === 0)
    .map((s) => s.layer);
  if (skipped.length && never.length) words.push({ text: ` Never skipped: ${ranges(never)}.` });
  return words;
}

export type LabelCounts = Pick<
  LabelSet,
  "n" | "labelled" | "preserved" | "improved" | "unsolved" | "layers" | "mean_layers"
>;

// "Of 2,000 questions 61 % keep their right answer, 22 % turn right, 17 % stay unsolved; a label
// takes 10.2 of 12 layers."
export function outcomeWords(l: LabelCounts): Words[] {
  if (!l.n) return [{ text: "No questions have been searched yet." }];
  const words: Words[] = [
    { text: `Of ${plural(l.n, "question")}, ` },
    { text: share(l.preserved / l.n, 0), strong: true },
    { text: " keep their right answer, " },
    { text: share(l.improved / l.n, 0), strong: true },
    { text: " turn right, " },
    { text: share(l.unsolved / l.n, 0), strong: true },
    { text: " stay unsolved" },
  ];
  if (has(l.mean_layers) && l.labelled) {
    words.push(
      { text: "; a label takes " },
      { text: l.mean_layers.toFixed(1), strong: true },
      { text: ` of ${plural(l.layers, "layer")} on average` },
    );
  }
  words.push({ text: "." });
  return words;
}

export interface ParetoPoint {
  run: number;
  x: number;
  y: number;
}

// The front of points: none has both less X (or more) and more Y. In order of X.
export function paretoFront<P extends ParetoPoint>(
  points: readonly P[],
  better_x: "lower" | "higher" = "lower",
  better_y: "lower" | "higher" = "higher",
): P[] {
  const sx = better_x === "lower" ? 1 : -1;
  const sy = better_y === "higher" ? 1 : -1;
  const sorted = points
    .filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y))
    .sort((a, b) => (a.x - b.x) * sx || (b.y - a.y) * sy || a.run - b.run);
  const front: P[] = [];

  for (const p of sorted) {
    const last = front[front.length - 1];
    if (!last || (p.y - last.y) * sy > 0) front.push(p);
  }
  return sx < 0 ? front.reverse() : front;
}

// "The front has 4 runs: from 62.0 % at 9.1 to 71.5 % at 12.0 layers." FRONT in order of x.
export function frontWords(front: readonly (readonly number[])[], x: string, y: string, of: number): Words[] {
  const lx = measureLook(x);
  const ly = measureLook(y);
  const first = front[0];
  const last = front[front.length - 1];

  if (!first || !last) return [{ text: `No run has both ${x} and ${y} yet.` }];
  const at = (p: readonly number[]): string => `${measureText(p[1], ly)} at ${measureText(p[0], lx, true)}`;
  if (front.length === 1)
    return [
      { text: `Run ${first[2] ?? ""}`, strong: true },
      { text: ` is not beaten on either axis by any of ${plural(of, "run")}: ${at(first)} ${x}.` },
    ];
  return [
    { text: plural(front.length, "run"), strong: true },
    {
      text: ` of ${integer(of)} are on the front: from ${at(first)} to ${at(last)} ${x}.`,
    },
  ];
}
