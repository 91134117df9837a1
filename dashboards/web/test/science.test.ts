// SPDX-License-Identifier: Apache-2.0
// Goal: graphs of steps, recipes, axes and numbers are shown as they are. Method: examples
// and hostile texts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, firstGrouping, groupings, shortName } from "../src/lib/columns";
import { dagLayout } from "../src/lib/dag";
import { forestAxis, forestCut, forestShare } from "../src/lib/forest";
import {
  fixed,
  gapText,
  measureLook,
  measureText,
  pText,
  signed,
  tickText,
  ticks,
} from "../src/lib/measures";
import { ticks } from "../src/lib/format";
import { recipeLines, recipePieces } from "../src/lib/recipe";

test("steps stand right of what they need; circles and strangers do no harm", () => {
  const d = dagLayout(
    ["base", "labels", "router", "score", "plain"],
    [
      ["base", "labels"],
      ["labels", "router"],
      ["router", "score"],
      ["base", "score"],
      ["base", "plain"],
      ["nowhere", "score"],
      ["score", "score"],
    ],
  );
  for (const e of d.edges) assert.ok(d.nodes[e.from]!.column < d.nodes[e.to]!.column);
  assert.equal(d.edges.length, 4); // base -> score is said by the longer way
  assert.equal(d.columns, 4);
  const places = new Set(d.nodes.map((n) => `${n.column} ${n.row}`));
  assert.equal(places.size, 5);
  const circle = dagLayout(
    ["a", "b"],
    [
      ["a", "b"],
      ["b", "a"],
    ],
  );
  assert.equal(circle.nodes.length, 2);
  assert.equal(dagLayout([], []).columns, 0);
});

test("the pieces of a recipe are its text, whatever it is", () => {
  const recipe =
    '# a comment\nname = "x \\" y"; // more\nsteps = ( { id = "a"; n = 1.5e-3; on = true; } );\n@include "b.cfg"\n/* open';
  assert.equal(
    recipePieces(recipe)
      .map((p) => p.text)
      .join(""),
    recipe,
  );
  assert.equal(recipeLines(recipe).length, recipe.split("\n").length);
  const kinds = recipePieces(recipe).map((p) => p.kind);
  for (const k of ["comment", "name", "string", "number", "word", "include"])
    assert.ok(kinds.includes(k as never), k);
  for (const hostile of [
    "",
    '"'.repeat(5000),
    "/*".repeat(5000),
    "<img src=x onerror=alert(1)>",
    "-".repeat(20000),
  ])
    assert.equal(
      recipePieces(hostile)
        .map((p) => p.text)
        .join(""),
      hostile,
    );
});

test("a forest's axis holds points and zero, and cuts intervals that would hide them", () => {
  const axis = forestAxis(
    [
      { at: 0.2, lo: 0.1, hi: 0.3 },
      { at: -0.05, lo: -40, hi: 40 },
    ],
    true,
  );
  assert.ok(axis.lo < -0.05 && axis.hi > 0.3 && axis.hi < 5);
  assert.ok(axis.ticks.includes(0));
  assert.deepEqual(forestCut(axis, { at: 0, lo: -40, hi: 40 }), { low: true, high: true });
  assert.equal(forestShare(axis, 1000), 1);
  assert.ok(Number.isFinite(forestAxis([], true).lo));
  const one = forestAxis([{ at: 0.5, lo: null, hi: null }], false);
  assert.ok(one.lo < one.hi);
});

test("numbers have a real minus, grouped thousands and a dash where there is none", () => {
  assert.equal(fixed(-1234.6, 1), "−1\u202f235");
  assert.equal(fixed(null, 1), "–");
  assert.equal(fixed(NaN, 1), "–");
  assert.equal(signed(0, 1), "+0.0");
  assert.equal(signed(-2, 1), "−2.0");
  assert.equal(measureText(0.798, measureLook("accuracy")), "79.8\u202f%");
  assert.equal(gapText(-0.2, measureLook("accuracy")), "−20.0");
  assert.equal(measureLook("score.math.acc").scale, 100);
  assert.equal(measureLook("reward").scale, 1);
  assert.equal(pText(0.0001), "< .001");
  assert.equal(pText(0.04), ".040");
});

test("ticks are round, inside and told apart", () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  const t = ticks(-0.013, 0.021, 6);
  assert.ok(t.includes(0));
  assert.equal(new Set(t.map((x) => tickText(x, t))).size, t.length);
});

test("texts lose the quotes around them, and nothing else", () => {
  assert.equal(bare('"linear"'), "linear");
  assert.equal(bare('"a \\"b\\" <i>"'), 'a "b" <i>');
  assert.equal(bare('"open'), '"open');
  assert.equal(bare('"bad \\q"'), '"bad \\q"');
  assert.equal(bare(3), 3);
  assert.equal(bare(undefined), null);
});

test("runs are grouped by what tells most, else by the fewest values, never first by the seed", () => {
  const param = (name: string, distinct: number) => ({
    name,
    kind: "param" as const,
    type: "text" as const,
    distinct,
  });
  const columns = [param("seed", 2), param("lr", 9), param("schedule", 4), param("one", 1)];
  assert.deepEqual(
    groupings({ columns }).map((c) => c.name),
    ["schedule", "lr", "seed"],
  );
  assert.equal(firstGrouping({ columns }), "schedule");
  assert.equal(firstGrouping({ columns, telling: "lr" }), "lr");
  assert.equal(firstGrouping({ columns: [param("seed", 3)] }), "");
  assert.equal(shortName("train.lr", ["train.lr", "router.lr"]), "train.lr");
  assert.equal(shortName("train.schedule", ["train.schedule", "train.lr"]), "schedule");
});
