// SPDX-License-Identifier: Apache-2.0
// A canvas as a picture to keep.
import { seriesColour, seriesDash } from "../lib/colours";
import { colour } from "../lib/theme";

/** The picture on its ground with the legend above it, as people put it into a talk. */
export function withLegend(
  picture: HTMLCanvasElement,
  names: readonly { name: string; k: number }[],
  theme: "light" | "dark",
): HTMLCanvasElement {
  const ratio = devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  const probe = canvas.getContext("2d");
  const font = 12 * ratio + "px " + getComputedStyle(document.body).fontFamily;
  const row = 20 * ratio;
  const placed: { name: string; k: number; x: number; y: number }[] = [];
  let x = 12 * ratio;
  let y = names.length > 0 ? row : 0;
  for (const { name, k } of names.slice(0, 60)) {
    const short = name.length > 60 ? name.slice(0, 59) + "…" : name;
    if (probe !== null) probe.font = font;
    const width = (probe?.measureText(short).width ?? 100) + 42 * ratio;
    if (x + width > picture.width && x > 12 * ratio) {
      x = 12 * ratio;
      y += row;
    }
    placed.push({ name: short, k, x, y: y - row / 2 + 3 * ratio });
    x += width;
  }
  const head = y === 0 ? 0 : y + 8 * ratio;
  canvas.width = picture.width;
  canvas.height = picture.height + head;
  const pen = canvas.getContext("2d");
  if (pen === null) return canvas;
  pen.fillStyle = colour("--surface");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.font = font;
  pen.textBaseline = "middle";
  for (const p of placed) {
    pen.strokeStyle = seriesColour(p.k, theme);
    pen.setLineDash(seriesDash(p.k).map((d) => d * ratio));
    pen.lineWidth = 2.5 * ratio;
    pen.beginPath();
    pen.moveTo(p.x, p.y);
    pen.lineTo(p.x + 18 * ratio, p.y);
    pen.stroke();
    pen.fillStyle = colour("--ink");
    pen.fillText(p.name, p.x + 24 * ratio, p.y);
  }
  pen.setLineDash([]);
  pen.drawImage(picture, 0, head);
  return canvas;
}
