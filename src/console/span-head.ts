/**
 * What a search looks at in a span, wherever the span stands: in the bytes that it came in, of which each property is
 * read when it is used, or read as a whole. And the summary of a trace from the heads of its spans. Pure.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { AnyValueSchema } from "../gen/opentelemetry/proto/common/v1/common_pb.ts";
import { Status_StatusCode } from "../gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import { lastField, type Range } from "../otlp/protobuf.ts";
import type { OtlpItem } from "../otlp/request.ts";
import type { ReceivedSpan } from "../otlp/span.ts";
import { type AttributeValue, toMs, toPlainValue } from "../otlp/values.ts";
import { ownKey, serviceNames } from "../telemetry/names.ts";
import { taskIdOf } from "./task-trace.ts";
import type { TraceFilter, TraceSummary } from "./trace-search.ts";

/** Times are milliseconds since the epoch, with a fraction. */
export interface SpanHead {
  /** Hex. */
  readonly traceId: string;
  readonly service: string;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly taskId: string | undefined;
  attribute(key: string): AttributeValue | undefined;
}

export function toHead(span: ReceivedSpan): SpanHead {
  const { traceId, service, name, startMs, endMs, status, attributes } = span;
  return {
    traceId,
    service,
    name,
    startMs,
    endMs,
    isError: status.code === "ERROR",
    taskId: taskIdOf(attributes),
    attribute: (key) => (Object.hasOwn(attributes, key) ? attributes[key] : undefined),
  };
}

const ownServices: ReadonlySet<string> = new Set(Object.values(serviceNames));

/** Whether the span fits the filter. Cheap comparisons come first. */
export function fits(span: SpanHead, filter: TraceFilter): boolean {
  const { service, operation, taskId, isError, minDurationMs, attribute, housekeeping, sinceMs, untilMs } = filter;
  return (
    (service === undefined || span.service === service) &&
    (sinceMs === undefined || span.startMs >= sinceMs) &&
    (untilMs === undefined || span.startMs <= untilMs) &&
    (minDurationMs === undefined || span.endMs - span.startMs >= minDurationMs) &&
    (isError === undefined || span.isError === isError) &&
    (operation === undefined || span.name === operation) &&
    (taskId === undefined || span.taskId === taskId) &&
    (housekeeping !== false || !isHousekeeping(span)) &&
    (attribute === undefined || isText(span.attribute(attribute.key), attribute.value))
  );
}

/** Throughline's own, of no task, as idle calls to the broker. */
function isHousekeeping(span: SpanHead): boolean {
  return ownServices.has(span.service) && !span.isError && span.taskId === undefined;
}

/** A number or a boolean as it is written. */
function isText(value: AttributeValue | undefined, text: string): boolean {
  return typeof value === "string" ? value === text : value !== undefined && JSON.stringify(value) === text;
}

/** trace.proto, `Span`, and fields of `Status` and of common.proto's `AnyValue`. */
const number = { traceId: 1, spanId: 2, name: 5, startTime: 7, endTime: 8, attributes: 9, status: 15 } as const;
const codeOfStatus = 3;
const textOfValue = 1;

const texts = new TextDecoder();
const taskIdKey = new TextEncoder().encode(ownKey.taskId);

/** A span in the bytes that it came in. */
export class HeldSpan implements SpanHead {
  readonly item: OtlpItem;

  constructor(item: OtlpItem) {
    this.item = item;
  }

  /** Where its ids are; nothing where there is none. */
  get traceIdAt(): Range | undefined {
    return this.item.field(number.traceId);
  }

  get spanIdAt(): Range | undefined {
    return this.item.field(number.spanId);
  }

  get traceId(): string {
    return this.#bytes(this.traceIdAt).toHex();
  }

  get service(): string {
    return this.item.origin.service;
  }

  get name(): string {
    return texts.decode(this.#bytes(this.item.field(number.name)));
  }

  get startMs(): number {
    return this.#timeMs(number.startTime);
  }

  get endMs(): number {
    return this.#timeMs(number.endTime);
  }

  get isError(): boolean {
    const status = this.item.field(number.status);
    const code = status && lastField(this.item.request, status, codeOfStatus);
    return code !== undefined && this.item.request[code.start] === Status_StatusCode.ERROR;
  }

  get taskId(): string | undefined {
    const at = this.taskIdAt;
    return at && taskIdOf({ [ownKey.taskId]: texts.decode(this.#bytes(at)) });
  }

  /** Its text. */
  get taskIdAt(): Range | undefined {
    const value = this.item.value(number.attributes, taskIdKey);
    return value && lastField(this.item.request, value, textOfValue);
  }

  attribute(key: string): AttributeValue | undefined {
    const at = this.item.value(number.attributes, new TextEncoder().encode(key));
    return at && this.#value(at);
  }

  #value(at: Range): AttributeValue {
    return toPlainValue(fromBinary(AnyValueSchema, this.#bytes(at)));
  }

  #timeMs(fieldNumber: number): number {
    const at = this.item.field(fieldNumber);
    if (!at) return 0;
    const { buffer, byteOffset } = this.item.request;
    return toMs(new DataView(buffer, byteOffset).getBigUint64(at.start, true));
  }

  #bytes({ start, end }: Range = { start: 0, end: 0 }): Uint8Array {
    return this.item.request.subarray(start, end);
  }
}

/** A batch of tasks is one trace. */
const maxNames = 100;

/** What is known of a trace without showing it; undefined: there is no span. */
export function summarize(spans: readonly SpanHead[]): TraceSummary | undefined {
  const [first] = spans;
  if (!first) return undefined;
  let root = { span: first, startMs: first.startMs };
  let endMs = first.endMs;
  const services = new Set<string>();
  const taskIds = new Set<string>();
  for (const span of spans) {
    const { startMs, taskId } = span;
    if (startMs < root.startMs) root = { span, startMs };
    endMs = Math.max(endMs, span.endMs);
    services.add(span.service);
    if (taskId !== undefined) taskIds.add(taskId);
  }
  return {
    traceId: first.traceId,
    startMs: root.startMs,
    endMs,
    spans: spans.length,
    errors: spans.filter(({ isError }) => isError).length,
    service: root.span.service,
    name: root.span.name,
    services: [...services].sort().slice(0, maxNames),
    taskIds: [...taskIds].slice(0, maxNames),
  };
}
