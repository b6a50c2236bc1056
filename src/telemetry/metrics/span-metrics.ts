/**
 * The metrics of the conventions for HTTP, RPC, messaging and databases, measured in one place: on our own spans, as they
 * end. So a span and its metric carry the same `error.type`, last equally long, and are written once. A span that
 * is not sampled counts like any other.
 */

import { type Attributes, type AttributeValue, type SpanContext, SpanKind } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { meanings } from "../../words/errors.ts";
import { attemptOutcomes } from "../../words/task.ts";
import { key } from "../names.ts";
import { knownMethod, other } from "../spans/attributes.ts";
import type { Measure, SpanForm } from "../spans/prepared-span.ts";
import type { RoleSpan } from "../spans/role-span.ts";
import { type Instrument, instruments } from "./instruments.ts";
import type { Counter, Meter } from "./meter.ts";
import { createBoundedLabel, type Label } from "./series.ts";

/** Of each source: the names of errors that handlers make up take no room from those of calls. */
const maxErrorTypes = 100;

export interface SpanMetrics extends SpanProcessor {
  /** What measures the spans of a kind that was prepared. */
  measureOf(form: SpanForm): Measure;
}

/** What is measured of the spans of one source, by the values that they have under the labels of its instruments. */
interface Family {
  labels: readonly string[];
  /** Finds the series of these labels; what it gives notes one span. */
  find(labels: readonly Label[]): (seconds: number, span: SpanContext, messages: number) => void;
  errorOf(given: Label): Label;
}

export function createSpanMetrics(meter: Meter): SpanMetrics {
  const active = createActiveRequests(meter);
  const rpcErrorOf = createErrorTypes();
  const messagingErrorOf = createErrorTypes();
  const httpServer = createFamily(meter, instruments.httpServerDuration);
  const rpcServer = createFamily(meter, instruments.rpcServerDuration, rpcErrorOf);
  const rpcClient = createFamily(meter, instruments.rpcClientDuration, rpcErrorOf);
  const database = createFamily(meter, instruments.databaseDuration);
  const processing = createFamily(meter, instruments.messagingProcessDuration, messagingErrorOf);
  const settling = createFamily(meter, instruments.messagingDuration, messagingErrorOf);
  const sending = counting(settling, meter.counter(instruments.messagesSent), () => 1);
  const receiving = counting(settling, meter.counter(instruments.messagesConsumed), (messages) => messages);
  const messaging = new Map<unknown, Family>([
    ["process", processing],
    ["send", sending],
    ["receive", receiving],
  ]);

  const familyOf = (kind: SpanKind, attributes: Attributes): Family | undefined => {
    // Stages of our own, such as a handler's run, are measured by the roles (task-metrics.ts).
    if (kind === SpanKind.INTERNAL) return undefined;
    if (key.messagingSystemName in attributes) return messaging.get(attributes[key.messagingOperationName]) ?? settling;
    if (key.dbSystemName in attributes) return database;
    if (key.rpcSystemName in attributes) return kind === SpanKind.SERVER ? rpcServer : rpcClient;
    return isRequest(kind, attributes) ? httpServer : undefined;
  };

  const onStart = ({ kind, attributes }: ReadableSpan): void => {
    if (isRequest(kind, attributes)) active.of(attributes).count += 1;
  };
  const onEnd = (span: ReadableSpan): void => {
    const { kind, attributes, duration } = span;
    const family = familyOf(kind, attributes);
    if (!family) return;
    if (family === httpServer) active.of(attributes).count -= 1;
    family.find(labelsOf(family, attributes))(duration[0] + duration[1] / 1e9, span.spanContext(), countOf(attributes));
  };

  const measureOf = ({ kind, attributes = {} }: SpanForm): Measure => {
    const family = familyOf(kind, attributes);
    if (kind === SpanKind.INTERNAL) return { started: () => {}, ended: () => {} };
    // What decides is different from span to span.
    if (!family) return { started: onStart, ended: onEnd };
    const requests = family === httpServer && key.urlScheme in attributes ? active.of(attributes) : undefined;
    const find = createLastFound(family, attributes);
    return {
      started: (span) => {
        if (requests) requests.count += 1;
        else if (family === httpServer) onStart(span);
      },
      ended: (span) => {
        if (requests) requests.count -= 1;
        else if (family === httpServer) active.of(span.attributes).count -= 1;
        const messages = family === receiving ? countOf(span.attributes) : 1;
        find(span)((span.endMs - span.startMs) / 1000, span.spanContext(), messages);
      },
    };
  };

  return { onStart, onEnd, measureOf, forceFlush: async () => {}, shutdown: async () => {} };
}

function createFamily(meter: Meter, instrument: Instrument<"histogram">, errorOf = createErrorTypes()): Family {
  const duration = meter.histogram(instrument);
  const find = (labels: readonly Label[]) => {
    const series = duration.series(labels);
    return (seconds: number, span: SpanContext) => series.record(seconds, span);
  };
  return { labels: instrument.labels, find, errorOf };
}

/** The same, with the messages counted. */
function counting(family: Family, counter: Counter, toCount: (messages: number) => number): Family {
  const find = (labels: readonly Label[]) => {
    const [measure, series] = [family.find(labels), counter.series(labels)];
    return (seconds: number, span: SpanContext, messages: number) => {
      measure(seconds, span, messages);
      series.add(toCount(messages));
    };
  };
  return { ...family, find };
}

/** Found series that are remembered for one kind of span: answers of a few statuses. */
const maxFound = 8;

/** Finds what measures a span by its own labels; those of its kind, in `shared`, stay. */
function createLastFound(family: Family, shared: Attributes): (span: RoleSpan) => ReturnType<Family["find"]> {
  const own = family.labels.filter((name) => !(name in shared));
  const found: { values: (AttributeValue | undefined)[]; measure: ReturnType<Family["find"]> }[] = [];
  return (span) => {
    for (const { values, measure } of found) if (hasValues(span, own, values)) return measure;
    const measure = family.find(labelsOf(family, span.attributes));
    found.unshift({ values: own.map((name) => span.own(name)), measure });
    found.splice(maxFound);
    return measure;
  };
}

function hasValues(span: RoleSpan, names: readonly string[], values: readonly unknown[]): boolean {
  for (let at = 0; at < names.length; at++) if (span.own(names[at] ?? "") !== values[at]) return false;
  return true;
}

function isRequest(kind: SpanKind, attributes: Attributes): boolean {
  return kind === SpanKind.SERVER && key.httpRequestMethod in attributes;
}

/** Of a receive. */
function countOf(attributes: Attributes): number {
  return Number(attributes[key.messagingBatchMessageCount] ?? 1);
}

function labelsOf({ labels, errorOf }: Family, attributes: Attributes): Label[] {
  return labels.map((name) => {
    if (name === key.httpRequestMethod) return methodOf(attributes);
    const label = labelOf(attributes[name]);
    return name === key.errorType ? errorOf(label) : label;
  });
}

interface ActiveRequests {
  labels: [Label, Label];
  count: number;
}

/** Requests that have begun and not ended. */
function createActiveRequests(meter: Meter): { of(attributes: Attributes): ActiveRequests } {
  const all = new Map<string, ActiveRequests>();
  meter.observe(instruments.httpServerActive, (observe) => {
    for (const { labels, count } of all.values()) observe(count, ...labels);
  });
  return {
    of: (attributes) => {
      const labels: [Label, Label] = [methodOf(attributes), labelOf(attributes[key.urlScheme])];
      const id = labels.join("\n");
      const known = all.get(id) ?? { labels, count: 0 };
      all.set(id, known);
      return known;
    },
  };
}

/** What an attempt or a call of ours can end with. */
const fixedErrorTypes = [...attemptOutcomes, ...Object.keys(meanings)];

function createErrorTypes(): (given: Label) => Label {
  return createBoundedLabel({ max: maxErrorTypes, rest: other, fixed: fixedErrorTypes });
}

function methodOf(attributes: Attributes): string {
  return knownMethod(String(attributes[key.httpRequestMethod]));
}

function labelOf(value: AttributeValue | undefined): Label {
  return typeof value === "string" || typeof value === "number" ? value : undefined;
}
