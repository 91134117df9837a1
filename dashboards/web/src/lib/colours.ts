// SPDX-License-Identifier: Apache-2.0
// Colours of data, told apart by people with any kind of colour vision (after Okabe and Ito, and
// Cividis for what has an order), in a form for light and one for dark ground.
import type { Theme } from "./theme";

const LIGHT = ["#0b6fb8", "#d35c00", "#00876c", "#b8479a", "#8a6d00", "#3f9fd8", "#5a5f69", "#7a4fc4"];
const DARK = ["#58a9ec", "#f08c3a", "#36c29f", "#e38bcb", "#e2c044", "#8fd0f5", "#a9afba", "#ab8ff0"];

/** Colour of the Kth series. */
export function seriesColour(k: number, theme: Theme): string {
  const palette = theme === "dark" ? DARK : LIGHT;
  return palette[((k % palette.length) + palette.length) % palette.length] ?? "#888";
}

/** Series beyond the palette are dashed, so that no two look the same. */
export function seriesDash(k: number): number[] {
  return [[], [6, 4], [2, 3], [9, 3, 2, 3]][Math.floor(k / LIGHT.length) % 4] ?? [];
}

export function withAlpha(hex: string, alpha: number): string {
  const [r, g, b] = channels(hex);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

export function channels(hex: string): [number, number, number] {
  const text = hex.replace("#", "");
  const full = text.length === 3 ? text.replace(/./g, "$&$&") : text;
  const n = parseInt(full.slice(0, 6), 16);
  return Number.isNaN(n) ? [128, 128, 128] : [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

export function mix(a: string, b: string, t: number): string {
  const x = channels(a);
  const y = channels(b);
  const part = (k: 0 | 1 | 2) => Math.round(x[k] + (y[k] - x[k]) * t);
  return `rgb(${part(0)}, ${part(1)}, ${part(2)})`;
}

const SEQUENCE_LIGHT = ["#f4f6fa", "#cfe0ee", "#94bfdd", "#4d94c4", "#1a659c", "#0a3c66"];
const SEQUENCE_DARK = ["#1b2129", "#1d3a55", "#23608f", "#3c8bc4", "#7fbce6", "#d5ecfb"];

/** Colour of a share 0..1 on an ordered scale. */
export function sequential(t: number, theme: Theme): string {
  return along(theme === "dark" ? SEQUENCE_DARK : SEQUENCE_LIGHT, t);
}

/** Colour of -1..1: blue below, orange above, the ground's colour at 0. */
export function diverging(t: number, theme: Theme): string {
  const ground = theme === "dark" ? "#1b2129" : "#f4f6fa";
  const end = seriesColour(t < 0 ? 0 : 1, theme);
  return mix(ground, end, Math.min(1, Math.abs(t)));
}

function along(stops: string[], t: number): string {
  const x = Math.min(1, Math.max(0, t)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(x));
  return mix(stops[k] ?? "#888", stops[k + 1] ?? "#888", x - k);
}

/** What the page calls a job's state: a word of the style sheet (--state-...). */
export function stateTone(state: string | null | undefined): "good" | "busy" | "bad" | "warn" | "idle" | "plain" {
  const word = (state ?? "").toLowerCase();
  if (/^(done|finished|ok|success)/.test(word)) return "good";
  if (/^(running|assigned|started)/.test(word)) return "busy";
  if (/^(failed|error|invalid|killed|crash|signal|quarantined|out of memory|memory|oom|timeout|timed out)/.test(word))
    return "bad";
  if (/^(diverged|lost|paused|skipped|stopped|preempted|expired)/.test(word)) return "warn";
  if (/^(waiting|ready|queued|cancelled|blocked)/.test(word)) return "idle";
  return "plain";
}
