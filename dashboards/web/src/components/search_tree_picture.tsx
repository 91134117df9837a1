// SPDX-License-Identifier: Apache-2.0
// A search tree drawn: edges, nodes, their edits, the way to the best path.
import type { VNode } from "preact";
import { cut } from "../lib/format";
import { colour, Theme } from "../lib/theme";
import { treeMean, treeRadius, TreeLayout, TreePicture, TreeShape } from "../lib/tree";
import type { TreeNode } from "../lib/types";
import { isRight, meanColour } from "./search_tree_parts";
import type { Sight } from "./search_tree_sight";

interface PictureProps {
  nodes: readonly TreeNode[];
  layout: TreeLayout;
  picture: TreePicture;
  sight: Sight;
  width: number;
  shape: TreeShape;
  shown: number;
  selected: number;
  way: ReadonlySet<number>;
  bestIndex: number;
  theme: Theme;
  labels: boolean;
}

export function Picture(props: PictureProps): VNode {
  const { nodes, layout, picture, sight, theme } = props;
  const most = nodes.reduce((m, n) => Math.max(m, n.visits), 0);
  const ink = colour("--ink");
  const faint = colour("--ink-3");
  const accent = colour("--accent");
  const paper = colour("--surface");
  const X = (p: { x: number }): string => (p.x * sight.sx + sight.tx).toFixed(1);
  const Y = (p: { y: number }): string => (p.y * sight.sy + sight.ty).toFixed(1);
  const room = (i: number): number => {
    const across = picture.gap[i]! * sight.sx;
    return Math.max(1.8, Math.min(0.46 * across, 0.3 * sight.sy));
  };
  const edges: VNode[] = [];
  const marks: VNode[] = [];
  const texts: VNode[] = [];
  for (let i = 0; i < nodes.length; i++) {
    const n = nodes[i]!;
    const up = layout.parent[i]!;
    const there = i < props.shown;
    const onWay = props.way.has(i);
    if (up >= 0) {
      const [a, l, e, b] = [picture.at[up]!, picture.leave[i]!, picture.arrive[i]!, picture.at[i]!];
      edges.push(
        <path
          key={i}
          d={`M${X(a)} ${Y(a)}C${X(l)} ${Y(l)} ${X(e)} ${Y(e)} ${X(b)} ${Y(b)}`}
          fill="none"
          stroke={onWay && there ? accent : faint}
          stroke-width={onWay && there ? 2.5 : 1}
          opacity={there ? (onWay ? 1 : 0.55) : 0.12}
        />,
      );
    }
    const r = Math.min(treeRadius(n.visits, most), room(i));
    const p = picture.at[i]!;
    const look = {
      "data-node": i,
      fill: there ? meanColour(treeMean(n), theme) : paper,
      stroke: there ? (onWay ? accent : ink) : faint,
      "stroke-width": i === props.bestIndex ? 2.5 : onWay ? 2 : r < 3 ? 0 : 0.75,
      opacity: there ? 1 : 0.25,
    };
    if (isRight(n)) marks.push(<circle key={i} cx={X(p)} cy={Y(p)} r={r.toFixed(1)} {...look} />);
    else
      marks.push(
        <rect
          key={i}
          x={(Number(X(p)) - r * 0.88).toFixed(1)}
          y={(Number(Y(p)) - r * 0.88).toFixed(1)}
          width={(1.76 * r).toFixed(1)}
          height={(1.76 * r).toFixed(1)}
          {...look}
        />,
      );
    const wide = picture.gap[i]! * sight.sx > Math.min(22, n.edit.length) * 5.6 + 2 * r + 10 && sight.sy > 24;
    if (there && props.labels && up >= 0 && (onWay || wide || i === props.selected)) {
      const left = Number(X(p)) > props.width - 84; // no room on the right
      texts.push(
        <text
          key={i}
          x={Number(X(p)) + (left ? -r - 4 : r + 4)}
          y={Number(Y(p)) + 3.5}
          text-anchor={left ? "end" : "start"}
          font-size="10.5"
          fill={onWay ? ink : faint}
          stroke={paper}
          stroke-width="3"
          paint-order="stroke"
          stroke-linejoin="round"
        >
          {cut(n.edit, 22)}
        </text>,
      );
    }
  }
  const s = props.selected >= 0 && props.selected < nodes.length ? picture.at[props.selected]! : null;
  const rs = s === null ? 0 : Math.min(treeRadius(nodes[props.selected]!.visits, most), room(props.selected));
  const b = props.bestIndex >= 0 && props.bestIndex < props.shown ? picture.at[props.bestIndex]! : null;
  return (
    <>
      <g>{edges}</g>
      <g font-family="system-ui, sans-serif">{texts}</g>
      <g>{marks}</g>
      {s !== null && (
        <circle cx={X(s)} cy={Y(s)} r={rs + 4} fill="none" stroke={accent} stroke-width="2" stroke-dasharray="3 2" />
      )}
      {b !== null && (
        <text
          x={X(b)}
          y={Number(Y(b)) - Math.min(treeRadius(nodes[props.bestIndex]!.visits, most), room(props.bestIndex)) - 5}
          text-anchor="middle"
          font-size="14"
          fill={accent}
          stroke={paper}
          stroke-width="3"
          paint-order="stroke"
        >
          ★
        </text>
      )}
    </>
  );
}
