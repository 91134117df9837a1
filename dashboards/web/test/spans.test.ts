// SPDX-License-Identifier: Apache-2.0
// Goal: a paper's heads span what they stand over. Method: the grid of every answer is filled
// cell by cell; nothing is covered twice and nothing is left open.
import assert from "node:assert/strict";
import { test } from "node:test";
import { headRows, keySpans } from "../src/lib/spans";
import type { HeadColumn } from "../src/lib/spans";

function covered(columns: HeadColumn[]): string[][] {
  const rows = headRows(columns);
  const grid: string[][] = rows.map(() => columns.map(() => ""));
  rows.forEach((row, r) =>
    row.forEach((cell) => {
      for (let i = 0; i < cell.rowspan; i++)
        for (let j = 0; j < cell.colspan; j++) {
          assert.equal(grid[r + i]![cell.column + j], "", "covered twice");
          grid[r + i]![cell.column + j] = cell.text || " ";
        }
    }),
  );
  for (const row of grid) for (const cell of row) assert.notEqual(cell, "", "left open");
  return grid;
}

test("nested heads span their columns, keys span all rows of heads", () => {
  const grid = covered([
    { head: "Training", above: [], key: true },
    { head: "acc", above: ["Stories", "Model"], key: false },
    { head: "acc", above: ["Stories", "Router"], key: false },
    { head: "acc", above: ["Math", "Router"], key: false },
    { head: "n", above: [], key: false },
  ]);
  assert.deepEqual(grid, [
    ["Training", "Stories", "Stories", "Math", "n"],
    ["Training", "Model", "Router", "Router", "n"],
    ["Training", "acc", "acc", "acc", "n"],
  ]);
});

test("equal heads under different ones are not joined", () => {
  const rows = headRows([
    { head: "a", above: ["X", "same"], key: false },
    { head: "b", above: ["Y", "same"], key: false },
  ]);
  assert.equal(rows[1]!.length, 2);
});

test("ragged depths and no columns are covered", () => {
  covered([
    { head: "a", above: ["X"], key: false },
    { head: "b", above: ["X", "Y", "Z"], key: false },
    { head: "k", above: ["ignored"], key: true },
  ]);
  assert.deepEqual(headRows([]), [[]]);
});

test("equal leading keys are joined; the last key and totals never are", () => {
  const spans = keySpans([
    { keys: ["math", "1"], total: false },
    { keys: ["math", "2"], total: false },
    { keys: ["logic", "2"], total: false },
    { keys: ["logic", "2"], total: true },
  ]);
  assert.deepEqual(spans, [
    [2, 1],
    [0, 1],
    [1, 1],
    [1, 1],
  ]);
});
