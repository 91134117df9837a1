// SPDX-License-Identifier: Apache-2.0
// Rows of a table of which any page can be asked: by the cursor of the page before it where that is
// known, else by its place. Pure bookkeeping; the table asks and draws.
import { farthest, type Page, type Wanted } from "./pages";

export class FarPages<Row> {
  private readonly pages = new Map<number, Row[]>();
  private readonly fresh = new Set<number>();
  private readonly cursors = new Map<number, string>();
  matched: number | null = null;
  total: number | null = null;

  constructor(
    readonly size: number,
    private readonly keep = 40,
  ) {}

  /** Rows that the scroll bar stands for: all. */
  get height(): number {
    return this.matched ?? 0;
  }

  readonly ended = true;

  get empty(): boolean {
    return this.pages.size === 0;
  }

  row(index: number): Row | undefined {
    return this.pages.get(Math.floor(index / this.size))?.[index % this.size];
  }

  /** The page to ask next so that rows FROM..TO (exclusive) can be drawn; null: all are there. */
  wanted(from: number, to: number): Wanted | null {
    const first = Math.max(0, Math.floor(from / this.size));
    const last = Math.floor(Math.max(from, to - 1) / this.size);
    for (let k = first; k <= last; k++) {
      if (this.fresh.has(k)) continue;
      if (k > 0 && this.matched !== null && k * this.size >= this.matched) return null;
      const after = this.cursors.get(k) ?? null;
      return { page: k, after, skip: after === null ? k * this.size : 0 };
    }
    return null;
  }

  /** Takes an answer. The pages behind it are asked again when another row is its last one now. */
  put(asked: Wanted, page: Page<Row>): boolean {
    const k = asked.page;
    this.pages.set(k, page.rows);
    this.fresh.add(k);
    this.matched = page.matched ?? k * this.size + page.rows.length;
    if (page.total !== undefined) this.total = page.total;
    const next = page.next === null || page.next === undefined ? null : String(page.next);
    const known = this.cursors.get(k + 1);
    if (known !== undefined && known !== next) {
      for (const page of [...this.fresh]) if (page > k) this.fresh.delete(page);
      for (const page of [...this.cursors.keys()]) if (page > k) this.cursors.delete(page);
    }
    if (next !== null) this.cursors.set(k + 1, next);
    this.evict(k);
    return true;
  }

  private evict(k: number): void {
    for (const gone of farthest(this.pages, k, this.keep)) {
      this.pages.delete(gone);
      this.fresh.delete(gone);
      this.cursors.delete(gone + 1);
    }
  }

  /** The store changed: what is drawn stays until it is asked again. */
  age(): void {
    this.fresh.clear();
  }
}
