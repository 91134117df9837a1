// SPDX-License-Identifier: Apache-2.0
// Rows of a long table, fetched by keyset pages: page K is asked with the cursor that page K-1
// gave. Pure bookkeeping; the table asks and draws.

export interface Page<Row> {
  rows: Row[];
  next: string | number | null;
  matched: number | null;
  total?: number | null;
}

/** A page to ask: behind a cursor, or behind so many rows (0: as the cursor says). */
export interface Wanted {
  page: number;
  after: string | null;
  skip: number;
}

export class Pages<Row> {
  readonly cursors: (string | null)[] = [null];
  private readonly pages = new Map<number, Row[]>();
  private readonly fresh = new Set<number>();
  matched: number | null = null;
  total: number | null = null;
  ended = false;

  constructor(
    readonly size: number,
    private readonly keep = 40,
  ) {}

  /** Rows that can be drawn or asked for: all before the end of what was reached. */
  get length(): number {
    const reached = this.cursors.length - 1;
    const last = this.pages.get(reached - 1);
    if (this.ended) return (reached - 1) * this.size + (last?.length ?? this.lastLength);
    return reached * this.size;
  }

  private lastLength = 0;

  /** Rows that a scroll bar should stand for. */
  get height(): number {
    if (this.ended) return this.length;
    return Math.max(this.length, Math.min(this.matched ?? Infinity, this.length + this.size));
  }

  row(index: number): Row | undefined {
    return this.pages.get(Math.floor(index / this.size))?.[index % this.size];
  }

  get empty(): boolean {
    return this.pages.size === 0;
  }

  /** The page to ask next so that rows FROM..TO (exclusive) can be drawn; null: all are there. A
   * page that is not reached yet is asked by way of the last one reached. */
  wanted(from: number, to: number): Wanted | null {
    const first = Math.max(0, Math.floor(from / this.size));
    const last = Math.max(first, Math.floor(Math.max(from, to - 1) / this.size));
    for (let k = first; k <= last; k++) {
      if (this.fresh.has(k)) continue;
      if (k < this.cursors.length) {
        if (this.ended && k >= this.cursors.length - 1) return null;
        return { page: k, after: this.cursors[k] ?? null, skip: 0 };
      }
      if (this.ended) return null;
      const end = this.cursors.length - 1;
      return { page: end, after: this.cursors[end] ?? null, skip: 0 };
    }
    return null;
  }

  /** Takes an answer. Returns whether it was used: a cursor that is no longer that page's belongs to
   * an order of rows that is gone. */
  put(asked: Wanted, page: Page<Row>): boolean {
    const { page: k, after } = asked;
    if (k >= this.cursors.length || this.cursors[k] !== after) return false;
    this.pages.set(k, page.rows);
    this.fresh.add(k);
    this.matched = page.matched;
    if (page.total !== undefined) this.total = page.total;
    const next = page.next === null || page.next === undefined ? null : String(page.next);
    const full = page.rows.length >= this.size;
    if (next === null || !full) {
      this.drop(k + 1);
      this.cursors.length = k + 1;
      this.cursors.push("");
      this.ended = true;
      this.lastLength = page.rows.length;
    } else if (this.cursors[k + 1] !== next) {
      this.drop(k + 1);
      this.cursors.length = k + 1;
      this.cursors.push(next);
      this.ended = false;
    } else if (this.ended && this.cursors.length === k + 2) {
      this.ended = false;
    }
    this.evict(k);
    return true;
  }

  private drop(from: number): void {
    for (const k of [...this.pages.keys()]) if (k >= from) this.pages.delete(k);
    for (const k of [...this.fresh]) if (k >= from) this.fresh.delete(k);
  }

  /** The pages farthest from K go when too many are kept; their cursors stay. */
  private evict(k: number): void {
    for (const gone of farthest(this.pages, k, this.keep)) {
      this.pages.delete(gone);
      this.fresh.delete(gone);
    }
  }

  /** The store changed: what is drawn stays until it is asked again. */
  age(): void {
    this.fresh.clear();
  }
}

/** The pages of KEPT that are too many, should KEEP stay: those farthest from page K. */
export function farthest(kept: ReadonlyMap<number, unknown>, k: number, keep: number): number[] {
  if (kept.size <= keep) return [];
  const far = [...kept.keys()].sort((a, b) => Math.abs(b - k) - Math.abs(a - k));
  return far.slice(0, kept.size - keep);
}

/** All rows at once, as pages. */
export function slicePage<Row>(rows: readonly Row[], after: string | null, limit: number): Page<Row> {
  const from = after === null ? 0 : Number(after);
  const end = Math.min(rows.length, from + limit);
  return {
    rows: rows.slice(from, end),
    next: end < rows.length ? String(end) : null,
    matched: rows.length,
    total: rows.length,
  };
}

/** Order of cells: numbers before texts, nothing last in both directions. */
export function compareCells(a: unknown, b: unknown, descending: boolean): number {
  const missing = (x: unknown) => x === null || x === undefined || (typeof x === "number" && Number.isNaN(x));
  if (missing(a) || missing(b)) return missing(a) === missing(b) ? 0 : missing(a) ? 1 : -1;
  let order: number;
  if (typeof a === "number" && typeof b === "number") order = a - b;
  else if (typeof a === "number") order = -1;
  else if (typeof b === "number") order = 1;
  else order = String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  return descending ? -order : order;
}
