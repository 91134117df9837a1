// SPDX-License-Identifier: Apache-2.0
// routing.ts - what a routing says: per layer '0' skip, '1' execute, '2' repeat. Pure.

export type Choice = "skip" | "execute" | "repeat";

export const choices: readonly Choice[] = ["skip", "execute", "repeat"];

export interface LayerChoice {
  layer: number; // from 0
  choice: Choice;
  times: number; // how often the layer is applied
}

// One per layer; digits above 2 are repeats, other characters count as executed.
export function routingLayers(routing: string): LayerChoice[] {
  return Array.from(routing, (c, layer) => {
    const digit = c >= "0" && c <= "9" ? Number(c) : 1;
    const choice: Choice = digit === 0 ? "skip" : digit === 1 ? "execute" : "repeat";
    return { layer, choice, times: digit };
  });
}

// Layer applications of a path.
export function routingLength(routing: string): number {
  return routingLayers(routing).reduce((sum, l) => sum + l.times, 0);
}

// [3, 4, 5, 9] as "3–5, 9".
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];

  for (let i = 0; i < numbers.length;) {
    let j = i;
    while (j + 1 < numbers.length && numbers[j + 1] === numbers[j]! + 1) j++;
    const from = numbers[i]!;
    const to = numbers[j]!;
    parts.push(j === i ? `${from}` : j === i + 1 ? `${from}, ${to}` : `${from}–${to}`);
    i = j + 1;
  }
  return parts.join(", ");
}

// "skips 4, 5, repeats 9: 11 of 12 layers"; what a screen reader says of a strip.
export function routingWords(routing: string): string {
  const layers = routingLayers(routing);
  const of = (choice: Choice) => layers.filter((l) => l.choice === choice).map((l) => l.layer);
  const skipped = of("skip");
  const repeated = of("repeat");
  const words: string[] = [];

  if (skipped.length) words.push(`skips ${ranges(skipped)}`);
  if (repeated.length) words.push(`repeats ${ranges(repeated)}`);
  if (!words.length) return `every layer once (${layers.length})`;
  return `${words.join("; ")}: ${routingLength(routing)} for ${layers.length} layers`;
}

// Layers where two routings differ.
export function routingDifferences(a: string, b: string): number[] {
  const different: number[] = [];

  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) different.push(i);
  return different;
}

// What makes TO from FROM, one edit per run of equal changes: "skip 4–5", "repeat 9".
export function routingEdit(from: string, to: string): string {
  const a = routingLayers(from);
  const b = routingLayers(to);
  const words: string[] = [];
  const verb = (l: number): string => {
    const now = b[l];
    const before = a[l];
    if (!now || !before || now.times === before.times) return "";
    if (now.choice === "skip") return "skip";
    if (now.choice === "repeat") return "repeat";
    return "execute";
  };

  for (let i = 0; i < b.length;) {
    const word = verb(i);
    let j = i;
    while (word && j + 1 < b.length && verb(j + 1) === word) j++;
    if (word) words.push(`${word} ${j === i ? i : `${i}–${j}`}`);
    i = j + 1;
  }
  return words.join(", ") || "no change";
}
