// SPDX-License-Identifier: Apache-2.0
// What a search tried, as a tree: areas are visits, colours are mean rewards, squares are paths that
// answer wrongly. A slider replays the order of discovery; the keyboard walks the tree.
import type { VNode } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { download } from "../lib/export";
import { plural } from "../lib/format";
import { useSize } from "../lib/hooks";
import { routingWords } from "../lib/routing";
import { useTheme } from "../lib/theme";
import { treeLayout, treeMean, treeMove, treePath, treePlace, TreeLayout, TreeMove, TreeShape } from "../lib/tree";
import type { TreeNode } from "../lib/types";
import { Choice } from "./basics";
import { bestAmong, Details, isRight, Legend, Progress, TreeTable } from "./search_tree_parts";
import { Picture } from "./search_tree_picture";
import { HEIGHT, nearestNode, useSight } from "./search_tree_sight";

export interface SearchTreeProps {
  nodes: readonly TreeNode[];
  /** place of the label's path; null: none */
  best: number | null;
  layers: number;
}

const keyMoves: Record<string, TreeMove> = {
  ArrowUp: "parent",
  ArrowDown: "child",
  ArrowLeft: "previous",
  ArrowRight: "next",
  "[": "before",
  "]": "after",
  PageUp: "before",
  PageDown: "after",
  Home: "first",
  End: "last",
};

function nodeWords(nodes: readonly TreeNode[], layout: TreeLayout, i: number): string {
  const n = nodes[i]!;
  const mean = treeMean(n);
  return (
    `Path ${n.place}: ${n.edit}; ${routingWords(n.routing)}; ${isRight(n) ? "right" : "wrong"}; ` +
    `${plural(n.visits, "visit")}, mean reward ${mean === null ? "unknown" : mean.toFixed(2)}; ${plural(layout.children[i]!.length, "child", "children")}`
  );
}

// Replays the discovery: about four seconds, at most 30 steps a second.
function usePlay(n: number, shown: number, setShown: (k: number) => void): [boolean, () => void] {
  const [playing, setPlaying] = useState(false);
  const at = useRef(shown);
  at.current = shown;
  useEffect(() => {
    if (!playing) return undefined;
    const step = Math.max(1, Math.ceil(n / 120));
    const timer = setInterval(
      () => {
        const next = Math.min(n, at.current + step);
        setShown(next);
        if (next >= n) setPlaying(false);
      },
      Math.max(33, Math.min(250, 4000 / n)),
    );
    return () => clearInterval(timer);
  }, [playing, n]);
  return [
    playing,
    () => {
      if (!playing && shown >= n) setShown(1);
      setPlaying(!playing);
    },
  ];
}

export function SearchTree(props: SearchTreeProps): VNode {
  const { nodes } = props;
  const theme = useTheme();
  const [box, size] = useSize<HTMLDivElement>();
  const layout = useMemo(() => treeLayout(nodes), [nodes]);
  const [choice, setChoice] = useState<TreeShape | null>(null);
  const shape: TreeShape = choice ?? (layout.width * 9 > Math.max(600, size.width) ? "radial" : "down");
  const picture = useMemo(() => treePlace(layout, shape), [layout, shape]);
  const view = useSight(picture, shape, size.width);
  const [asked, setShown] = useState(Infinity);
  const shown = Math.min(asked, nodes.length);
  const [picked, setSelected] = useState(-1);
  const selected = picked < nodes.length ? picked : -1;
  const [labels, setLabels] = useState(true);
  const [asTable, setAsTable] = useState(false);
  const [playing, play] = usePlay(nodes.length, shown, setShown);
  const drag = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  const svg = useRef<SVGSVGElement>(null);
  const bestIndex = useMemo(() => nodes.findIndex((n) => n.place === props.best), [nodes, props.best]);
  const bestNow = shown >= nodes.length && bestIndex >= 0 ? bestIndex : bestAmong(nodes, shown);
  const way = useMemo(() => new Set(bestNow >= 0 ? treePath(layout, bestNow) : []), [layout, bestNow]);
  const zoomNow = useRef(view.zoom);
  zoomNow.current = view.zoom;
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== element) return; // else the page scrolls
      event.preventDefault();
      const frame = element.getBoundingClientRect();
      zoomNow.current(Math.exp(-event.deltaY * 0.0015), event.clientX - frame.left, event.clientY - frame.top);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);
  const pick = useCallback((i: number) => {
    setSelected(i);
    setShown((k) => Math.max(k, i + 1)); // a node that is chosen is seen
  }, []);
  const press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = keyMoves[event.key];
    if (event.shiftKey && event.key.startsWith("Arrow")) {
      const by = 40;
      view.pan(
        event.key === "ArrowLeft" ? by : event.key === "ArrowRight" ? -by : 0,
        event.key === "ArrowUp" ? by : event.key === "ArrowDown" ? -by : 0,
      );
    } else if (move !== undefined)
      pick(selected < 0 ? Math.max(0, layout.roots[0] ?? 0) : treeMove(layout, selected, move));
    else if (event.key === "+" || event.key === "=") view.zoom(1.3);
    else if (event.key === "-") view.zoom(1 / 1.3);
    else if (event.key === "0") view.fit();
    else if (event.key === "b" && bestIndex >= 0) pick(bestIndex);
    else if (event.key === " ") play();
    else if (event.key === "Escape" && selected >= 0) setSelected(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const save = (): void => {
    if (svg.current === null) return;
    const copy = svg.current.cloneNode(true) as SVGSVGElement;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    download("search-tree.svg", new XMLSerializer().serializeToString(copy), "image/svg+xml");
  };
  const node = nodes[selected];
  return (
    <div class="search-tree">
      <div class="view-bar">
        <button
          type="button"
          class="button small"
          onClick={play}
          aria-label={playing ? "Pause the replay" : "Replay the discovery"}
        >
          {playing ? "❚❚ Pause" : "▶ Replay"}
        </button>
        <label class="tree-slider">
          <span class="off-screen">Paths found so far</span>
          <input
            type="range"
            min={1}
            max={Math.max(1, nodes.length)}
            value={shown}
            aria-valuetext={`${shown} of ${plural(nodes.length, "path")}`}
            onInput={(event) => setShown(Number(event.currentTarget.value))}
          />
          <span class="tree-shown">
            {shown} of {plural(nodes.length, "path")}
          </span>
        </label>
        <Choice
          label="Form of the tree"
          value={shape}
          options={[
            { value: "down", title: "tree" },
            { value: "radial", title: "rings" },
          ]}
          onChange={setChoice}
        />
        <span class="choice" role="group" aria-label="Zoom">
          <button type="button" class="choice-button" aria-label="Zoom out" onClick={() => view.zoom(1 / 1.4)}>
            −
          </button>
          <button type="button" class="choice-button" aria-label="Zoom in" onClick={() => view.zoom(1.4)}>
            +
          </button>
          <button type="button" class="choice-button" disabled={!view.touched} onClick={view.fit}>
            fit
          </button>
        </span>
        <label class="check">
          <input type="checkbox" checked={labels} onChange={() => setLabels(!labels)} /> edits
        </label>
        <button type="button" class="button small" onClick={save}>
          SVG
        </button>
        <button type="button" class="button small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          Table
        </button>
      </div>
      <div class="tree-row">
        <div class="tree-left">
          <div
            ref={box}
            class="tree-box"
            tabIndex={0}
            role="application"
            aria-label={`Search tree of ${plural(nodes.length, "path")}. Arrow keys walk it, square brackets follow the order of discovery, b goes to the label, plus and minus zoom, space replays.`}
            onKeyDown={press}
            onPointerDown={(event) => {
              if (event.button !== 0) return;
              drag.current = { x: event.clientX, y: event.clientY, moved: false };
              event.currentTarget.setPointerCapture(event.pointerId);
            }}
            onPointerMove={(event) => {
              const d = drag.current;
              if (d === null) return;
              const dx = event.clientX - d.x;
              const dy = event.clientY - d.y;
              if (!d.moved && Math.hypot(dx, dy) < 4) return;
              drag.current = { x: event.clientX, y: event.clientY, moved: true };
              view.pan(dx, dy);
            }}
            onPointerUp={(event) => {
              const d = drag.current;
              drag.current = null;
              if (d === null || d.moved) return;
              const hit = nearestNode(event, picture, view.sight, shown);
              if (hit >= 0) pick(hit);
            }}
            onPointerCancel={() => (drag.current = null)}
          >
            {size.width > 0 && (
              <svg
                ref={svg}
                width={size.width}
                height={HEIGHT}
                viewBox={`0 0 ${size.width} ${HEIGHT}`}
                aria-hidden="true"
              >
                <Picture
                  nodes={nodes}
                  layout={layout}
                  picture={picture}
                  sight={view.sight}
                  width={size.width}
                  shape={shape}
                  shown={shown}
                  selected={selected}
                  way={way}
                  bestIndex={bestNow}
                  theme={theme}
                  labels={labels}
                />
              </svg>
            )}
          </div>
          {size.width > 0 && nodes.length > 0 && (
            <Progress
              nodes={nodes}
              shown={shown}
              selected={selected}
              layers={props.layers}
              width={size.width}
              theme={theme}
              onPick={pick}
            />
          )}
          <Legend theme={theme} />
        </div>
        <aside class="tree-side" aria-label="Chosen path">
          <Details nodes={nodes} layout={layout} at={selected >= 0 ? selected : bestNow} best={bestIndex} />
        </aside>
      </div>
      <p class="off-screen" aria-live="polite">
        {node === undefined ? "" : nodeWords(nodes, layout, selected)}
      </p>
      {asTable && <TreeTable nodes={nodes} layout={layout} best={bestIndex} onPick={pick} />}
    </div>
  );
}
