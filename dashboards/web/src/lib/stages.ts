// SPDX-License-Identifier: Apache-2.0
// Stages of curricula as series for a chart, and the sentence that goes with them. Pure.
import { cut, plural } from "./format";
import { fixed, measureLook } from "./measures";
import type { Words } from "./sentences";
import { nameIn } from "./sentences";
import type { Curriculum, CurriculumStage } from "./types";

export type StageMeasure =
  "budget" | "difficulty" | "accuracy" | "tokens" | "reward" | "validation_accuracy" | "truncated";
export type StageAxis = "step" | "stage";
export type StageGroup = Curriculum["groups"][number];

export interface StageSeries {
  name: string;
  x: number[];
  y: (number | null)[];
  lo?: (number | null)[];
  hi?: (number | null)[];
  n?: number[];
  colour: number;
  stepped?: boolean;
}

// What was given to a stage holds from its beginning to its end; what came of it is known at its end.
const given: readonly StageMeasure[] = ["budget", "difficulty"];

function numeric(x: unknown): number | null {
  if (typeof x === "number" && Number.isFinite(x)) return x;
  if (typeof x === "string" && x.trim() !== "" && Number.isFinite(Number(x))) return Number(x);
  return null;
}

export function stageValue(s: CurriculumStage, measure: StageMeasure): number | null {
  return numeric((s as unknown as Record<string, unknown>)[measure]);
}

function bound(s: CurriculumStage, measure: StageMeasure, end: "lo" | "hi"): number | null {
  return numeric((s as unknown as Record<string, unknown>)[`${measure}_${end}`]);
}

export function stageSeries(
  group: StageGroup,
  measure: StageMeasure,
  axis: StageAxis,
  colour: number,
  name: string,
): StageSeries {
  const scale = measureLook(measure).scale;
  const by = (x: number | null): number | null => (x === null ? null : x * scale);
  const stages = group.stages;
  const stepped = given.includes(measure);
  const x: number[] = [];
  const y: (number | null)[] = [];
  const lo: (number | null)[] = [];
  const hi: (number | null)[] = [];
  const n: number[] = [];
  const put = (at: number, s: CurriculumStage): void => {
    if (x.length > 0 && at <= x[x.length - 1]!) return;
    x.push(at);
    y.push(by(stageValue(s, measure)));
    lo.push(by(bound(s, measure, "lo")));
    hi.push(by(bound(s, measure, "hi")));
    n.push(s.seeds);
  };
  const first = stages[0];
  if (!stepped && axis === "step" && first !== undefined && first.from < first.to) {
    x.push(first.from); // all panels begin where training does
    for (const list of [y, lo, hi]) list.push(null);
    n.push(0);
  }
  stages.forEach((s) => put(axis === "stage" ? s.stage : stepped ? s.from : s.to, s));
  const last = stages[stages.length - 1];
  if (stepped && last !== undefined) put(axis === "stage" ? last.stage + 1 : last.to, last);
  const banded = lo.some((v, k) => v !== null && hi[k] !== null && v !== hi[k]);
  return { name, x, y, n, colour, ...(banded ? { lo, hi } : {}), ...(stepped ? { stepped } : {}) };
}

// What the recipe plans for a group: [first step, last step, budget].
export interface Planned {
  name: string;
  adapts: boolean; // the budget follows what the model does: nothing is planned
  segments: [number, number, number | null][];
}

// The planned budgets of the answer, as far as they are understood.
export function plannedOf(c: Curriculum): Planned[] {
  return c.planned.flatMap((p) => {
    const one = p as Partial<Planned> | null;
    if (one === null || typeof one !== "object" || !Array.isArray(one.segments)) return [];
    const segments = one.segments.filter((s) => Array.isArray(s) && s.length >= 2);
    return [{ name: String(one.name ?? ""), adapts: one.adapts === true, segments }];
  });
}

// A plan as a stepped, dashed line of the group's colour (the palette's second round); null: it says
// nothing.
export function plannedSeries(plan: Planned, colour: number, palette = 8): StageSeries | null {
  const known = plan.segments.filter((s) => typeof s[2] === "number");
  if (plan.adapts || known.length === 0) return null;
  const last = known[known.length - 1]!;
  return {
    name: `${cut(plan.name, 60)} (planned)`,
    x: [...known.map((s) => s[0]), last[1]],
    y: [...known.map((s) => s[2]), last[2]],
    colour: (colour % palette) + palette,
    stepped: true,
  };
}

// "45 → 32 → 23 → 16": a plan's budgets.
export function plannedPath(plan: Planned | undefined): string {
  if (plan === undefined) return "";
  if (plan.adapts) return "adapts";
  const told: string[] = [];
  for (const [, , budget] of plan.segments)
    if (typeof budget === "number" && told[told.length - 1] !== fixed(budget, budget % 1 === 0 ? 0 : 1))
      told.push(fixed(budget, budget % 1 === 0 ? 0 : 1));
  if (told.length === 0) return "none";
  return told.length > 8 ? `${told.slice(0, 3).join(" → ")} … ${told[told.length - 1]}` : told.join(" → ");
}

// Boundaries that all groups share; undefined: they differ, or there is one stage.
export function commonStages(
  groups: readonly StageGroup[],
): { from: number; to: number; label: string }[] | undefined {
  const first = groups[0]?.stages ?? [];
  const same = groups.every(
    (g) =>
      g.stages.length === first.length &&
      g.stages.every((s, k) => s.from === first[k]?.from && s.to === first[k]?.to),
  );
  if (!same || first.length < 2) return undefined;
  return first.map((s) => ({ from: s.from, to: s.to, label: `stage ${s.stage}` }));
}

// Does any stage of any group know this measure?
export function stagesKnow(c: Curriculum, measure: StageMeasure): boolean {
  return c.groups.some((g) => g.stages.some((s) => stageValue(s, measure) !== null));
}

// Names of groups that tell them apart, of any length.
export function groupNames(groups: readonly StageGroup[]): string[] {
  const seen = new Map<string, number>();
  return groups.map((g) => {
    const name = cut(g.name === "" ? "all runs" : g.name, 60);
    const n = seen.get(name) ?? 0;
    seen.set(name, n + 1);
    return n === 0 ? name : `${name} (${n + 1})`;
  });
}

// "64 → 45 → 31": budgets of the stages, equal neighbours once.
export function stagePath(g: StageGroup, measure: StageMeasure): string {
  const values = g.stages.map((s) => stageValue(s, measure));
  const told: string[] = [];
  values.forEach((v, k) => {
    if (v !== null && (k === 0 || v !== values[k - 1])) told.push(fixed(v, v % 1 === 0 ? 0 : 1));
  });
  return told.length === 0
    ? "–"
    : told.length > 8
      ? `${told.slice(0, 3).join(" → ")} … ${told[told.length - 1]}`
      : told.join(" → ");
}

// "At its last stage exponential has the highest accuracy: 99.3 % with 16 tokens, 3 seeds."
export function curriculumWords(c: Curriculum): Words[] {
  let best: { group: StageGroup; stage: CurriculumStage } | null = null;
  for (const group of c.groups) {
    const stage = group.stages[group.stages.length - 1];
    if (stage === undefined || stage.accuracy === null) continue;
    if (best === null || stage.accuracy > best.stage.accuracy!) best = { group, stage };
  }
  if (best === null) return [{ text: "No stage has reported an accuracy yet." }];
  const { group, stage } = best;
  const ties = c.groups.filter(
    (g) => g !== group && g.stages[g.stages.length - 1]?.accuracy === stage.accuracy,
  ).length;
  const words: Words[] = [
    { text: "At the last stage " },
    { text: group.name === "" ? "all runs" : nameIn(c.by, group.name), strong: true },
    {
      text:
        c.groups.length > 1 ? (ties > 0 ? " is among the most accurate: " : " is most accurate: ") : " has ",
    },
    { text: `${fixed(stage.accuracy! * 100, 1)}\u202f%`, strong: true },
    { text: c.groups.length > 1 ? "" : " accuracy" },
  ];
  if (stage.tokens !== null)
    words.push(
      { text: " with " },
      { text: `${fixed(stage.tokens, 1)} tokens`, strong: true },
      { text: " an answer" },
    );
  if (stage.budget !== null) words.push({ text: ` (budget ${fixed(stage.budget, 0)})` });
  words.push({ text: `, ${plural(stage.seeds, "seed")}; sampled while training.` });
  return words;
}
