export { type Compared, type Comparison, compared, type Measure, merged, type Verdict } from "./compare.ts";
export { Counts, countsOf, KindCounts } from "./counts.ts";
export { Distribution } from "./distribution.ts";
