/**
 * Trace context on its way across borders. Between our own roles and threads it travels in plain carriers, which are RPC
 * metadata, message attributes, thread messages or a column of the store: always W3C trace context and baggage. At the
 * outer border, in requests that come and go, the registered propagator decides, as `OTEL_PROPAGATORS` says.
 */

import {
  type Context,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapPropagator,
  trace,
} from "@opentelemetry/api";
import { isTracingSuppressed } from "@opentelemetry/core";
import { propagatorNames } from "../../settings/otel-settings.ts";
import { type B3, b3Headers, b3OriginOf, formatB3, readB3, readSingle, withB3Origin } from "./b3.ts";
import { formatBaggage, parseBaggage } from "./baggage.ts";
import { formatTraceparent, ownMember, parseTraceparent, parseTraceState } from "./trace-context.ts";
import { ValidSpanContext, withSpan } from "./with-span.ts";

/** Header name, in lower case, to value. */
export type Carrier = Record<string, string>;

/** The value of a header; undefined when there is none. */
export type Get = (name: string) => string | undefined;

/** In a carrier: B3 that came in several headers, as the value of the single one. */
const b3MultiEntry = "b3multi";

/** Every entry that a carrier may have. */
export const carrierEntries: ReadonlySet<string> = new Set([
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  b3MultiEntry,
]);

const asHeaders = {
  get: (headers: Headers, key: string): string | undefined => headers.get(key) ?? undefined,
  keys: (headers: Headers): string[] => [...headers.keys()],
};

/** The context of a request from outside. */
export function fromHeaders(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers, asHeaders);
}

/** `context` as the headers of a request to the outside. */
export function toHeaders(context: Context): Carrier {
  const headers: Carrier = {};
  propagation.inject(context, headers);
  return headers;
}

/** `context` as `traceparent`, and what else there is: `tracestate`, `baggage`, and one entry for B3. */
export function toCarrier(context: Context): Carrier {
  const carrier = writeW3c(context);
  const origin = b3OriginOf(context);
  const span = origin && spanContextOf(context);
  if (span) carrier[origin.style === "single" ? "b3" : b3MultiEntry] = formatB3(span, origin.isDebug);
  return carrier;
}

/** The context in a carrier; an empty one when there is none or it cannot be read. */
export function fromCarrier(carrier: Carrier): Context {
  return readCarrier((name) => carrier[name]);
}

/** The same, of a call's metadata. A caller that is none of our roles may send B3 as it likes. */
export function fromMetadata(get: Get): Context {
  return readCarrier(get);
}

function readCarrier(get: Get): Context {
  const multi = get(b3MultiEntry);
  return withBaggage(
    withSpanOf(ROOT_CONTEXT, get, multi === undefined ? readB3(get) : readSingle(multi, "multi")),
    get,
  );
}

/** B3 names the span only when there is no `traceparent`; how it came is noted in any case. */
function withSpanOf(context: Context, get: Get, b3: B3 | undefined): Context {
  const text = get("traceparent");
  const span = text ? readSpan(text, get) : b3?.span;
  const noted = b3 ? withB3Origin(context, b3.origin) : context;
  return span ? withSpan(noted, trace.wrapSpanContext(span)) : noted;
}

function readSpan(traceparent: string, get: Get): SpanContext | undefined {
  const span = parseTraceparent(traceparent);
  const text = span && get("tracestate");
  const traceState = text ? parseTraceState(text) : undefined;
  if (span && traceState) span.traceState = traceState;
  return span;
}

function withBaggage(context: Context, get: Get): Context {
  const text = get("baggage");
  const baggage = text ? parseBaggage(text) : undefined;
  return baggage ? propagation.setBaggage(context, baggage) : context;
}

function writeW3c(context: Context): Carrier {
  const carrier = writeTraceContext(context);
  const baggage = writeBaggage(context);
  if (baggage !== "") carrier.baggage = baggage;
  return carrier;
}

function writeTraceContext(context: Context): Carrier {
  const span = spanContextOf(context);
  if (!span) return {};
  const carrier: Carrier = { traceparent: formatTraceparent(span) };
  const tracestate = span.traceState?.serialize();
  if (tracestate) carrier.tracestate = tracestate;
  return carrier;
}

/** Empty when there is none. */
function writeBaggage(context: Context): string {
  const baggage = propagation.getBaggage(context);
  return baggage ? formatBaggage(baggage) : "";
}

/** The span that a context carries, if it is a valid one. */
export function spanContextOf(context: Context): SpanContext | undefined {
  const span = trace.getSpanContext(context);
  if (span instanceof ValidSpanContext) return span;
  return span && trace.isSpanContextValid(span) ? span : undefined;
}

/** The same context without its span: what a new trace inherits (baggage). */
export function withoutSpan(context: Context): Context {
  return trace.deleteSpan(context);
}

/** The same context without our own member of the tracestate, which only our own roles may set. */
export function withoutOwnMember(context: Context): Context {
  const span = spanContextOf(context);
  if (span?.traceState?.get(ownMember) === undefined) return context;
  const { traceState, ...rest } = span;
  const others = traceState.unset(ownMember);
  return trace.setSpanContext(context, others.serialize() === "" ? rest : { ...rest, traceState: others });
}

type PropagatorName = (typeof propagatorNames)[number];

const fields = [
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-sampled",
  "x-b3-flags",
];

/** For the whole thread, handlers' own use of the API included. `names`: of `OTEL_PROPAGATORS`; undefined: the default. */
export function registerPropagator(names: readonly string[] | undefined): void {
  // A second one is refused, and there are two where a role runs in the supervisor's own thread.
  propagation.disable();
  propagation.setGlobalPropagator(createPropagator(names));
}

/**
 * What is read from requests and written to them. By default W3C trace context and baggage; B3 is read when there is no
 * `traceparent`, and written beside it for a request that came with it. Names that are not known count for nothing.
 */
export function createPropagator(names: readonly string[] | undefined): TextMapPropagator {
  const known = propagatorNames.filter((name) => names?.includes(name));
  const chosen = known.length > 0 ? inOrder(known, names ?? []) : undefined;
  return {
    fields: () => fields,
    inject: (context, carrier, setter) => {
      if (isTracingSuppressed(context)) return;
      const headers = chosen ? writeChosen(context, chosen) : writeDefault(context);
      for (const [name, value] of Object.entries(headers)) setter.set(carrier, name, value);
    },
    extract: (context, carrier, getter) => {
      const get: Get = (name) => {
        const value = getter.get(carrier, name);
        return typeof value === "object" ? value.join(",") : value;
      };
      return chosen ? readChosen(context, get, chosen) : readDefault(context, get);
    },
  };
}

function inOrder(known: readonly PropagatorName[], names: readonly string[]): readonly PropagatorName[] {
  return known.includes("none") ? [] : known.toSorted((one, other) => names.indexOf(one) - names.indexOf(other));
}

function readDefault(context: Context, get: Get): Context {
  return withBaggage(withSpanOf(context, get, readB3(get)), get);
}

/** Each in its order; of several that name a span the last one counts. */
function readChosen(context: Context, get: Get, names: readonly PropagatorName[]): Context {
  return names.reduce((read, name) => {
    if (name === "baggage") return withBaggage(read, get);
    if (name === "tracecontext") {
      const span = readSpan(get("traceparent") ?? "", get);
      return span ? trace.setSpanContext(read, span) : read;
    }
    const b3 = readB3(get);
    return b3 ? trace.setSpanContext(withB3Origin(read, b3.origin), b3.span) : read;
  }, context);
}

function writeDefault(context: Context): Carrier {
  const origin = b3OriginOf(context);
  const span = origin && spanContextOf(context);
  return { ...writeW3c(context), ...(span && b3Headers(span, origin)) };
}

function writeChosen(context: Context, names: readonly PropagatorName[]): Carrier {
  const span = spanContextOf(context);
  const isDebug = b3OriginOf(context)?.isDebug ?? false;
  const headers: Carrier = {};
  for (const name of names) {
    if (name === "tracecontext") Object.assign(headers, writeTraceContext(context));
    else if (name === "baggage") {
      const baggage = writeBaggage(context);
      if (baggage !== "") headers.baggage = baggage;
    } else if (span) Object.assign(headers, b3Headers(span, { style: name === "b3" ? "single" : "multi", isDebug }));
  }
  return headers;
}
