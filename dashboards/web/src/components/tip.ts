// SPDX-License-Identifier: Apache-2.0
// Where a tooltip stands.

/** Puts a tooltip beside a point of its box, inside the box's width. */
export function placeTip(tip: HTMLElement, x: number, y: number): void {
  const box = tip.offsetParent;
  if (!(box instanceof HTMLElement)) return;
  const w = tip.offsetWidth;
  const h = tip.offsetHeight;
  const left = x + 16 + w <= box.clientWidth ? x + 16 : Math.max(0, x - 16 - w);
  const above = Math.min(y - h / 2, box.clientHeight - h);
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(-40, above))}px)`;
}
