// SPDX-License-Identifier: Apache-2.0
// Lines over x with bands, stage boundaries, a legend that toggles, zoom by dragging, a tooltip,
// and what is shown as PNG or CSV: the controls. chart_plot draws, chart_data reads.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { seriesColour, seriesDash } from "../lib/colours";
import { download, fileName } from "../lib/export";
import { useSize } from "../lib/hooks";
import { useTheme } from "../lib/theme";
import { CsvButton } from "./basics";
import { align, ChartProps, ChartSeries, tableOf } from "./chart_data";
import { options } from "./chart_plot";
import { NumbersTable } from "./numbers";
import { withLegend } from "./picture";

export function Chart(props: ChartProps): VNode {
  const theme = useTheme();
  const [box, size] = useSize<HTMLDivElement>();
  const plotBox = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [zoomed, setZoomed] = useState(false);
  const [asTable, setAsTable] = useState(false);
  const height = props.height ?? 300;
  const aligned = useMemo(() => align(props.series), [props.series]);
  const now = useRef({ props, aligned, off });
  now.current = { props, aligned, off };
  const structure = JSON.stringify([
    props.series.map((s) => [s.name, s.colour, s.points, s.faint, s.stepped]),
    props.xLabel,
    props.yLabel,
    props.yLog,
    props.xLog,
    props.time,
    props.yRange,
    theme,
  ]);

  useEffect(() => {
    const root = plotBox.current;
    if (root === null || size.width < 40) return undefined;
    const made = new uPlot(options(now, tip, size.width, height, setZoomed), now.current.aligned.data, root);
    plot.current = made;
    for (const [k, s] of now.current.props.series.entries())
      if (now.current.off.has(s.name)) made.setSeries(k + 1, { show: false });
    return () => {
      made.destroy();
      plot.current = null;
      setZoomed(false);
    };
  }, [structure, size.width > 40]);

  useEffect(() => {
    if (size.width > 40) plot.current?.setSize({ width: size.width, height });
  }, [size.width, height]);

  const drawn = useRef(aligned);
  useEffect(() => {
    const p = plot.current;
    if (p === null || drawn.current === aligned) return;
    drawn.current = aligned;
    const { min, max } = p.scales.x ?? {};
    const keep = zoomed && min !== undefined && max !== undefined && min !== null && max !== null;
    p.batch(() => {
      p.setData(aligned.data, !keep);
      if (keep) p.setScale("x", { min, max });
    });
  }, [aligned]);
  useEffect(() => {
    plot.current?.redraw(false);
  }, [props.stages]);

  const reset = () => {
    const p = plot.current;
    if (p !== null) p.setData(p.data, true);
    setZoomed(false);
    props.onZoom?.(null);
  };
  const toggle = (name: string, alone: boolean) => {
    const names = props.series.map((s) => s.name);
    let next: Set<string>;
    if (alone) {
      const others = names.filter((n) => n !== name);
      next = others.every((n) => off.has(n)) && !off.has(name) ? new Set() : new Set(others);
    } else {
      next = new Set(off);
      if (next.has(name)) next.delete(name);
      else next.add(name);
    }
    setOff(next);
    now.current = { ...now.current, off: next };
    const p = plot.current;
    if (p !== null) p.batch(() => props.series.forEach((s, k) => p.setSeries(k + 1, { show: !next.has(s.name) })));
  };
  const rows = () => tableOf(props);
  const png = () => {
    const p = plot.current;
    if (p === null) return;
    const names =
      props.hideLegend === true
        ? []
        : props.series.flatMap((x, k) => (off.has(x.name) ? [] : [{ name: x.name, k: x.colour ?? k }]));
    withLegend(p.ctx.canvas, names, theme).toBlob((blob) => {
      if (blob !== null) download(fileName(props.label) + ".png", blob);
    });
  };
  const step = (event: KeyboardEvent) => {
    const p = plot.current;
    if (p === null || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    event.preventDefault();
    const xs = p.data[0];
    const from = p.cursor.idx ?? (event.key === "ArrowRight" ? -1 : xs.length);
    const to = Math.max(0, Math.min(xs.length - 1, from + (event.key === "ArrowRight" ? 1 : -1)));
    const x = xs[to];
    if (x !== undefined) p.setCursor({ left: p.valToPos(x, "x"), top: p.bbox.height / 2 / devicePixelRatio });
  };
  const points = props.series.reduce((n, s) => n + s.x.length, 0);
  return (
    <figure class="chart" aria-label={props.label}>
      <div class="chart-bar">
        {props.hideLegend !== true && (
          <ul class="legend" aria-label="Series">
            {props.series.slice(0, 40).map((s, k) => (
              <li key={s.name}>
                <button
                  type="button"
                  class="legend-item"
                  aria-pressed={!off.has(s.name)}
                  title={s.name + " (double click: alone)"}
                  onClick={(event) => toggle(s.name, event.shiftKey)}
                  onDblClick={() => toggle(s.name, true)}
                >
                  <LegendMark series={s} k={k} theme={theme} />
                  <span class="legend-name">{s.name}</span>
                </button>
              </li>
            ))}
            {props.series.length > 40 && <li class="muted">and {props.series.length - 40} more</li>}
          </ul>
        )}
        <div class="chart-actions">
          {props.actions}
          <button type="button" class="button small" disabled={!zoomed} onClick={reset}>
            Reset zoom
          </button>
          <button type="button" class="button small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Numbers
          </button>
          <button type="button" class="button small" onClick={png}>
            PNG
          </button>
          <CsvButton name={props.label} table={rows} />
        </div>
      </div>
      <div
        class="chart-box"
        ref={box}
        style={{ height: height + "px" }}
        tabIndex={0}
        role="img"
        aria-label={`${props.label}: ${props.series.length} series, ${points} points; ${props.yLabel} over ${props.xLabel}. Arrow keys move along it.`}
        onKeyDown={step}
      >
        <div ref={plotBox} class="chart-plot" />
        <div ref={tip} class="tip" aria-live="polite" hidden />
        {points === 0 && <div class="chart-empty">No points</div>}
      </div>
      {props.note !== undefined && <figcaption class="chart-note">{props.note}</figcaption>}
      {asTable && <NumbersTable label={props.label} {...rows()} />}
    </figure>
  );
}

function LegendMark(props: { series: ChartSeries; k: number; theme: "light" | "dark" }): VNode {
  const k = props.series.colour ?? props.k;
  return (
    <svg class="legend-mark" width="18" height="10" aria-hidden="true">
      {props.series.points === true ? (
        <circle cx="9" cy="5" r="3.5" fill={seriesColour(k, props.theme)} />
      ) : (
        <line
          x1="0"
          y1="5"
          x2="18"
          y2="5"
          stroke={seriesColour(k, props.theme)}
          stroke-width="2.5"
          stroke-dasharray={seriesDash(k).join(" ")}
        />
      )}
    </svg>
  );
}
