// SPDX-License-Identifier: Apache-2.0
// What stands around a search tree: the course of the search, the chosen path, the legend, the table.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { mix, seriesColour } from "../lib/colours";
import { cut, number } from "../lib/format";
import { routingLength } from "../lib/routing";
import { colour, Theme } from "../lib/theme";
import { treeMean, TreeLayout, treePath } from "../lib/tree";
import type { TreeNode } from "../lib/types";
import { Facts } from "./basics";
import { Strip } from "./strip";

export function meanColour(mean: number | null, theme: Theme): string {
  const middle = theme === "dark" ? "#6b7280" : "#c3c8d0";
  if (mean === null) return middle;
  const t = Math.max(0, Math.min(1, mean));
  return t < 0.5 ? mix(seriesColour(1, theme), middle, t * 2) : mix(middle, seriesColour(0, theme), t * 2 - 1);
}

export function isRight(node: TreeNode): boolean {
  return (node.reward ?? 0) > 0.5;
}

// Shortest right path among the first N found; -1: none yet.
export function bestAmong(nodes: readonly TreeNode[], n: number): number {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < n; i++) {
    const node = nodes[i]!;
    if (!isRight(node)) continue;
    const length = routingLength(node.routing);
    if (length < least) {
      least = length;
      best = i;
    }
  }
  return best;
}

// Length of each path in the order of discovery, and the best right one so far. A click chooses.
export function Progress(props: {
  nodes: readonly TreeNode[];
  shown: number;
  selected: number;
  layers: number;
  width: number;
  theme: Theme;
  onPick: (i: number) => void;
}): VNode {
  const { nodes, width } = props;
  const lengths = useMemo(() => nodes.map((n) => routingLength(n.routing)), [nodes]);
  const H = 92;
  const left = 44;
  const top = 8;
  const bottom = 20;
  const lo = Math.min(props.layers, ...lengths);
  const hi = Math.max(props.layers, ...lengths, lo + 1);
  const x = (i: number): number => left + ((i + 0.5) / nodes.length) * (width - left - 10);
  const y = (v: number): number => top + ((hi - v) / (hi - lo)) * (H - top - bottom);
  let line = "";
  let best = Infinity;
  let end = -1;
  for (let i = 0; i < props.shown; i++) {
    if (isRight(nodes[i]!) && lengths[i]! < best) {
      line +=
        line === ""
          ? `M${x(i).toFixed(1)} ${y(lengths[i]!).toFixed(1)}`
          : `H${x(i).toFixed(1)}V${y(lengths[i]!).toFixed(1)}`;
      best = lengths[i]!;
    }
    end = i;
  }
  if (line !== "" && end >= 0) line += `H${x(end).toFixed(1)}`;
  const r = Math.max(1.4, Math.min(3.2, (width / nodes.length) * 0.4));
  return (
    <svg
      class="tree-progress"
      width={width}
      height={H}
      role="img"
      aria-label={`Lengths of the paths in the order of discovery; the best right path ${best === Infinity ? "is not found yet" : `has ${best} layer applications`}`}
      onClick={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        const at = Math.round(((event.clientX - box.left - left) / (width - left - 10)) * nodes.length - 0.5);
        props.onPick(Math.max(0, Math.min(nodes.length - 1, at)));
      }}
    >
      {[lo, props.layers, hi]
        .filter((v, k, all) => all.indexOf(v) === k)
        .map((v) => (
          <g key={v}>
            <line
              x1={left}
              x2={width - 10}
              y1={y(v)}
              y2={y(v)}
              class={v === props.layers ? "forest-zero" : "forest-grid"}
            />
            <text class="axis-text" x={left - 6} y={y(v) + 3.5} text-anchor="end">
              {v}
            </text>
          </g>
        ))}
      {nodes.map((n, i) => (
        <circle
          key={i}
          cx={x(i).toFixed(1)}
          cy={y(lengths[i]!).toFixed(1)}
          r={r.toFixed(1)}
          fill={isRight(n) ? seriesColour(0, props.theme) : "none"}
          stroke={seriesColour(isRight(n) ? 0 : 1, props.theme)}
          opacity={i < props.shown ? 0.85 : 0.12}
        />
      ))}
      <path d={line} fill="none" stroke={colour("--accent")} stroke-width="2" />
      {props.selected >= 0 && props.selected < nodes.length && (
        <line
          x1={x(props.selected)}
          x2={x(props.selected)}
          y1={top}
          y2={H - bottom}
          stroke={colour("--accent")}
          stroke-dasharray="2 2"
        />
      )}
      <text
        class="axis-text"
        x={11}
        y={(top + H - bottom) / 2}
        text-anchor="middle"
        transform={`rotate(-90 11 ${(top + H - bottom) / 2})`}
      >
        layers
      </text>
      <text class="axis-text" x={(left + width) / 2} y={H - 5} text-anchor="middle">
        paths in the order of discovery (filled: right)
      </text>
    </svg>
  );
}

export function Details(props: { nodes: readonly TreeNode[]; layout: TreeLayout; at: number; best: number }): VNode {
  const n = props.nodes[props.at];
  if (n === undefined) return <p class="muted">Choose a node: click it, or use the arrow keys.</p>;
  const way = treePath(props.layout, props.at).reverse();
  const mean = treeMean(n);
  return (
    <div class="tree-details">
      <h3>
        Path {n.place}
        {props.at === props.best && <span class="badge tone-accent">★ label</span>}
        <span class={"badge " + (isRight(n) ? "tone-good" : "tone-warn")}>{isRight(n) ? "right" : "wrong"}</span>
      </h3>
      <Strip
        routing={n.routing}
        against={props.nodes[props.layout.parent[props.at]!]?.routing ?? n.routing}
        label={`Path ${n.place}`}
      />
      <Facts
        items={[
          ["Layers", routingLength(n.routing)],
          ["Visits", n.visits],
          ["Mean reward", mean === null ? "–" : mean.toFixed(3)],
          ["Own reward", number(n.reward)],
          ["Children", props.layout.children[props.at]!.length],
        ]}
      />
      <p class="tree-answer">
        <span class="muted">Answer </span>
        <code>{cut(n.answer ?? "", 200) || "(empty)"}</code>
      </p>
      <ol class="tree-way" aria-label="Edits from the root">
        {way.map((i) => (
          <li key={i}>{props.nodes[i]!.edit}</li>
        ))}
      </ol>
    </div>
  );
}

export function Legend(props: { theme: Theme }): VNode {
  return (
    <ul class="tree-legend" aria-label="Legend">
      <li>
        <svg width="34" height="18" aria-hidden="true">
          <circle cx="6" cy="9" r="3.5" class="legend-shape" />
          <circle cx="22" cy="9" r="8" class="legend-shape" />
        </svg>
        area: visits
      </li>
      <li>
        <svg width="74" height="18" aria-hidden="true">
          {Array.from({ length: 12 }, (_, k) => (
            <rect key={k} x={k * 6} y={4} width={6} height={10} fill={meanColour(k / 11, props.theme)} />
          ))}
        </svg>
        mean reward 0…1
      </li>
      <li>
        <svg width="34" height="18" aria-hidden="true">
          <circle cx="8" cy="9" r="5" class="legend-shape" />
          <rect x="20" y="4.5" width="9" height="9" class="legend-shape" />
        </svg>
        own answer right, wrong
      </li>
      <li>
        <span class="tree-star" aria-hidden="true">
          ★
        </span>{" "}
        the label, and the way to it
      </li>
    </ul>
  );
}

export function TreeTable(props: {
  nodes: readonly TreeNode[];
  layout: TreeLayout;
  best: number;
  onPick: (i: number) => void;
}): VNode {
  return (
    <div class="plain-scroll tree-table" tabIndex={0} role="region" aria-label="Paths of the search, as a table">
      <table class="plain-table">
        <caption class="off-screen">Paths in the order of discovery</caption>
        <thead>
          <tr>
            <th scope="col" class="num">
              Path
            </th>
            <th scope="col" class="num">
              From
            </th>
            <th scope="col">Edit</th>
            <th scope="col">Layers</th>
            <th scope="col" class="num">
              Length
            </th>
            <th scope="col">Answer</th>
            <th scope="col">Is</th>
            <th scope="col" class="num">
              Visits
            </th>
            <th scope="col" class="num">
              Mean reward
            </th>
          </tr>
        </thead>
        <tbody>
          {props.nodes.map((n, i) => (
            <tr key={i} class={i === props.best ? "row-best" : ""}>
              <th scope="row" class="num">
                <button type="button" class="link-button" onClick={() => props.onPick(i)}>
                  {n.place}
                </button>
              </th>
              <td class="num">{props.layout.parent[i]! < 0 ? "–" : props.nodes[props.layout.parent[i]!]!.place}</td>
              <td>{n.edit}</td>
              <td>
                <Strip routing={n.routing} label={`Path ${n.place}`} />
              </td>
              <td class="num">{routingLength(n.routing)}</td>
              <td>{cut(n.answer ?? "", 60)}</td>
              <td>{isRight(n) ? "right" : "wrong"}</td>
              <td class="num">{n.visits}</td>
              <td class="num">{treeMean(n)?.toFixed(3) ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
