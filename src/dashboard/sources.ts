import type { ProfileView, RecommendationView } from "./view.ts";

/** What the dashboard reads of recommendations: `watchRecommendations()` of `breakwater/reports` gives one. */
export interface RecommendationSource {
  list(): readonly RecommendationView[];
}

/** What is read of profiles: `profiler()` of `breakwater/profiler` gives one. */
export interface ProfileSource {
  profiles(): readonly {
    readonly id: string;
    /** Milliseconds since the Unix epoch. */
    readonly capturedAt: number;
    readonly durationMs: number;
    readonly top: readonly string[];
  }[];
  /** A profile as JSON text of the format `.cpuprofile`; `undefined` when it is not kept in memory. */
  profile(id: string): string | undefined;
}

/** What the page shows beside what the optimizer knows of itself. */
export interface DashboardSources {
  readonly recommendations?: RecommendationSource | undefined;
  readonly profiler?: ProfileSource | undefined;
}

const SHOWN_MAX = 5;
const FUNCTIONS_MAX = 3;

export function recommendationsOf({ recommendations }: DashboardSources): readonly RecommendationView[] | null {
  if (recommendations === undefined) return null;
  // Field by field: what else a recommendation carries is not for the page.
  return recommendations
    .list()
    .slice(0, SHOWN_MAX)
    .map(({ id, title, advice, evidence, undoWhen }) => ({ id, title, advice, evidence, undoWhen }));
}

export function profilesOf({ profiler }: DashboardSources): readonly ProfileView[] | null {
  if (profiler === undefined) return null;
  return profiler
    .profiles()
    .slice(0, SHOWN_MAX)
    .map(({ id, capturedAt, durationMs, top }) => ({
      id,
      at: capturedAt,
      seconds: durationMs / 1000,
      top: top.slice(0, FUNCTIONS_MAX),
    }));
}
