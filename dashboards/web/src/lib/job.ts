// SPDX-License-Identifier: Apache-2.0
// What a job's document says, in one form. Pure.
import type { JobDocument } from "./types";

export interface Need {
  id: number;
  step: string;
  kind: string;
  state: string;
}

export function needsOf(d: JobDocument): Need[] {
  if (!Array.isArray(d.needs)) return [];
  return d.needs.map((n) => ({ id: n.job ?? n.id ?? 0, step: n.step, kind: n.kind ?? "", state: n.state }));
}

/** Why it does not run; nothing when it does, or when nobody was asked. */
export function whyOf(d: JobDocument): { rule: string; text: string }[] {
  const why = d.why;
  if (why === null || why === undefined) return [];
  return Array.isArray(why) ? why : (why.rules ?? []);
}
