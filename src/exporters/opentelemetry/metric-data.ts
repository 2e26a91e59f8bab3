import type { Attributes, HrTime } from "@opentelemetry/api";

/**
 * The part of `MetricData` of `@opentelemetry/sdk-metrics` that is made here. It is written down and not imported, so
 * that who only traces calls does not need that package. The numbers are those of its enums.
 */
export interface OtelMetricData<Type extends number, Value> {
  readonly descriptor: {
    readonly name: string;
    readonly description: string;
    readonly unit: string;
    readonly valueType: typeof DOUBLE;
  };
  readonly aggregationTemporality: typeof CUMULATIVE;
  readonly dataPointType: Type;
  readonly dataPoints: {
    readonly startTime: HrTime;
    readonly endTime: HrTime;
    readonly attributes: Attributes;
    readonly value: Value;
  }[];
}

/** `ValueType.DOUBLE` */
export const DOUBLE = 1;
/** `AggregationTemporality.CUMULATIVE` */
export const CUMULATIVE = 1;
/** `DataPointType` */
export const POINT = { histogram: 0, exponentialHistogram: 1, gauge: 2, sum: 3 } as const;

interface Distribution {
  readonly count: number;
  readonly sum: number;
  readonly min?: number;
  readonly max?: number;
}

export interface ExplicitHistogram extends Distribution {
  readonly buckets: { readonly boundaries: number[]; readonly counts: number[] };
}

interface Buckets {
  readonly offset: number;
  readonly bucketCounts: number[];
}

export interface ExponentialHistogram extends Distribution {
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: Buckets;
  readonly negative: Buckets;
}

export type OtelMetric =
  | (OtelMetricData<typeof POINT.sum, number> & { readonly isMonotonic: boolean })
  | OtelMetricData<typeof POINT.gauge, number>
  | OtelMetricData<typeof POINT.histogram, ExplicitHistogram>
  | OtelMetricData<typeof POINT.exponentialHistogram, ExponentialHistogram>;

/** A reader puts the resource of its own in the place of this one. */
export interface OtelResource {
  readonly attributes: Attributes;
  merge(other: OtelResource | null): OtelResource;
  getRawAttributes(): [];
}

export interface OtelCollection {
  readonly resourceMetrics: {
    readonly resource: OtelResource;
    readonly scopeMetrics: { readonly scope: { readonly name: string }; readonly metrics: OtelMetric[] }[];
  };
  readonly errors: unknown[];
}

export const EMPTY_RESOURCE: OtelResource = {
  attributes: {},
  merge: (other) => other ?? EMPTY_RESOURCE,
  getRawAttributes: () => [],
};
