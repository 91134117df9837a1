// SPDX-License-Identifier: Apache-2.0
// A routing as a strip of layers: skipped ones are open, repeated ones are tall and filled. Told
// apart by shape, so also without colours.
import type { VNode } from "preact";
import { routingDifferences, routingLayers, routingWords } from "../lib/routing";

interface StripProps {
  routing: string;
  /** with numbers of layers below, and marks */
  large?: boolean;
  /** layers that differ from this one are underlined */
  against?: string;
  label?: string;
}

const LAYERS_MAX = 256;

export function Strip(props: StripProps): VNode {
  const large = props.large === true;
  const cell = large ? (props.routing.length > 32 ? 14 : props.routing.length > 22 ? 17 : 22) : 7;
  const gap = large ? (cell < 22 ? 2 : 3) : 1;
  const height = large ? 30 : 14;
  const layers = routingLayers(props.routing).slice(0, LAYERS_MAX);
  const changed =
    props.against === undefined ? new Set<number>() : new Set(routingDifferences(props.against, props.routing));
  const width = Math.max(1, layers.length * (cell + gap) - gap);
  const below = large ? 18 : changed.size > 0 ? 3 : 0;
  return (
    <svg
      class={large ? "strip large" : "strip"}
      width={width}
      height={height + below}
      viewBox={`0 0 ${width} ${height + below}`}
      role="img"
      aria-label={`${props.label ?? "Layers"}: ${routingWords(props.routing)}`}
    >
      {layers.map((l) => {
        const x = l.layer * (cell + gap);
        const middle = height / 2;
        const half = l.choice === "repeat" ? height / 2 - 0.5 : height / 3;
        return (
          <g key={l.layer} class={"layer-" + l.choice}>
            <rect x={x + 0.5} y={middle - half} width={cell - 1} height={2 * half} rx={large ? 3 : 1} />
            {large && (
              <text class="strip-mark" x={x + cell / 2} y={middle + 4}>
                {l.choice === "skip" ? "–" : l.choice === "repeat" ? `×${l.times}` : ""}
              </text>
            )}
            {large && (
              <text
                class={changed.has(l.layer) ? "strip-number changed" : "strip-number"}
                x={x + cell / 2}
                y={height + 13}
              >
                {l.layer}
              </text>
            )}
            {!large && changed.has(l.layer) && (
              <rect class="strip-changed" x={x} y={height + 1} width={cell} height={2} />
            )}
          </g>
        );
      })}
    </svg>
  );
}

export function StripLegend(): VNode {
  return (
    <ul class="strip-legend" aria-label="Legend">
      {(
        [
          ["0", "skip"],
          ["1", "execute once"],
          ["2", "repeat"],
        ] as const
      ).map(([routing, text]) => (
        <li key={routing}>
          <Strip routing={routing} label={text} /> {text}
        </li>
      ))}
    </ul>
  );
}
