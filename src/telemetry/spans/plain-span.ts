/**
 * A finished span as a plain value, so that it can cross from a handler's thread to the worker's, which exports it.
 * Nothing that a handler's thread has finished is lost when that thread is ended.
 */

import type { Attributes, HrTime, Link, SpanContext, SpanKind, SpanStatus } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import type { Scope } from "../../otlp/request.ts";
import { toText } from "../../words/text.ts";
import { parseTraceState } from "../context/trace-context.ts";

/** Of a span, an event, a tracer. */
const maxNameLength = 1000;

interface PlainContext {
  traceId: string;
  spanId: string;
  traceFlags: number;
  traceState?: string;
  isRemote?: boolean;
}

export interface PlainSpan {
  name: string;
  kind: SpanKind;
  context: PlainContext;
  parent: PlainContext | undefined;
  startTime: HrTime;
  endTime: HrTime;
  duration: HrTime;
  status: SpanStatus;
  attributes: Attributes;
  links: { context: PlainContext; attributes?: Attributes }[];
  events: ReadableSpan["events"];
  scope: Scope;
  dropped: [attributes: number, events: number, links: number];
}

export function toPlainSpan(span: ReadableSpan): PlainSpan {
  const { name, version, schemaUrl } = span.instrumentationScope;
  return {
    // A handler in JavaScript may give any value as a name; one that JSON cannot hold would block the run's report.
    name: toText(span.name, maxNameLength),
    kind: span.kind,
    context: toPlainContext(span.spanContext()),
    parent: span.parentSpanContext && toPlainContext(span.parentSpanContext),
    startTime: span.startTime,
    endTime: span.endTime,
    duration: span.duration,
    status: span.status,
    attributes: nameOddNumbers(span.attributes),
    links: span.links.map(({ context, attributes }) => ({
      context: toPlainContext(context),
      ...(attributes && { attributes: nameOddNumbers(attributes) }),
    })),
    events: span.events.map(({ name, attributes, ...event }) => ({
      ...event,
      name: toText(name, maxNameLength),
      ...(attributes && { attributes: nameOddNumbers(attributes) }),
    })),
    scope: {
      name: toText(name, maxNameLength),
      ...(version !== undefined && { version: toText(version, maxNameLength) }),
      ...(schemaUrl !== undefined && { schemaUrl: toText(schemaUrl, maxNameLength) }),
    },
    dropped: [span.droppedAttributesCount, span.droppedEventsCount, span.droppedLinksCount],
  };
}

/** JSON has no NaN and no infinities: they cross by their names, as the JSON mapping of protobuf writes them. */
function nameOddNumbers(attributes: Attributes): Attributes {
  let copy: Attributes | undefined;
  for (const name in attributes) {
    const value = attributes[name];
    if (!hasOddNumber(value)) continue;
    copy ??= { ...attributes };
    copy[name] = Array.isArray(value) ? value.map(String) : String(value);
  }
  return copy ?? attributes;
}

function hasOddNumber(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasOddNumber);
  return typeof value === "number" && !Number.isFinite(value);
}

/** The span again, as made by the service of `resource`. */
export function fromPlainSpan(plain: PlainSpan, resource: Resource, shareScope: ShareScope): ReadableSpan {
  const context = fromPlainContext(plain.context);
  const links: Link[] = plain.links.map((link) => ({ ...link, context: fromPlainContext(link.context) }));
  return {
    name: plain.name,
    kind: plain.kind,
    spanContext: () => context,
    ...(plain.parent && { parentSpanContext: fromPlainContext(plain.parent) }),
    startTime: plain.startTime,
    endTime: plain.endTime,
    duration: plain.duration,
    status: plain.status,
    attributes: plain.attributes,
    links,
    events: plain.events,
    ended: true,
    resource,
    instrumentationScope: shareScope(plain.scope),
    droppedAttributesCount: plain.dropped[0],
    droppedEventsCount: plain.dropped[1],
    droppedLinksCount: plain.dropped[2],
  };
}

function toPlainContext(context: SpanContext): PlainContext {
  const { traceId, spanId, traceFlags, isRemote } = context;
  const traceState = context.traceState?.serialize();
  return { traceId, spanId, traceFlags, ...(traceState && { traceState }), ...(isRemote && { isRemote }) };
}

function fromPlainContext({ traceState: text, ...context }: PlainContext): SpanContext {
  const traceState = text ? parseTraceState(text) : undefined;
  return traceState ? { ...context, traceState } : context;
}

/**
 * The first scope that was equal to this one. The SDK's tracers share theirs, and a request groups spans by the object,
 * not by its name; a scope that came with a span from another thread is a new object each time.
 */
type ShareScope = (scope: Scope) => Scope;

/** Scopes are named by libraries, so there are few; a handler that makes names up must not fill the memory. */
const maxScopes = 256;

/** Above 256 scopes, those that are new stay as they are given. */
export function createSharedScopes(): ShareScope {
  const scopes = new Map<string, Scope>();
  return (scope) => {
    const { name, version, schemaUrl } = scope;
    const key = JSON.stringify([name, version, schemaUrl]);
    const known = scopes.get(key);
    if (known) return known;
    if (scopes.size < maxScopes) scopes.set(key, scope);
    return scope;
  };
}
