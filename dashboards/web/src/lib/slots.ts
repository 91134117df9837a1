// SPDX-License-Identifier: Apache-2.0
// Which element draws which row of a long table: a row that stays keeps its element, and a row that
// comes takes that of one that went, so that a new order of rows changes texts and makes nothing. Pure.

export type Slots<Key> = ReadonlyMap<Key, number>;

/** The slot of each of KEYS (unique, in the order drawn), should BEFORE be drawn now. */
export function slotsFor<Key>(before: Slots<Key>, keys: readonly Key[]): Slots<Key> {
  const stay = new Set(keys);
  const free: number[] = [];
  const taken = new Set<number>();
  for (const [key, slot] of before) {
    if (stay.has(key)) taken.add(slot);
    else free.push(slot);
  }
  let next = 0;
  const unused = () => {
    while (taken.has(next)) next++;
    return next++;
  };
  for (const slot of free) taken.add(slot);
  const now = new Map<Key, number>();
  let k = 0;
  for (const key of keys) now.set(key, before.get(key) ?? free[k++] ?? unused());
  return now;
}
