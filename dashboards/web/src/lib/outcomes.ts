// SPDX-License-Identifier: Apache-2.0
// How attempts and jobs end, in words and tones. The store writes outcomes in capitals.

const WORDS: Record<string, string> = {
  oom: "out of memory",
  timeout: "timed out",
  preempted: "preempted",
  lost: "lost",
};

export function outcomeWord(outcome: string | null | undefined): string {
  if (outcome === null || outcome === undefined || outcome === "") return "running";
  const low = outcome === outcome.toUpperCase() ? outcome.toLowerCase() : outcome;
  return WORDS[low] ?? low.replace(/_/g, " ");
}

/** How bad: null for what went well or goes on. */
export function badTone(outcome: string | null | undefined): "bad" | "warn" | null {
  if (
    outcome === null ||
    outcome === undefined ||
    /^(done|ok|success|finished|running|cached|ready|waiting)$/i.test(outcome)
  )
    return null;
  return /^(lost|diverged|stopped|cancelled|preempted|expired|abandoned|refused|released|returned|skipped)/i.test(
    outcome,
  )
    ? "warn"
    : "bad";
}
