import type { ProfileView, RecommendationView, View } from "../view.ts";
import { amount, seconds, timeOfDay } from "./format.ts";

/** What could be better, and which functions held the process up. Each is there only where somebody looks for it. */
export function AdviceLists({ view }: { readonly view: View }) {
  const { recommendations, profiles } = view;
  if (recommendations === null && profiles === null) return null;
  return (
    <div class="columns">
      {recommendations !== null && <RecommendationList list={recommendations} />}
      {profiles !== null && <ProfileList list={profiles} />}
    </div>
  );
}

function RecommendationList({ list }: { readonly list: readonly RecommendationView[] }) {
  return (
    <section aria-labelledby="recommendations">
      <h2 id="recommendations">Recommendations</h2>
      {list.length === 0 ? (
        <p class="nothing">Nothing to change, by the calls of the last hour.</p>
      ) : (
        <ul class="rows">
          {list.map(({ id, title, advice, evidence, undoWhen }) => (
            <li key={id}>
              <strong>{title}</strong> {advice}
              <span class="detail">{figures(evidence)}</span>
              <span class="detail">Take it back when: {undoWhen}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function ProfileList({ list }: { readonly list: readonly ProfileView[] }) {
  return (
    <section aria-labelledby="profiles">
      <h2 id="profiles">Processor profiles</h2>
      {list.length === 0 ? (
        <p class="nothing">No slow call came while the process itself was busy.</p>
      ) : (
        <ul class="rows">
          {list.map(({ id, at, seconds: length, top }) => (
            <li key={id}>
              <a href={`api/v1/profile?id=${encodeURIComponent(id)}`}>{id}</a>{" "}
              <time dateTime={new Date(at).toISOString()}>{timeOfDay(at)}</time>, {seconds(length)}
              <span class="detail">{top.length === 0 ? "nothing was at work" : top.join("; ")}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function figures(evidence: RecommendationView["evidence"]): string {
  return Object.entries(evidence)
    .map(([name, value]) => `${name} ${typeof value === "number" ? amount(value) : value}`)
    .join(", ");
}
