// SPDX-License-Identifier: Apache-2.0
// tree.ts - where the nodes of a search tree are drawn: tidy trees in linear time (Buchheim, Jünger
// and Leipert 2002), without recursion, so that a chain of thousands is no danger. Pure.
//
// Nodes come as the store has them: places in order of discovery, a parent each. Whatever they say
// (a parent that is not there, a circle), every node is drawn once.

import type { TreeNode } from "./types";

export interface TreePlaceOf {
  place: number;
  parent: number | null; // place it was first reached from; null, -1: none
}

export interface TreeLayout {
  across: Float64Array; // place among the nodes of its depth, in distances between neighbours
  depth: Int32Array;
  parent: Int32Array; // index into the nodes; -1: a root
  children: number[][];
  roots: number[];
  width: number; // largest ACROSS; the smallest is 0
  height: number; // largest depth
}

// Parents as indices; those that are missing, themselves or lead into a circle become roots.
export function treeParents(nodes: readonly TreePlaceOf[]): Int32Array {
  const at = new Map<number, number>();
  const parent = new Int32Array(nodes.length).fill(-1);
  const state = new Uint8Array(nodes.length); // 1: on the way, 2: known to end at a root

  nodes.forEach((n, i) => {
    if (!at.has(n.place)) at.set(n.place, i);
  });
  nodes.forEach((n, i) => {
    const p = n.parent === null ? undefined : at.get(n.parent);
    if (p !== undefined && p !== i) parent[i] = p;
  });
  for (let i = 0; i < nodes.length; i++) {
    const way: number[] = [];
    let at_node = i;
    while (at_node >= 0 && state[at_node] === 0) {
      state[at_node] = 1;
      way.push(at_node);
      at_node = parent[at_node]!;
    }
    if (at_node >= 0 && state[at_node] === 1) parent[at_node] = -1; // closes a circle
    for (const w of way) state[w] = 2;
  }
  return parent;
}

interface Walk {
  prelim: Float64Array;
  mod: Float64Array;
  change: Float64Array;
  shift: Float64Array;
  thread: Int32Array;
  ancestor: Int32Array;
  up: Int32Array;
  number: Int32Array; // among its siblings
  kids: number[][];
}

function nextLeft(w: Walk, v: number): number {
  const kids = w.kids[v]!;
  return kids.length ? kids[0]! : w.thread[v]!;
}

function nextRight(w: Walk, v: number): number {
  const kids = w.kids[v]!;
  return kids.length ? kids[kids.length - 1]! : w.thread[v]!;
}

function moveSubtree(w: Walk, left: number, right: number, by: number): void {
  const each = by / (w.number[right]! - w.number[left]!);

  w.change[right]! -= each;
  w.shift[right]! += by;
  w.change[left]! += each;
  w.prelim[right]! += by;
  w.mod[right]! += by;
}

// Push the subtree of V right until it is clear of its left siblings; the new default ancestor.
function apportion(w: Walk, v: number, sibling: number, fallback: number): number {
  let inRight = v;
  let outRight = v;
  let inLeft = sibling;
  let outLeft = w.kids[w.up[v]!]![0]!;
  let sumInRight = w.mod[inRight]!;
  let sumOutRight = w.mod[outRight]!;
  let sumInLeft = w.mod[inLeft]!;
  let sumOutLeft = w.mod[outLeft]!;
  let l = nextRight(w, inLeft);
  let r = nextLeft(w, inRight);

  while (l >= 0 && r >= 0) {
    inLeft = l;
    inRight = r;
    outLeft = nextLeft(w, outLeft);
    outRight = nextRight(w, outRight);
    w.ancestor[outRight] = v;
    const by = w.prelim[inLeft]! + sumInLeft - (w.prelim[inRight]! + sumInRight) + 1;
    if (by > 0) {
      const a = w.ancestor[inLeft]!;
      moveSubtree(w, w.up[a] === w.up[v] ? a : fallback, v, by);
      sumInRight += by;
      sumOutRight += by;
    }
    sumInLeft += w.mod[inLeft]!;
    sumInRight += w.mod[inRight]!;
    sumOutLeft += w.mod[outLeft]!;
    sumOutRight += w.mod[outRight]!;
    l = nextRight(w, inLeft);
    r = nextLeft(w, inRight);
  }
  if (l >= 0 && nextRight(w, outRight) < 0) {
    w.thread[outRight] = l;
    w.mod[outRight]! += sumInLeft - sumOutRight;
  }
  if (r >= 0 && nextLeft(w, outLeft) < 0) {
    w.thread[outLeft] = r;
    w.mod[outLeft]! += sumInRight - sumOutLeft;
    return v;
  }
  return fallback;
}

function executeShifts(w: Walk, v: number): void {
  const kids = w.kids[v]!;
  let shift = 0;
  let change = 0;

  for (let i = kids.length - 1; i >= 0; i--) {
    const k = kids[i]!;
    w.prelim[k]! += shift;
    w.mod[k]! += shift;
    change += w.change[k]!;
    shift += w.shift[k]! + change;
  }
}

// Nodes of the tree below ROOT, parents before children, siblings in order.
function preorder(kids: number[][], root: number): number[] {
  const order: number[] = [];
  const stack = [root];

  while (stack.length) {
    const v = stack.pop()!;
    order.push(v);
    const k = kids[v]!;
    for (let i = k.length - 1; i >= 0; i--) stack.push(k[i]!);
  }
  return order;
}

// Children before parents, siblings from left to right: what the first walk needs.
function postorder(kids: number[][], root: number): number[] {
  const order: number[] = [];
  const stack = [root];

  while (stack.length) {
    const v = stack.pop()!;
    order.push(v);
    for (const k of kids[v]!) stack.push(k);
  }
  return order.reverse();
}

function firstWalk(w: Walk, order: number[], fallback: Int32Array): void {
  for (const v of order) {
    const kids = w.kids[v]!;
    const up = w.up[v]!;
    const sibling = up >= 0 && w.number[v]! > 0 ? w.kids[up]![w.number[v]! - 1]! : -1;
    if (kids.length) {
      executeShifts(w, v);
      const middle = (w.prelim[kids[0]!]! + w.prelim[kids[kids.length - 1]!]!) / 2;
      if (sibling >= 0) {
        w.prelim[v] = w.prelim[sibling]! + 1;
        w.mod[v] = w.prelim[v]! - middle;
      } else {
        w.prelim[v] = middle;
      }
    } else if (sibling >= 0) {
      w.prelim[v] = w.prelim[sibling]! + 1;
    }
    if (up >= 0 && sibling >= 0) {
      const before = fallback[up]! >= 0 ? fallback[up]! : w.kids[up]![0]!;
      fallback[up] = apportion(w, v, sibling, before);
    }
  }
}

// A tidy layout: neighbours of a depth are at least 1 apart, parents stand over the middle of their
// children, siblings are in order of discovery, equal subtrees are drawn equally.
export function treeLayout(nodes: readonly TreePlaceOf[]): TreeLayout {
  const n = nodes.length;
  const parent = treeParents(nodes);
  const inner = n; // holds the roots together where there are several
  const kids: number[][] = Array.from({ length: n + 1 }, () => []);
  const by_place = Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => nodes[a]!.place - nodes[b]!.place || a - b,
  );

  for (const i of by_place) kids[parent[i]! < 0 ? inner : parent[i]!]!.push(i);
  const w: Walk = {
    prelim: new Float64Array(n + 1),
    mod: new Float64Array(n + 1),
    change: new Float64Array(n + 1),
    shift: new Float64Array(n + 1),
    thread: new Int32Array(n + 1).fill(-1),
    ancestor: Int32Array.from({ length: n + 1 }, (_, i) => i),
    up: new Int32Array(n + 1).fill(-1),
    number: new Int32Array(n + 1),
    kids,
  };
  kids.forEach((list, p) =>
    list.forEach((k, i) => {
      w.up[k] = p;
      w.number[k] = i;
    }),
  );
  firstWalk(w, postorder(kids, inner), new Int32Array(n + 1).fill(-1));

  const across = new Float64Array(n);
  const depth = new Int32Array(n);
  const sum = new Float64Array(n + 1);
  let least = Infinity;
  let most = 0;
  let height = 0;
  for (const v of preorder(kids, inner)) {
    if (v === inner) continue;
    const up = w.up[v]!;
    const above = sum[up]! + w.mod[up]!;
    sum[v] = above;
    across[v] = w.prelim[v]! + above;
    depth[v] = up === inner ? 0 : depth[up]! + 1;
    least = Math.min(least, across[v]!);
    most = Math.max(most, across[v]!);
    height = Math.max(height, depth[v]!);
  }
  for (let i = 0; i < n; i++) across[i]! -= least;
  return {
    across,
    depth,
    parent,
    children: kids.slice(0, n),
    roots: kids[inner]!,
    width: n ? most - least : 0,
    height,
  };
}

// From node I to its root, I first.
export function treePath(layout: TreeLayout, i: number): number[] {
  const path: number[] = [];

  for (let v = i; v >= 0; v = layout.parent[v]!) path.push(v);
  return path;
}

export type TreeMove = "parent" | "child" | "next" | "previous" | "first" | "last" | "before" | "after";

// Where the cursor goes from node I: in the tree, or to the node found before or after it.
export function treeMove(layout: TreeLayout, i: number, move: TreeMove): number {
  const up = layout.parent[i]!;
  const kids = layout.children[i]!;
  const row = up < 0 ? layout.roots : layout.children[up]!;
  const at = row.indexOf(i);
  const last = layout.parent.length - 1;

  switch (move) {
    case "parent":
      return up < 0 ? i : up;
    case "child":
      return kids.length ? kids[0]! : i;
    case "next":
      return at + 1 < row.length ? row[at + 1]! : i;
    case "previous":
      return at > 0 ? row[at - 1]! : i;
    case "first":
      return 0;
    case "last":
      return last;
    case "before":
      return Math.max(0, i - 1);
    case "after":
      return Math.min(last, i + 1);
  }
}

export interface Point {
  x: number;
  y: number;
}

export type TreeShape = "down" | "radial";

export interface TreePicture {
  at: Point[];
  // where the curve from the parent leaves it and arrives, as of a cubic Bézier
  leave: Point[];
  arrive: Point[];
  width: number;
  height: number;
  gap: Float64Array; // from a node to its neighbours of the same depth; Infinity: it has none
}

function placeDown(layout: TreeLayout, picture: TreePicture): void {
  for (let i = 0; i < layout.depth.length; i++) {
    const up = layout.parent[i]!;
    const x = layout.across[i]!;
    const y = layout.depth[i]!;
    picture.at.push({ x, y });
    picture.leave.push({ x: up < 0 ? x : layout.across[up]!, y: y - 0.5 });
    picture.arrive.push({ x, y: y - 0.5 });
  }
  const by_depth: number[][] = Array.from({ length: layout.height + 1 }, () => []);
  layout.depth.forEach((d, i) => by_depth[d]!.push(i));
  for (const row of by_depth) {
    row.sort((a, b) => layout.across[a]! - layout.across[b]!);
    row.forEach((i, k) => {
      const left = k > 0 ? layout.across[i]! - layout.across[row[k - 1]!]! : Infinity;
      const right = k + 1 < row.length ? layout.across[row[k + 1]!]! - layout.across[i]! : Infinity;
      picture.gap[i] = Math.min(left, right);
    });
  }
}

function placeRadial(layout: TreeLayout, picture: TreePicture): void {
  const round = layout.width + 1;
  const inner = layout.roots.length > 1 ? 1 : 0; // several roots stand on a ring
  const middle = Math.max(1, layout.height + inner);
  const turn = (i: number): number => (2 * Math.PI * layout.across[i]!) / round - Math.PI / 2;
  const spot = (angle: number, r: number): Point => ({
    x: middle + r * Math.cos(angle),
    y: middle + r * Math.sin(angle),
  });

  for (let i = 0; i < layout.depth.length; i++) {
    const up = layout.parent[i]!;
    const r = layout.depth[i]! + inner;
    picture.at.push(spot(turn(i), r));
    picture.leave.push(spot(turn(up < 0 || r <= 1 ? i : up), r - 0.5));
    picture.arrive.push(spot(turn(i), r - 0.5));
    picture.gap[i] = r > 0 ? Math.min(1, (2 * Math.PI * r) / round) : 1;
  }
  picture.width = picture.height = 2 * middle;
}

// Points in units: a level is 1 high. 'down': the root on top, neighbours 1 apart. 'radial': the
// root in the middle, depths are rings; wide shallow trees fit a square.
export function treePlace(layout: TreeLayout, shape: TreeShape): TreePicture {
  const picture: TreePicture = {
    at: [],
    leave: [],
    arrive: [],
    width: layout.width,
    height: layout.height,
    gap: new Float64Array(layout.depth.length),
  };

  if (shape === "down") placeDown(layout, picture);
  else placeRadial(layout, picture);
  return picture;
}

// Radius of a node by its visits: areas are in proportion, within bounds that stay readable.
export function treeRadius(visits: number, most: number, least_px = 3.5, most_px = 16): number {
  if (!(visits > 0) || !(most > 0)) return least_px;
  return Math.max(least_px, Math.min(most_px, most_px * Math.sqrt(visits / most)));
}

// Mean of the rewards seen below a node, as the server gives it; null: never visited.
export function treeMean(node: Pick<TreeNode, "visits" | "value">): number | null {
  return node.value !== null && node.visits > 0 && Number.isFinite(node.value) ? node.value : null;
}
