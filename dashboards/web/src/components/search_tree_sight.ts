// SPDX-License-Identifier: Apache-2.0
// Which part of a search tree is in the box: fitted, zoomed, moved; and the node below a click.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { TreePicture, TreeShape } from "../lib/tree";

const MARGIN = 30;
export const HEIGHT = 460;

export interface Sight {
  sx: number;
  sy: number;
  tx: number;
  ty: number;
}

// The whole picture in the box; no wider apart than reads well.
function fitted(picture: TreePicture, shape: TreeShape, width: number): Sight {
  const w = Math.max(50, width - 2 * MARGIN);
  const h = HEIGHT - 2 * MARGIN;
  if (shape === "radial") {
    const s = Math.min(w, h) / Math.max(1, picture.width);
    return { sx: s, sy: s, tx: (width - picture.width * s) / 2, ty: (HEIGHT - picture.height * s) / 2 };
  }
  const sx = Math.min(64, w / Math.max(1, picture.width));
  const sy = Math.min(150, h / Math.max(1, picture.height));
  return {
    sx,
    sy,
    tx: (width - picture.width * sx) / 2,
    ty: Math.max(MARGIN, (HEIGHT - picture.height * sy) / 2),
  };
}

export interface View {
  sight: Sight;
  zoom: (factor: number, x?: number, y?: number) => void;
  pan: (dx: number, dy: number) => void;
  fit: () => void;
  touched: boolean;
}

export function useSight(picture: TreePicture, shape: TreeShape, width: number): View {
  const whole = useMemo(() => fitted(picture, shape, width), [picture, shape, width]);
  const [own, setOwn] = useState<Sight | null>(null);
  useEffect(() => setOwn(null), [shape]);
  const sight = own ?? whole;
  const zoom = (factor: number, x = width / 2, y = HEIGHT / 2): void => {
    const sx = Math.max(whole.sx * 0.5, Math.min(shape === "radial" ? 600 : 140, sight.sx * factor));
    const fx = sx / sight.sx;
    const sy = shape === "radial" ? sx : Math.max(whole.sy * 0.5, Math.min(160, sight.sy * factor));
    const fy = sy / sight.sy;
    setOwn({ sx, sy, tx: x - (x - sight.tx) * fx, ty: y - (y - sight.ty) * fy });
  };
  return {
    sight,
    zoom,
    pan: (dx, dy) => setOwn({ ...sight, tx: sight.tx + dx, ty: sight.ty + dy }),
    fit: () => setOwn(null),
    touched: own !== null,
  };
}

// The node nearest to a click, within reach.
export function nearestNode(
  event: PointerEvent & { currentTarget: HTMLElement },
  picture: TreePicture,
  sight: Sight,
  shown: number,
): number {
  const box = event.currentTarget.getBoundingClientRect();
  const x = event.clientX - box.left;
  const y = event.clientY - box.top;
  let best = -1;
  let least = 18;
  for (let i = 0; i < shown; i++) {
    const p = picture.at[i]!;
    const d = Math.hypot(p.x * sight.sx + sight.tx - x, p.y * sight.sy + sight.ty - y);
    if (d < least) {
      least = d;
      best = i;
    }
  }
  return best;
}
