// SPDX-License-Identifier: Apache-2.0
// One row of a forest plot: a mark with its interval on an axis that all rows share.
import type { VNode } from "preact";
import { ForestAxis, ForestItem, forestCut, forestShare } from "../lib/forest";
import { tickText } from "../lib/measures";

const W = 400;
const H = 30;
const EDGE = 10;

function place(axis: ForestAxis, x: number): number {
  return EDGE + forestShare(axis, x) * (W - 2 * EDGE);
}

export function ForestMark(props: {
  axis: ForestAxis;
  item: ForestItem;
  zero: boolean;
  tone: "best" | "plain" | "base";
  label: string;
}): VNode {
  const { axis, item } = props;
  const y = H / 2;
  const cut = forestCut(axis, item);
  const x = item.at === null ? null : place(axis, item.at);
  const lo = item.lo === null ? null : place(axis, item.lo);
  const hi = item.hi === null ? null : place(axis, item.hi);
  return (
    <svg
      class={"forest forest-" + props.tone}
      viewBox={`0 0 ${W} ${H}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={props.label}
    >
      {axis.ticks.map((t) => (
        <line
          key={t}
          class={props.zero && t === 0 ? "forest-zero" : "forest-grid"}
          x1={place(axis, t)}
          x2={place(axis, t)}
          y1={0}
          y2={H}
        />
      ))}
      {lo !== null && hi !== null && (
        <>
          <line class="forest-bar" x1={lo} x2={hi} y1={y} y2={y} />
          {!cut.low && <line class="forest-bar" x1={lo} x2={lo} y1={y - 4} y2={y + 4} />}
          {!cut.high && <line class="forest-bar" x1={hi} x2={hi} y1={y - 4} y2={y + 4} />}
          {cut.low && <path class="forest-arrow" d={`M${lo + 6} ${y - 4}L${lo} ${y}L${lo + 6} ${y + 4}`} />}
          {cut.high && <path class="forest-arrow" d={`M${hi - 6} ${y - 4}L${hi} ${y}L${hi - 6} ${y + 4}`} />}
        </>
      )}
      {x !== null && <line class="forest-point" x1={x} x2={x} y1={y} y2={y} />}
    </svg>
  );
}

// The axis below the rows; texts are HTML so that they keep their shape in any width.
export function ForestScale(props: { axis: ForestAxis; scale: number; signed: boolean }): VNode {
  const values = props.axis.ticks.map((t) => Number((t * props.scale).toPrecision(10)));
  return (
    <div class="forest-scale" aria-hidden="true">
      {props.axis.ticks.map((t, k) => {
        const text = tickText(values[k] ?? 0, values);
        return (
          <span key={t} class="forest-tick" style={{ left: `${((place(props.axis, t) / W) * 100).toFixed(2)}%` }}>
            {props.signed && (values[k] ?? 0) > 0 ? `+${text}` : text}
          </span>
        );
      })}
    </div>
  );
}
