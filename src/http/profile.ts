import type { ProfileSource } from "../dashboard/index.ts";
import { problem, reply } from "./replies.ts";
import type { Route } from "./route.ts";

/** A processor profile as a file. It names the functions and files of the application: that wants the token. */
export function profileRoute(profiler: ProfileSource | undefined): Route {
  return {
    method: "GET",
    guarded: true,
    answer: ({ url }) => {
      if (profiler === undefined) {
        return problem(404, "NO_PROFILER", 'No profiles are taken; give a profiler in the option "profiler".');
      }
      const text = profiler.profile(url.searchParams.get("id") ?? "");
      if (text === undefined) return problem(404, "NO_PROFILE", "No profile of this id is kept in memory.");
      return reply(200, text, {
        "content-type": "application/json; charset=utf-8",
        "content-disposition": 'attachment; filename="breakwater.cpuprofile"',
      });
    },
  };
}
