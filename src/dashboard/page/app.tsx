import { useEffect, useRef, useState } from "preact/hooks";
import { type View, WINDOWS } from "../view.ts";
import { AdviceLists } from "./advice.tsx";
import { AlertList } from "./alerts.tsx";
import { BreakerList } from "./breakers.tsx";
import { FailureList, SlowCallList } from "./calls.tsx";
import { ChartSection, ResilienceCharts } from "./charts.tsx";
import { Connection, type LinkState, type PageQuery } from "./connection.ts";
import { merged } from "./merge.ts";
import { ModelTable } from "./models.tsx";
import { StatusStrip } from "./status.tsx";
import { SystemList } from "./system.tsx";
import { Tiles } from "./tiles.tsx";

/** The whole page. */
export function App() {
  const [query, setQuery] = useState(queryOfAddress);
  const { view, link } = useLiveView(query);
  const choose = (change: Partial<PageQuery>): void => {
    const next = { ...query, ...change };
    history.replaceState(null, "", `#${addressOf(next)}`);
    setQuery(next);
  };
  return (
    <>
      <StatusStrip view={view} link={link} query={query} choose={choose} />
      <main class={link.kind === "reconnecting" ? "stale" : undefined}>
        {view === undefined ? (
          <p class="loading">Waiting for the first figures …</p>
        ) : (
          <Figures view={view} query={query} choose={choose} />
        )}
      </main>
    </>
  );
}

interface FiguresProps {
  readonly view: View;
  readonly query: PageQuery;
  readonly choose: (change: Partial<PageQuery>) => void;
}

function Figures({ view, query, choose }: FiguresProps) {
  return (
    <>
      <Tiles view={view} />
      <ChartSection view={view} />
      <ModelTable view={view} query={query} choose={choose} />
      <section aria-labelledby="resilience">
        <h2 id="resilience">Resilience</h2>
        <ResilienceCharts view={view} />
        <BreakerList view={view} />
      </section>
      <div class="columns">
        <AlertList view={view} />
        <FailureList view={view} />
      </div>
      <AdviceLists view={view} />
      <div class="columns">
        <SlowCallList view={view} />
        <SystemList view={view} />
      </div>
    </>
  );
}

function useLiveView(query: PageQuery): { readonly view: View | undefined; readonly link: LinkState } {
  const [view, setView] = useState<View>();
  const [link, setLink] = useState<LinkState>({ kind: "connecting" });
  const connection = useRef<Connection>(null);
  useEffect(() => {
    if (connection.current !== null) {
      connection.current.show(query);
      return;
    }
    connection.current = new Connection(query, {
      onState: (state) => setLink((current) => (current.kind === state.kind ? current : state)),
      onView: (next, kind) =>
        setView((current) => (kind === "update" && current !== undefined ? merged(current, next) : next)),
    });
  }, [query]);
  return { view, link };
}

function queryOfAddress(): PageQuery {
  const params = new URLSearchParams(location.hash.slice(1));
  const window = WINDOWS.find((minutes) => String(minutes) === params.get("window")) ?? 5;
  return { window, provider: params.get("provider") ?? undefined, model: params.get("model") ?? undefined };
}

function addressOf({ window, provider, model }: PageQuery): string {
  const params = new URLSearchParams({ window: String(window) });
  if (provider !== undefined) params.set("provider", provider);
  if (model !== undefined) params.set("model", model);
  return params.toString();
}
