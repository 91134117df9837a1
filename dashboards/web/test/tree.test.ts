// SPDX-License-Identifier: Apache-2.0
// Goal: search trees of up to thousands of nodes are drawn tidily, whatever the store says of their
// parents. Method: properties checked on chains, stars, random trees and hostile ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { treeLayout, treeMean, treeMove, treePath, treePlace, treeRadius } from "../src/lib/tree";
import type { TreeLayout, TreePlaceOf } from "../src/lib/tree";

function random(seed: number): () => number {
  let x = seed >>> 0;
  return () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return x / 4294967296;
  };
}

function randomTree(n: number, seed: number, narrow = 1): TreePlaceOf[] {
  const next = random(seed);
  return Array.from({ length: n }, (_, place) => ({
    place,
    parent: place === 0 ? -1 : Math.floor(place * next() ** narrow),
  }));
}

function tidy(layout: TreeLayout): void {
  const by_depth = new Map<number, number[]>();
  layout.depth.forEach((d, i) => by_depth.set(d, [...(by_depth.get(d) ?? []), layout.across[i]!]));
  for (const list of by_depth.values()) {
    list.sort((a, b) => a - b);
    for (let i = 1; i < list.length; i++) assert.ok(list[i]! - list[i - 1]! >= 1 - 1e-6, "nodes overlap");
  }
  layout.children.forEach((kids, v) => {
    if (!kids.length) return;
    const middle = (layout.across[kids[0]!]! + layout.across[kids[kids.length - 1]!]!) / 2;
    assert.ok(Math.abs(middle - layout.across[v]!) < 1e-6, "a parent is not over its children");
    for (let i = 1; i < kids.length; i++)
      assert.ok(layout.across[kids[i]!]! > layout.across[kids[i - 1]!]!, "children are not in order");
    for (const k of kids) assert.equal(layout.depth[k], layout.depth[v]! + 1);
  });
}

test("random trees are tidy: no overlap, parents over their children, order of discovery", () => {
  for (let seed = 1; seed <= 40; seed++) tidy(treeLayout(randomTree(1 + seed * 50, seed, 1 + (seed % 4))));
});

test("a chain of 100,000 nodes is a straight line and no stack overflows", () => {
  const layout = treeLayout(Array.from({ length: 100000 }, (_, i) => ({ place: i, parent: i - 1 })));
  assert.equal(layout.width, 0);
  assert.equal(layout.height, 99999);
});

test("a star is as wide as it has leaves, its root in the middle", () => {
  const layout = treeLayout(Array.from({ length: 2000 }, (_, i) => ({ place: i, parent: i ? 0 : -1 })));
  assert.equal(layout.width, 1998);
  assert.equal(layout.across[0], 999);
});

test("equal subtrees are drawn equally", () => {
  // root with two copies of a small tree and a leaf between them
  const half = (place: number, parent: number): TreePlaceOf[] => [
    { place, parent },
    { place: place + 1, parent: place },
    { place: place + 2, parent: place },
    { place: place + 3, parent: place + 1 },
  ];
  const layout = treeLayout([
    { place: 0, parent: -1 },
    ...half(1, 0),
    { place: 5, parent: 0 },
    ...half(6, 0),
  ]);
  for (let i = 1; i <= 3; i++)
    assert.ok(
      Math.abs(layout.across[1 + i]! - layout.across[1]! - (layout.across[6 + i]! - layout.across[6]!)) <
        1e-9,
    );
  tidy(layout);
});

test("2,000 nodes are laid out in well under a frame's tenth of a second, linearly", () => {
  const start = performance.now();
  treeLayout(randomTree(2000, 7));
  const small = performance.now() - start;
  assert.ok(small < 1000, `took ${small} ms`); // generous: only quadratic layouts fail
});

test("parents that are missing, themselves or a circle make roots; every node is drawn once", () => {
  const nodes: TreePlaceOf[] = [
    { place: 0, parent: null },
    { place: 1, parent: 99 },
    { place: 2, parent: 2 },
    { place: 3, parent: 4 },
    { place: 4, parent: 5 },
    { place: 5, parent: 3 },
    { place: 5, parent: 0 }, // a place twice
  ];
  const layout = treeLayout(nodes);
  assert.equal(layout.depth.length, 7);
  assert.ok(layout.roots.length >= 4);
  for (let i = 0; i < nodes.length; i++) assert.ok(treePath(layout, i).length <= nodes.length);
  tidy(layout);
  assert.equal(treeLayout([]).height, 0);
});

test("the cursor moves to parents, children, siblings and by discovery, and stays at the ends", () => {
  const layout = treeLayout([
    { place: 0, parent: -1 },
    { place: 1, parent: 0 },
    { place: 2, parent: 0 },
    { place: 3, parent: 1 },
  ]);
  assert.equal(treeMove(layout, 0, "child"), 1);
  assert.equal(treeMove(layout, 1, "next"), 2);
  assert.equal(treeMove(layout, 2, "next"), 2);
  assert.equal(treeMove(layout, 2, "previous"), 1);
  assert.equal(treeMove(layout, 3, "parent"), 1);
  assert.equal(treeMove(layout, 0, "parent"), 0);
  assert.equal(treeMove(layout, 3, "after"), 3);
  assert.equal(treeMove(layout, 3, "before"), 2);
  assert.equal(treeMove(layout, 3, "child"), 3);
  assert.deepEqual(treePath(layout, 3), [3, 1, 0]);
});

test("radial pictures keep nodes of a ring apart and inside the picture", () => {
  const layout = treeLayout(randomTree(300, 3, 3));
  const picture = treePlace(layout, "radial");
  for (const p of picture.at) {
    assert.ok(p.x >= -1e-6 && p.x <= picture.width + 1e-6);
    assert.ok(p.y >= -1e-6 && p.y <= picture.height + 1e-6);
  }
});

test("areas grow with visits within bounds; a mean is known where there were visits", () => {
  assert.ok(treeRadius(100, 100) > treeRadius(25, 100));
  assert.equal(treeRadius(0, 0), 3.5);
  assert.equal(treeRadius(NaN, 10), 3.5);
  assert.equal(treeMean({ visits: 4, value: 0.75 }), 0.75);
  assert.equal(treeMean({ visits: 0, value: 0.75 }), null);
  assert.equal(treeMean({ visits: 3, value: null }), null);
});

test("gaps are distances between neighbours of a depth; who is alone has all the room", () => {
  const layout = treeLayout([
    { place: 0, parent: -1 },
    { place: 1, parent: 0 },
    { place: 2, parent: 0 },
    { place: 3, parent: 0 },
  ]);
  assert.deepEqual([...treePlace(layout, "down").gap], [Infinity, 1, 1, 1]);
});
