// SPDX-License-Identifier: Apache-2.0
// spans.ts - heads of a paper's table that span columns, keys that span rows. Pure.

export interface HeadColumn {
  head: string;
  above: readonly string[]; // heads over it, the topmost first
  key: boolean;
}

export interface HeadCell {
  text: string;
  colspan: number;
  rowspan: number;
  column: number; // the first one below it
  leaf: boolean; // the column's own head
  key: boolean;
}

function sameAbove(a: HeadColumn, b: HeadColumn, levels: number): boolean {
  if (a.key || b.key) return false;
  for (let i = 0; i <= levels; i++) if (a.above[i] === undefined || a.above[i] !== b.above[i]) return false;
  return true;
}

// Rows of heads, the topmost first. Columns with fewer heads above reach further up.
export function headRows(columns: readonly HeadColumn[]): HeadCell[][] {
  const depth = Math.max(0, ...columns.map((c) => (c.key ? 0 : c.above.length)));
  const rows: HeadCell[][] = Array.from({ length: depth + 1 }, () => []);

  for (let level = 0; level <= depth; level++) {
    for (let c = 0; c < columns.length;) {
      const column = columns[c]!;
      const own = column.key ? 0 : column.above.length;
      let end = c + 1;
      if (level < own) {
        while (end < columns.length && sameAbove(column, columns[end]!, level)) end++;
        rows[level]!.push({
          text: column.above[level]!,
          colspan: end - c,
          rowspan: 1,
          column: c,
          leaf: false,
          key: false,
        });
      } else if (level === own) {
        rows[level]!.push({
          text: column.head,
          colspan: 1,
          rowspan: depth - own + 1,
          column: c,
          leaf: true,
          key: column.key,
        });
      }
      c = end;
    }
  }
  return rows;
}

export interface KeyedRow {
  keys: readonly string[];
  total: boolean;
}

// Per row and key column how many rows the cell spans; 0: a cell above covers it. The last key is
// never joined, so that each row has a head of its own; totals are left alone.
export function keySpans(rows: readonly KeyedRow[]): number[][] {
  const spans = rows.map((r) => r.keys.map(() => 1));

  for (let r = rows.length - 1; r > 0; r--) {
    const row = rows[r]!;
    const above = rows[r - 1]!;
    if (row.total || above.total) continue;
    for (let k = 0; k + 1 < row.keys.length; k++) {
      if (row.keys[k] !== above.keys[k]) break;
      spans[r - 1]![k]! += spans[r]![k]!;
      spans[r]![k] = 0;
    }
  }
  return spans;
}
