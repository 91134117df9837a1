// SPDX-License-Identifier: Apache-2.0
// Goal: maps of layers show the sums of the sets that a row stands for. Method: sets of two steps
// put together by task, by step and not at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstRows, labelRows, mergeSets } from "../src/lib/labels";
import type { LabelSet } from "../src/lib/types";

const set = (step: string, task: string, level: number, n: number, mean: number): LabelSet => ({
  step,
  task,
  level,
  split: "train",
  n,
  labelled: n,
  preserved: n - 1,
  improved: 1,
  unsolved: 0,
  layers: 2,
  per_layer: [
    [n, 0, 0],
    [0, n - 1, 1],
  ],
  lengths: [[mean, n]],
  mean_layers: mean,
});

const sets = [
  set("near", "math", 1, 10, 1),
  set("labels", "math", 1, 30, 2),
  set("labels", "logic", 2, 5, 2),
];

test("counts add up, means are weighed by labels", () => {
  const all = mergeSets(sets.slice(0, 2));
  assert.equal(all.n, 40);
  assert.deepEqual(all.per_layer, [
    [40, 0, 0],
    [0, 38, 2],
  ]);
  assert.equal(all.mean_layers, 1.75);
  assert.deepEqual(all.lengths, [
    [1, 10],
    [2, 30],
  ]);
});

test("rows are tasks and levels, steps, or the sets themselves, and lead to their examples", () => {
  const by_task = labelRows(sets, "task");
  assert.deepEqual(
    by_task.map((r) => [r.name, r.set.n]),
    [
      ["math level 1", 40],
      ["logic level 2", 5],
    ],
  );
  assert.deepEqual(by_task[0]!.choose, { task: "math", level: 1 });
  assert.deepEqual(
    labelRows(sets, "step").map((r) => [r.name, r.set.n]),
    [
      ["near", 10],
      ["labels", 35],
    ],
  );
  assert.equal(labelRows(sets, "set").length, 3);
  assert.equal(firstRows(sets), "task");
  assert.equal(firstRows(sets.slice(0, 2)), "step");
  assert.deepEqual(labelRows([], "task"), []);
});

test("a set without labels has no mean", () => {
  assert.equal(mergeSets([{ ...set("a", "b", 1, 3, 1), labelled: 0, mean_layers: null }]).mean_layers, null);
});
