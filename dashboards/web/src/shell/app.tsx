// SPDX-License-Identifier: Apache-2.0
// The frame of the page: header, the view of the place, help, and what to do without a token.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Empty } from "../components/basics";
import { focusFilter, useKeys } from "../lib/keyboard";
import { useLive } from "../lib/live";
import { Place, go, idPart, link, usePlace } from "../lib/router";
import { ThemeChoice, setThemeChoice, themeChoice } from "../lib/theme";
import { clock } from "../lib/format";
import { useNow } from "../lib/hooks";
import { ExampleView } from "../views/example";
import { FailuresView } from "../views/failures";
import { JobView } from "../views/job";
import { OverviewView } from "../views/overview";
import { RunView } from "../views/run";
import { SqlView } from "../views/sql";
import { WorkersView } from "../views/workers";
import { ExperimentFrame } from "./experiment_frame";
import { Guard } from "./guard";
import { Help } from "./help";
import { TokenDialog } from "./token";
import { VersionNote } from "./version";

const SECTIONS = [
  { name: "overview", title: "Overview", address: link(), key: "o" },
  { name: "workers", title: "Workers", address: link("workers"), key: "w" },
  { name: "sql", title: "SQL", address: link("sql"), key: "s" },
];

function viewOf(place: Place): VNode {
  const [head, second] = place.parts;
  const id = idPart(second);
  if (head === undefined || (head === "experiments" && second === undefined)) return <OverviewView />;
  if (head === "experiments" && id !== null) return <ExperimentFrame key={id} id={id} place={place} />;
  if (head === "workers") return <WorkersView />;
  if (head === "sql") return <SqlView />;
  if (head === "jobs" && id !== null) return <JobView key={id} id={id} />;
  if (head === "runs" && id !== null) return <RunView key={id} id={id} />;
  if (head === "labels" && id !== null) return <ExampleView id={id} />;
  if (head === "failures") return <FailuresView />;
  return (
    <Empty title="No such place">
      <a href={link()}>To the overview</a>
    </Empty>
  );
}

function sectionOf(place: Place): string {
  const head = place.parts[0];
  return head === "workers" || head === "sql" ? head : "overview";
}

export function App(): VNode {
  const place = usePlace();
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const path = place.parts.slice(0, 2).join("/");
  const firstPath = useRef(path);
  useEffect(() => {
    if (firstPath.current === path) return;
    firstPath.current = "";
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path]);
  useKeys([
    ...SECTIONS.map((s) => ({ keys: "g " + s.key, text: s.title, section: "Go to", run: () => go(s.address) })),
    {
      keys: "g e",
      text: "The experiment that runs first",
      section: "Go to",
      run: () => {
        const first = document.querySelector<HTMLAnchorElement>("main a.experiment-link");
        if (first !== null) first.click();
        else go(link("experiments"));
      },
    },
    { keys: "/", text: "Filter", section: "Everywhere", run: focusFilter },
    { keys: "t", text: "Light or dark", section: "Everywhere", run: nextTheme },
    { keys: "?", text: "This help", section: "Everywhere", run: () => setHelp(true) },
  ]);
  return (
    <>
      <a
        class="skip-link"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        To the content
      </a>
      <header class="top">
        <a class="brand" href={link()} aria-label="drover, overview">
          <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
            <rect width="32" height="32" rx="7" class="brand-box" />
            <path d="M7 22h6v-8h6v-6h6" class="brand-line" />
          </svg>
          <span>drover</span>
        </a>
        <nav class="sections" aria-label="Sections">
          {SECTIONS.map((s) => (
            <a
              key={s.name}
              href={s.address}
              aria-current={
                sectionOf(place) === s.name ? (path === s.name || path === "" ? "page" : "true") : undefined
              }
            >
              {s.title}
            </a>
          ))}
        </nav>
        <div class="top-right">
          <LiveMark />
          <ThemeButton />
          <button
            type="button"
            class="button plain"
            aria-label="Keys and help"
            title="Keys and help (?)"
            onClick={() => setHelp(true)}
          >
            ?
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Guard key={path}>{viewOf(place)}</Guard>
      </main>
      <Help open={help} onClose={() => setHelp(false)} />
      <VersionNote />
      <TokenDialog />
    </>
  );
}

function LiveMark(): VNode {
  const live = useLive();
  const now = useNow(1000);
  const text =
    live.trouble !== null
      ? "store: " + live.trouble
      : live.state === "live"
        ? "live"
        : live.state === "offline"
          ? "offline since " + clock(live.since, now)
          : live.state === "paused"
            ? "paused"
            : "connecting";
  return (
    <span
      class={"live live-" + (live.trouble !== null ? "offline" : live.state)}
      role="status"
      title={live.state === "live" ? "What you see follows the store" : "What you see may be old"}
    >
      <i class="dot" aria-hidden="true" />
      <span class="live-text">{text}</span>
    </span>
  );
}

const NEXT: Record<ThemeChoice, ThemeChoice> = { system: "light", light: "dark", dark: "system" };
let themeChanged: (() => void) | null = null;

function nextTheme(): void {
  setThemeChoice(NEXT[themeChoice()]);
  themeChanged?.();
}

function ThemeButton(): VNode {
  const [choice, setChoice] = useState(themeChoice);
  useEffect(() => {
    themeChanged = () => setChoice(themeChoice());
    return () => {
      themeChanged = null;
    };
  }, []);
  const mark = choice === "system" ? "◐" : choice === "light" ? "○" : "●";
  return (
    <button
      type="button"
      class="button plain"
      aria-label={"Colours: " + choice}
      title={`Colours: ${choice} (t)`}
      onClick={nextTheme}
    >
      {mark}
    </button>
  );
}
