/**
 * B3, the trace context of Zipkin and of service meshes (github.com/openzipkin/b3-propagation): one header `b3`, or
 * several `x-b3-…`. The SDK's own package finds ids in the midst of garbage and takes a denial for nothing.
 */

import { type Context, createContextKey, type SpanContext } from "@opentelemetry/api";
import { CryptoIds } from "../spans/span-start.ts";
import { randomFlag, sampledFlag, trimOws } from "./trace-context.ts";

type B3Style = "single" | "multi";

/** How a request came that came with B3: what is called for it gets B3 in the same form. */
interface B3Origin {
  style: B3Style;
  /** The caller demanded the whole trace; that travels on as it is. */
  isDebug: boolean;
}

export interface B3 {
  span: SpanContext;
  origin: B3Origin;
}

type State = "0" | "1" | "d" | undefined;

const originKey = createContextKey("how B3 came");
const singlePattern = /^([\da-f]{16}|[\da-f]{32})-([\da-f]{16})(?:-([01d])(?:-[\da-f]{16})?)?$/;
const ids = new CryptoIds();

export function b3OriginOf(context: Context): B3Origin | undefined {
  // The key is private to this file.
  return context.getValue(originKey) as B3Origin | undefined;
}

export function withB3Origin(context: Context, origin: B3Origin): Context {
  return context.setValue(originKey, origin);
}

/** What the headers say, the single one first; undefined when they say nothing, or what is not valid. */
export function readB3(get: (name: string) => string | undefined): B3 | undefined {
  const single = get("b3");
  if (single !== undefined) return readSingle(trimOws(single).toLowerCase(), "single");
  const traceId = get("x-b3-traceid");
  const sampled = get("x-b3-sampled");
  if (traceId === undefined && sampled === undefined) return undefined;
  const state = stateOf(sampled, get("x-b3-flags"));
  if (traceId === undefined) return state === "0" ? denied("multi") : undefined;
  const suffix = state === undefined ? "" : `-${state}`;
  return readSingle(`${trimOws(traceId)}-${trimOws(get("x-b3-spanid") ?? "")}${suffix}`.toLowerCase(), "multi");
}

/** The value of the single header; `style` is the form in which it came. */
export function readSingle(text: string, style: B3Style): B3 | undefined {
  if (text === "0") return denied(style);
  const [, traceId, spanId, state] = singlePattern.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  // Without a state the caller leaves the decision open; OpenTelemetry takes that for "not sampled".
  const traceFlags = state === "1" || state === "d" ? sampledFlag : 0;
  const span = { traceId: traceId.padStart(32, "0"), spanId, traceFlags, isRemote: true };
  return { span, origin: { style, isDebug: state === "d" } };
}

/** A denial names no span: the trace begins here, below one that is never recorded. */
function denied(style: B3Style): B3 {
  const span = { traceId: ids.generateTraceId(), spanId: ids.generateSpanId(), traceFlags: randomFlag };
  return { span, origin: { style, isDebug: false } };
}

function stateOf(sampled: string | undefined, flags: string | undefined): State {
  if (flags !== undefined && trimOws(flags) === "1") return "d";
  if (sampled === undefined) return undefined;
  return ["1", "true", "d"].includes(trimOws(sampled).toLowerCase()) ? "1" : "0";
}

/** The value of the single header. What is not sampled is not debugged either: the trace may be another by now. */
export function formatB3(span: SpanContext, isDebug: boolean): string {
  return `${span.traceId}-${span.spanId}-${stateToSend(span, isDebug)}`;
}

/** The headers of either form. */
export function b3Headers(span: SpanContext, { style, isDebug }: B3Origin): Record<string, string> {
  if (style === "single") return { b3: formatB3(span, isDebug) };
  const state = stateToSend(span, isDebug);
  const decision = state === "d" ? { "x-b3-flags": "1" } : { "x-b3-sampled": state };
  return { "x-b3-traceid": span.traceId, "x-b3-spanid": span.spanId, ...decision };
}

function stateToSend({ traceFlags }: SpanContext, isDebug: boolean): "0" | "1" | "d" {
  if ((traceFlags & sampledFlag) === 0) return "0";
  return isDebug ? "d" : "1";
}
