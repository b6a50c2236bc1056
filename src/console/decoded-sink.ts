/** A sink for what looks at every span, log record or metric at once. */

import { decodeLogs, type ReceivedLog } from "../otlp/log.ts";
import { decodeMetrics, type ReceivedMetric } from "../otlp/metric.ts";
import { decodeSpans, type ReceivedSpan } from "../otlp/span.ts";
import type { ReceiverSink } from "./receiver.ts";

/** One call for a request, never an empty one. */
export interface DecodedSink {
  spans?(spans: ReceivedSpan[]): void;
  logs?(logs: ReceivedLog[]): void;
  metrics?(metrics: ReceivedMetric[]): void;
  isFull?(): boolean;
}

export function toSink(decoded: DecodedSink): ReceiverSink {
  return {
    spans: (bytes) => deliver(decodeSpans({ encoding: "protobuf", bytes }), (spans) => decoded.spans?.(spans)),
    logs: (bytes) => deliver(decodeLogs({ encoding: "protobuf", bytes }), (logs) => decoded.logs?.(logs)),
    metrics: (bytes) => deliver(decodeMetrics({ encoding: "protobuf", bytes }), (more) => decoded.metrics?.(more)),
    ...(decoded.isFull && { isFull: decoded.isFull }),
  };
}

function deliver<Item>(items: Item[], to: (items: Item[]) => void): void {
  if (items.length > 0) to(items);
}
