import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

export interface OtlpAttribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number };
}

export interface OtlpPoint {
  readonly attributes: readonly OtlpAttribute[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
  readonly asDouble?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly min?: number;
  readonly max?: number;
  readonly bucketCounts?: readonly number[];
  readonly explicitBounds?: readonly number[];
  readonly scale?: number;
  readonly zeroCount?: number;
  readonly positive?: { readonly offset: number; readonly bucketCounts: readonly number[] };
}

interface OtlpPoints {
  readonly dataPoints: readonly OtlpPoint[];
  readonly aggregationTemporality?: number;
  readonly isMonotonic?: boolean;
}

export interface OtlpMetric {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly sum?: OtlpPoints;
  readonly gauge?: OtlpPoints;
  readonly histogram?: OtlpPoints;
  readonly exponentialHistogram?: OtlpPoints;
}

export interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly OtlpAttribute[];
}

/** A receiver of OTLP over HTTP, as JSON, on a port of its own that it keeps while it is down. */
export class OtlpReceiver {
  /** What each export of metrics brought. */
  readonly metrics: OtlpMetric[][] = [];
  readonly spans: OtlpSpan[] = [];
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await receiver.start();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      json(request).then((body) => {
        this.#take(body as Record<string, never[]>);
        response.setHeader("content-type", "application/json").end("{}");
      });
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #take(body: {
    resourceMetrics?: { scopeMetrics: { metrics: OtlpMetric[] }[] }[];
    resourceSpans?: { scopeSpans: { spans: OtlpSpan[] }[] }[];
  }): void {
    if (body.resourceMetrics !== undefined) {
      this.metrics.push(body.resourceMetrics.flatMap((one) => one.scopeMetrics.flatMap(({ metrics }) => metrics)));
    }
    for (const { scopeSpans } of body.resourceSpans ?? []) {
      this.spans.push(...scopeSpans.flatMap(({ spans }) => spans));
    }
  }
}

export function attributesOf(point: { readonly attributes: readonly OtlpAttribute[] }): Record<string, unknown> {
  return Object.fromEntries(point.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
