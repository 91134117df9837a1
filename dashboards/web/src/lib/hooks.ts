// SPDX-License-Identifier: Apache-2.0
// Small hooks that several components share.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { remember, remembered } from "./theme";

/** Width and height of an element, followed. */
export function useSize<E extends HTMLElement>(): [RefObject<E>, { width: number; height: number }] {
  const ref = useRef<E>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const measure = () => {
      const width = element.clientWidth;
      const height = element.clientHeight;
      setSize((old) => (old.width === width && old.height === height ? old : { width, height }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

/** The present time, followed every PERIOD ms (for "3 min ago"). */
export function useNow(period = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, period);
    return () => clearInterval(timer);
  }, [period]);
  return now;
}

/** A value that follows X, but not more often than every MS (fields that ask the server). */
export function useSettled<T>(x: T, ms = 200): T {
  const [settled, setSettled] = useState(x);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(x), ms);
    return () => clearTimeout(timer);
  }, [x, ms]);
  return settled;
}

/** State that this browser remembers under "drover.NAME". */
export function useRemembered<T>(name: string, first: T): [T, (value: T) => void] {
  const key = "drover." + name;
  const [value, setValue] = useState<T>(() => {
    const text = remembered(key);
    if (text === null) return first;
    try {
      return JSON.parse(text) as T;
    } catch {
      return first;
    }
  });
  return [
    value,
    (next: T) => {
      setValue(next);
      remember(key, JSON.stringify(next));
    },
  ];
}

let ids = 0;

/** An id of an element, the same as long as the component lives. */
export function useElementId(prefix = "id"): string {
  const ref = useRef<string | null>(null);
  ref.current ??= prefix + "-" + ++ids;
  return ref.current;
}

/** Title of the window while a view is shown. */
export function useTitle(title: string | null | undefined): void {
  useEffect(() => {
    if (title) document.title = title + " · drover";
  }, [title]);
}

/** A canvas sized to its box and to the screen's pixels; PAINT is called with CSS pixels. */
export function paintCanvas(
  canvas: HTMLCanvasElement | null,
  width: number,
  height: number,
  paint: (pen: CanvasRenderingContext2D) => void,
): void {
  if (canvas === null || width <= 0 || height <= 0) return;
  const ratio = window.devicePixelRatio || 1;
  const w = Math.round(width * ratio);
  const h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  paint(pen);
}

/** Is FLAG true, and has it been for MS? What is over at once need not be shown. */
export function useLasting(flag: boolean, ms: number): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!flag) return undefined;
    const timer = setTimeout(() => setLasting(true), ms);
    return () => {
      clearTimeout(timer);
      setLasting(false);
    };
  }, [flag, ms]);
  return flag && lasting;
}
