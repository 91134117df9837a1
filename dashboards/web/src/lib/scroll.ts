// SPDX-License-Identifier: Apache-2.0
// Which rows of a long table are on the screen. Browsers draw boxes of some 17 (Firefox) to 33 million
// pixels at most: a longer table gets a box of MOST pixels, in which the scroll bar goes faster than
// the rows. Pure.

export const ROW = 30;
const HEAD = ROW + 2;
const OVERSCAN = 8;
const MOST = 15e6;

export interface Window {
  /** rows FIRST..LAST (exclusive) are drawn, with so much room above and below, px */
  first: number;
  last: number;
  above: number;
  below: number;
}

function heights(length: number, view: number): { box: number; speed: number } {
  const whole = length * ROW;
  const box = Math.min(whole, MOST);
  const room = view - HEAD;
  return { box, speed: whole === box ? 1 : (whole - room) / (box - room) };
}

/** What is drawn when the box of VIEW pixels is scrolled to TOP. */
export function windowAt(top: number, view: number, length: number): Window {
  const { box, speed } = heights(length, view);
  const at = top * speed;
  // Rows before the window must fit into the room above it.
  const least = Math.ceil((at - top) / ROW);
  const first = Math.max(0, least, Math.floor(at / ROW) - OVERSCAN);
  const last = Math.min(length, Math.ceil((at + view) / ROW) + OVERSCAN);
  const above = Math.max(0, top - (at - first * ROW));
  return { first, last, above, below: Math.max(0, box - above - Math.max(0, last - first) * ROW) };
}

/** Where to scroll so that row K is seen; TOP when it is. */
export function topFor(k: number, top: number, view: number, length: number): number {
  const { speed } = heights(length, view);
  const at = top * speed;
  if (k * ROW < at) return Math.floor((k * ROW) / speed);
  if ((k + 1) * ROW + HEAD > at + view) return Math.ceil(((k + 1) * ROW + HEAD - view) / speed);
  return top;
}
