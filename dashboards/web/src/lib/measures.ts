// SPDX-License-Identifier: Apache-2.0
// measures.ts - how a measure is said: its unit, digits, and whether more of it is better. Pure.

import { compact, integer, isNumber, NONE, THIN } from "./format";

export interface MeasureLook {
  name: string;
  title: string; // at an axis: "Accuracy (%)"
  unit: string; // behind a value: "%"
  gap: string; // of a difference: "points"
  scale: number; // what a value is multiplied by
  digits: number;
  better: "higher" | "lower" | null;
}

interface Known {
  title: string;
  unit?: string;
  gap?: string;
  scale?: number;
  digits?: number;
  better?: "higher" | "lower";
}

const share: Omit<Known, "title"> = { unit: "%", gap: "points", scale: 100, digits: 1 };

const known: Record<string, Known> = {
  accuracy: { title: "Accuracy", ...share, better: "higher" },
  base: { title: "Base accuracy", ...share, better: "higher" },
  oracle: { title: "Oracle accuracy", ...share, better: "higher" },
  correct: { title: "Correct answers", ...share, better: "higher" },
  reward: { title: "Reward", digits: 3, better: "higher" },
  loss: { title: "Loss", digits: 4, better: "lower" },
  layers: { title: "Layers", unit: "per token", gap: "layers", digits: 2, better: "lower" },
  tokens: { title: "Tokens", unit: "", gap: "tokens", digits: 1, better: "lower" },
  validation_accuracy: { title: "Validation accuracy", ...share, better: "higher" },
  validation_tokens: { title: "Validation tokens", gap: "tokens", digits: 1, better: "lower" },
  truncated: { title: "Answers cut off", ...share, better: "lower" },
  budget: { title: "Budget", unit: "tokens", gap: "tokens", digits: 0, better: "lower" },
  difficulty: { title: "Difficulty", unit: "level", gap: "levels", digits: 1 },
  seconds: { title: "Time", unit: "s", gap: "s", digits: 1, better: "lower" },
  n: { title: "Examples", gap: "examples", digits: 0 },
  jobs: { title: "Jobs", gap: "jobs", digits: 0 },
};

// Names that are shares by their look: acc, exact_match, hit_rate, correct_share.
const shares = /(^|[._/])(acc|accuracy|acc_norm|exact_match|f1|exact|share|rate)$/;

export function measureLook(name: string): MeasureLook {
  const k: Known = known[name] ?? (shares.test(name) ? { title: name, ...share } : { title: name });

  return {
    name,
    title: k.unit ? `${k.title} (${k.unit})` : k.title,
    unit: k.unit ?? "",
    gap: k.gap ?? "",
    scale: k.scale ?? 1,
    digits: k.digits ?? 3,
    better: k.better ?? null,
  };
}

// X with DIGITS digits; a real minus, grouped thousands (which need no digits), more digits for what
// would look like nothing.
export function fixed(x: number | null | undefined, digits: number): string {
  if (!isNumber(x)) return typeof x === "number" && !Number.isNaN(x) ? (x > 0 ? "∞" : "−∞") : NONE;
  const size = Math.abs(x);
  if (size >= 1000) return integer(x);
  const text = size.toFixed(
    size > 0 && size < 0.001 && digits > 0 ? Math.max(6, digits) : Math.max(0, digits),
  );
  return x < 0 && Number(text) !== 0 ? `−${text}` : text;
}

export function signed(x: number | null | undefined, digits: number): string {
  const text = fixed(x, digits);

  return x !== null && x !== undefined && Number.isFinite(x) && !text.startsWith("−") ? `+${text}` : text;
}

// "79.8 %"; with bare, "79.8".
export function measureText(x: number | null | undefined, look: MeasureLook, bare = false): string {
  if (x === null || x === undefined) return NONE;
  const text = fixed(x * look.scale, look.digits);
  return bare || !look.unit || look.unit === "per token" ? text : `${text}${THIN}${look.unit}`;
}

// "+19.7", "[+12.3, +26.5]".
export function gapText(x: number | null | undefined, look: MeasureLook): string {
  return x === null || x === undefined ? NONE : signed(x * look.scale, look.digits);
}

export function intervalText(
  lo: number | null | undefined,
  hi: number | null | undefined,
  look: MeasureLook,
  sign = true,
): string {
  if (lo === null || lo === undefined || hi === null || hi === undefined) return "";
  const one = sign ? gapText : (x: number, l: MeasureLook) => measureText(x, l, true);
  return `[${one(lo, look)}, ${one(hi, look)}]`;
}

export function pText(p: number | null | undefined): string {
  if (p === null || p === undefined) return NONE;
  return p < 0.001 ? "< .001" : p.toFixed(3).replace(/^0/, "");
}

// A number in at most four digits, without zeros at its end: for axes and tooltips.
export function brief(x: number): string {
  if (Math.abs(x) >= 10000) return compact(x);
  return String(Number(x.toPrecision(4))).replace(/^-/, "−");
}

// A parameter's number as it was written.
export function asWritten(x: number): string {
  return String(x).replace(/^-/, "−");
}

// A tick of an axis with the digits that tell neighbours apart.
export function tickText(x: number, all: readonly number[]): string {
  const step = all.length > 1 ? Math.abs(all[1]! - all[0]!) : Math.abs(x) || 1;
  let digits = 0;

  while (digits < 8 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits++;
  if (Math.abs(x) >= 1e6) return `${(x / 1e6).toFixed(step >= 1e6 ? 0 : 1)}${THIN}M`;
  return Math.abs(x) >= 1000
    ? fixed(x, 0)
    : x
        .toFixed(digits)
        .replace(/^-(?=.*[1-9])/, "−")
        .replace(/^-/, "");
}
