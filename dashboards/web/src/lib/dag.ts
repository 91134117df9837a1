// SPDX-License-Identifier: Apache-2.0
// dag.ts - where the steps of a recipe are drawn: columns by what they need, from left to right,
// rows so that few arrows cross. Pure.

export interface DagNode {
  name: string;
  column: number;
  row: number;
}

export interface DagLayout {
  nodes: DagNode[];
  edges: { from: number; to: number }[];
  columns: number;
  rows: number; // of the highest column
}

// Column of each node: the longest way from a node that needs nothing. Circles are cut.
function columnsOf(n: number, needs: number[][]): number[] {
  const column = new Array<number>(n).fill(-1);
  const open = new Array<boolean>(n).fill(false);

  for (let start = 0; start < n; start++) {
    const stack: { v: number; i: number }[] = column[start]! < 0 ? [{ v: start, i: 0 }] : [];
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      open[top.v] = true;
      const list = needs[top.v]!;
      const next = list[top.i];
      if (next === undefined) {
        const of = list.map((p) => column[p]!);
        column[top.v] = 1 + Math.max(-1, ...of);
        open[top.v] = false;
        stack.pop();
      } else {
        top.i++;
        if (column[next]! < 0 && !open[next]) stack.push({ v: next, i: 0 });
      }
    }
  }
  return column;
}

function sortByNeighbours(columns: number[][], near: number[][], row: number[]): void {
  for (const list of columns) {
    const wish = new Map<number, number>();
    list.forEach((v, i) => {
      const of = near[v]!;
      wish.set(v, of.length ? of.reduce((s, u) => s + row[u]!, 0) / of.length : i);
    });
    list.sort((a, b) => wish.get(a)! - wish.get(b)! || a - b);
    list.forEach((v, i) => (row[v] = i - (list.length - 1) / 2));
  }
}

// Edges without those that a longer way says as well. Circles stay as they are.
function reduced(
  n: number,
  edges: { from: number; to: number }[],
  column: number[],
): { from: number; to: number }[] {
  const out: number[][] = Array.from({ length: n }, () => []);
  for (const e of edges) if (column[e.from]! < column[e.to]!) out[e.from]!.push(e.to);
  const reach: Set<number>[] = Array.from({ length: n }, () => new Set());
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => column[b]! - column[a]!);
  for (const v of order)
    for (const u of out[v]!) {
      reach[v]!.add(u);
      for (const w of reach[u]!) reach[v]!.add(w);
    }
  return edges.filter((e) => !out[e.from]!.some((u) => u !== e.to && reach[u]!.has(e.to)));
}

export function dagLayout(
  names: readonly string[],
  edges: readonly (readonly [string, string])[],
): DagLayout {
  const at = new Map(names.map((n, i) => [n, i]));
  const needs: number[][] = names.map(() => []);
  const known: { from: number; to: number }[] = [];

  for (const [from, to] of edges) {
    const f = at.get(from);
    const t = at.get(to);
    if (f === undefined || t === undefined || f === t) continue;
    if (needs[t]!.includes(f)) continue;
    needs[t]!.push(f);
    known.push({ from: f, to: t });
  }
  const column = columnsOf(names.length, needs);
  const shown = reduced(names.length, known, column);
  const near: number[][] = names.map(() => []);
  const back: number[][] = names.map(() => []);
  for (const e of shown) {
    near[e.to]!.push(e.from);
    back[e.from]!.push(e.to);
  }
  const wide = Math.max(0, ...column) + 1;
  const columns: number[][] = Array.from({ length: names.length ? wide : 0 }, () => []);
  column.forEach((c, v) => columns[c]!.push(v));
  const row = new Array<number>(names.length).fill(0);
  columns.forEach((list) => list.forEach((v, i) => (row[v] = i - (list.length - 1) / 2)));
  for (let round = 0; round < 4; round++) {
    sortByNeighbours(columns, near, row);
    sortByNeighbours([...columns].reverse(), back, row);
  }
  const rows = Math.max(0, ...columns.map((c) => c.length));
  return {
    nodes: names.map((name, i) => ({
      name,
      column: column[i]!,
      row: row[i]! + (rows - 1) / 2,
    })),
    edges: shown,
    columns: columns.length,
    rows,
  };
}
