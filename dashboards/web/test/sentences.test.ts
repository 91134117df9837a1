// SPDX-License-Identifier: Apache-2.0
// Goal: sentences say what the numbers carry and no more. Method: comparisons with clear, unclear
// and missing intervals, labels with and without skips.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  frontWords,
  listing,
  outcomeWords,
  paretoFront,
  plain,
  skippedWords,
  standOut,
  valueText,
  winnerWords,
} from "../src/lib/sentences";
import type { Compare, CompareRow } from "../src/lib/types";

const row = (value: string, mean: number | null, more: Partial<CompareRow> = {}): CompareRow => ({
  value,
  runs: 5,
  seeds: 5,
  n: 2000,
  mean,
  lo: null,
  hi: null,
  difference: null,
  diff_lo: null,
  diff_hi: null,
  p: null,
  adjusted: null,
  best: false,
  ...more,
});

const compare = (rows: CompareRow[], baseline: string | null = "fixed"): Compare => ({
  measure: "accuracy",
  by: "schedule",
  better: "higher",
  baseline,
  rows,
  notes: [],
  winner: null,
});

test("a clear winner is said with its margin, interval, seeds and p", () => {
  const c = compare([
    row("fixed", 0.8),
    row("exponential", 0.997, {
      difference: 0.197,
      diff_lo: 0.123,
      diff_hi: 0.265,
      adjusted: 0.0004,
      best: true,
    }),
  ]);
  assert.equal(
    plain(winnerWords(c)),
    "exponential wins: +19.7 points over fixed [+12.3, +26.5], 5 seeds, p < .001.",
  );
});

test("an interval that holds zero is no win", () => {
  const c = compare([
    row("fixed", 0.8),
    row("linear", 0.81, { difference: 0.01, diff_lo: -0.02, diff_hi: 0.04, p: 0.5 }),
  ]);
  assert.equal(
    plain(winnerWords(c)),
    "linear is ahead, but it may be chance: +1.0 points over fixed [−2.0, +4.0], 5 seeds, p = .500.",
  );
});

test("without an interval the sentence says why", () => {
  const c = compare([row("fixed", 0.8), row("linear", 0.81, { difference: 0.01, seeds: 2 })]);
  assert.equal(
    plain(winnerWords(c)),
    "linear is ahead: +1.0 points over fixed, 2 seeds; too few seeds for an interval.",
  );
});

test("a baseline that is best, ties, one row and no row", () => {
  assert.equal(
    plain(
      winnerWords(
        compare([row("fixed", 0.9, { lo: 0.85, hi: 0.95 }), row("linear", 0.8, { difference: -0.1 })]),
      ),
    ),
    "fixed has the highest accuracy: 90.0\u202f% [85.0, 95.0], 5 seeds; nothing beats this baseline.",
  );
  assert.match(
    plain(winnerWords(compare([row("a", 1), row("b", 1)], null))),
    /a has the highest accuracy: 100\.0\u202f%, 5 seeds; level with “b”\./,
  );
  assert.match(plain(winnerWords(compare([row("a", 0.5), row("b", null)]))), /^Only a has results/);
  assert.equal(plain(winnerWords(compare([row("a", null)]))), "No run has a value of accuracy yet.");
});

test("where less is better the lowest wins", () => {
  const c: Compare = {
    ...compare([row("fixed", 60), row("exponential", 16, { difference: -44, diff_lo: -45, diff_hi: -43 })]),
    measure: "tokens",
    better: "lower",
  };
  assert.equal(plain(winnerWords(c)), "exponential wins: −44.0 tokens over fixed [−45.0, −43.0], 5 seeds.");
});

test("long and strange values stay short texts", () => {
  assert.equal(valueText("x".repeat(10000)).length, 60);
  assert.equal(valueText(null), "(none)");
  assert.equal(valueText("<b>"), "<b>");
  assert.equal(listing(["a", "b", "c"]), "a, b and c");
});

test("layers that are skipped most stand out; small shares do not", () => {
  const counts = [
    [0, 100, 0],
    [41, 59, 0],
    [38, 60, 2],
    [35, 55, 10],
    [10, 90, 0],
  ];
  assert.equal(
    plain(skippedWords(counts, 100)),
    "Layers 1, 2 and 3 are skipped most (41\u202f%, 38\u202f% and 35\u202f% of 100 labels). Layer 3 is repeated most (10\u202f%). Never skipped: 0.",
  );
  assert.equal(plain(skippedWords([[0, 5, 0]], 5)), "None of 5 labels skips a layer. No layer is repeated.");
  assert.equal(plain(skippedWords([], 0)), "No labels yet.");
  assert.equal(standOut([{ layer: 1, share: NaN }]).length, 0);
});

test("outcomes are shares of questions", () => {
  const l = {
    n: 200,
    labelled: 150,
    preserved: 120,
    improved: 30,
    unsolved: 50,
    layers: 12,
    mean_layers: 10.24,
  };
  assert.equal(
    plain(outcomeWords(l)),
    "Of 200 questions, 60\u202f% keep their right answer, 15\u202f% turn right, 25\u202f% stay unsolved; a label takes 10.2 of 12 layers on average.",
  );
});

test("a front holds what nothing beats on both axes, in order of x", () => {
  const points = [
    { run: 1, x: 10, y: 0.5 },
    { run: 2, x: 12, y: 0.5 },
    { run: 3, x: 11, y: 0.7 },
    { run: 4, x: 10, y: 0.6 },
    { run: 5, x: NaN, y: 0.9 },
  ];
  assert.deepEqual(
    paretoFront(points).map((p) => p.run),
    [4, 3],
  );
  assert.deepEqual(
    paretoFront(points, "higher").map((p) => p.run),
    [3, 2],
  );
  assert.match(
    plain(
      frontWords(
        [
          [10, 0.6, 4],
          [11, 0.7, 3],
        ],
        "layers",
        "accuracy",
        4,
      ),
    ),
    /2 runs of 4 are on the front: from 60\.0\u202f% at 10\.00 to 70\.0\u202f% at 11\.00 layers\./,
  );
});

test("a win that the server doubts, or that many share, is said so", () => {
  const c = compare([
    row("fixed", 0.8),
    row("exponential", 1, { difference: 0.2, diff_lo: 0.05, diff_hi: 0.35, adjusted: 0.082, seeds: 3 }),
    row("none", 1, { difference: 0.2, diff_lo: 0.05, diff_hi: 0.35, adjusted: 0.082, seeds: 3 }),
  ]);
  assert.equal(
    plain(winnerWords(c)),
    "exponential and schedule = none are ahead, but it may be chance: +20.0 points over fixed [+5.0, +35.0], 3 seeds, p = .082.",
  );
  const doubted = {
    ...compare([
      row("fixed", 0.8),
      row("linear", 0.9, { difference: 0.1, diff_lo: 0.01, diff_hi: 0.2, p: 0.04 }),
    ]),
    winner: { value: "linear", text: "", sure: false },
  };
  assert.match(plain(winnerWords(doubted)), /may be chance/);
  assert.match(
    plain(frontWords([[4, 1, 264]], "layers", "accuracy", 12)),
    /^Run 264 is not beaten on either axis/,
  );
});
