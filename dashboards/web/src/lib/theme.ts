// SPDX-License-Identifier: Apache-2.0
// Light, dark, or what the system says; kept in this browser.
import { useEffect, useState } from "preact/hooks";

export type ThemeChoice = "system" | "light" | "dark";
export type Theme = "light" | "dark";

const KEY = "drover.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set<() => void>();

export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // a browser without storage forgets
  }
}

export function themeChoice(): ThemeChoice {
  const choice = remembered(KEY);
  return choice === "light" || choice === "dark" ? choice : "system";
}

export function theme(): Theme {
  const choice = themeChoice();
  return choice === "system" ? (dark.matches ? "dark" : "light") : choice;
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme();
  colours.clear();
  for (const watcher of watchers) watcher();
}

export function setThemeChoice(choice: ThemeChoice): void {
  remember(KEY, choice === "system" ? null : choice);
  applyTheme();
}

dark.addEventListener("change", applyTheme);

export function useTheme(): Theme {
  const [now, setNow] = useState(theme);
  useEffect(() => {
    const follow = () => setNow(theme());
    watchers.add(follow);
    return () => {
      watchers.delete(follow);
    };
  }, []);
  return now;
}

const colours = new Map<string, string>();

/** A colour of the style sheet, for canvases: colour("--ink-2"). */
export function colour(name: string): string {
  let value = colours.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888";
    colours.set(name, value);
  }
  return value;
}
