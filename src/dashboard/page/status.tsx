import { useEffect, useState } from "preact/hooks";
import { type View, WINDOWS } from "../view.ts";
import type { LinkState, PageQuery } from "./connection.ts";
import { span } from "./format.ts";

interface Props {
  readonly view: View | undefined;
  readonly link: LinkState;
  readonly query: PageQuery;
  readonly choose: (change: Partial<PageQuery>) => void;
}

const HEALTH = {
  ok: { icon: "✓", word: "OK" },
  degraded: { icon: "!", word: "Degraded" },
  down: { icon: "✕", word: "Down" },
} as const;

/** How things are in words, and what is looked at. */
export function StatusStrip({ view, link, query, choose }: Props) {
  return (
    <header class="strip">
      <div class="bar">
        <h1>Breakwater</h1>
        {view !== undefined && <span class="profile">profile {view.profile}</span>}
        <LinkNote link={link} at={view?.at} />
        <WindowPicker query={query} choose={choose} />
      </div>
      {view !== undefined && <HealthNote view={view} />}
      {link.kind === "polling" && <p class="note">{link.why} This page asks every 5 s instead.</p>}
      {(query.model !== undefined || query.provider !== undefined) && (
        <p class="filter">
          Only calls of{" "}
          <strong>{[query.provider, query.model].filter((part) => part !== undefined).join(" / ")}</strong>
          <button type="button" onClick={() => choose({ provider: undefined, model: undefined })}>
            Show all calls
          </button>
        </p>
      )}
    </header>
  );
}

function HealthNote({ view }: { readonly view: View }) {
  const { status, reasons, since } = view.health;
  const { icon, word } = HEALTH[status];
  const sees = view.tiles.calls.value !== null;
  return (
    <div class="health">
      <span class={`badge ${status}`}>
        <span aria-hidden="true">{icon}</span> {word}
      </span>
      <span class="why">
        {reasons.length > 0 ? reasons.join("; ") : sees ? "Calls get their answers." : "No call has come yet."}
        {status !== "ok" && <span class="since"> For {span(view.at - since)}.</span>}
      </span>
      <button type="button" class={`alerts ${worstOf(view)}`} onClick={toAlerts}>
        {firingWords(view)}
      </button>
    </div>
  );
}

const LEVELS = [
  { level: "critical", one: "critical alert", many: "critical alerts" },
  { level: "warning", one: "warning", many: "warnings" },
  { level: "info", one: "notice", many: "notices" },
] as const;

function countOf({ alerts }: View, wanted: string): number {
  return alerts.filter(({ state, level }) => level === wanted && state === "firing").length;
}

function worstOf(view: View): string {
  return LEVELS.find(({ level }) => countOf(view, level) > 0)?.level ?? "";
}

function firingWords(view: View): string {
  const counts = LEVELS.map(({ level, one, many }) => ({ count: countOf(view, level), one, many }));
  const parts = counts
    .filter(({ count }) => count > 0)
    .map(({ count, one, many }) => `${count} ${count === 1 ? one : many}`);
  return parts.length === 0 ? "No alert fires" : `${parts.join(", ")} firing`;
}

// Not a link to the heading: the hash of the address holds what is looked at.
function toAlerts(): void {
  const heading = document.getElementById("alerts");
  heading?.scrollIntoView();
  heading?.focus();
}

function LinkNote({ link, at }: { readonly link: LinkState; readonly at: number | undefined }) {
  const age = useAge(at);
  const words = {
    connecting: "Connecting …",
    live: "Live",
    reconnecting: "Reconnecting …",
    polling: "Every 5 s",
    paused: "Paused",
  };
  return (
    <span class={`link ${link.kind}`}>
      <span class="dot" aria-hidden="true" />
      {words[link.kind]}
      {age !== undefined && age >= 3 && <span class="age">, figures are {span(age * 1000)} old</span>}
    </span>
  );
}

/** Seconds since the last figures came, by the own clock: the server's may differ. */
function useAge(at: number | undefined): number | undefined {
  const [age, setAge] = useState<number>();
  useEffect(() => {
    if (at === undefined) return;
    const cameAt = performance.now();
    setAge(0);
    const timer = setInterval(() => setAge(Math.round((performance.now() - cameAt) / 1000)), 1_000);
    return () => clearInterval(timer);
  }, [at]);
  return age;
}

function WindowPicker({ query, choose }: Pick<Props, "query" | "choose">) {
  return (
    <fieldset class="windows">
      <legend class="hidden">Look back</legend>
      {WINDOWS.map((minutes) => (
        <label key={minutes}>
          <input
            type="radio"
            name="window"
            checked={query.window === minutes}
            onChange={() => choose({ window: minutes })}
          />
          <span>{minutes} min</span>
        </label>
      ))}
    </fieldset>
  );
}
