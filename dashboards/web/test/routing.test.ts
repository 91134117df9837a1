// SPDX-License-Identifier: Apache-2.0
// Goal: routings read as they run. Method: strings of digits in, words and lengths out.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ranges,
  routingDifferences,
  routingEdit,
  routingLayers,
  routingLength,
  routingWords,
} from "../src/lib/routing";

test("digits are skip, execute and repeat", () => {
  assert.deepEqual(
    routingLayers("0123").map((l) => [l.choice, l.times]),
    [
      ["skip", 0],
      ["execute", 1],
      ["repeat", 2],
      ["repeat", 3],
    ],
  );
  assert.equal(routingLength("110012"), 5);
});

test("neighbours are said as ranges from three on", () => {
  assert.equal(ranges([3, 4, 5, 9]), "3–5, 9");
  assert.equal(ranges([3, 4]), "3, 4");
  assert.equal(ranges([]), "");
});

test("words say what is skipped, repeated and how long the path is", () => {
  assert.equal(routingWords("111111001121"), "skips 6, 7; repeats 10: 11 for 12 layers");
  assert.equal(routingWords("1111"), "every layer once (4)");
});

test("an edit is what differs from the parent", () => {
  assert.equal(routingEdit("11111", "11001"), "skip 2–3");
  assert.equal(routingEdit("11111", "01112"), "skip 0, repeat 4");
  assert.equal(routingEdit("01111", "11111"), "execute 0");
  assert.equal(routingEdit("111", "111"), "no change");
  assert.deepEqual(routingDifferences("110", "011"), [0, 2]);
});
