/** The outer border of tracing: which headers of requests are read and written, as `OTEL_PROPAGATORS` says. */

import { type Context, propagation, type TextMapPropagator, trace } from "@opentelemetry/api";
import { isTracingSuppressed } from "@opentelemetry/core";
import { propagatorNames } from "../../settings/otel-settings.ts";
import { b3Headers, b3OriginOf, readB3, withB3Origin } from "./b3.ts";
import {
  type Carrier,
  type Get,
  readSpan,
  spanContextOf,
  withBaggage,
  withSpan,
  writeBaggage,
  writeTraceContext,
  writeW3c,
} from "./propagation.ts";

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
  return withBaggage(withSpan(context, get, readB3(get)), get);
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
    else if (name === "baggage") Object.assign(headers, writeBaggage(context));
    else if (span) Object.assign(headers, b3Headers(span, { style: name === "b3" ? "single" : "multi", isDebug }));
  }
  return headers;
}
