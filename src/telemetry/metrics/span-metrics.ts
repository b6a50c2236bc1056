/**
 * The metrics of the conventions for HTTP, RPC, messaging and databases, measured in one place: on our own spans, as they
 * end. So a span and its metric carry the same `error.type`, last equally long, and are written once. A span that
 * is not sampled counts like any other.
 */

import { type Attributes, type AttributeValue, SpanKind } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { meanings } from "../../words/errors.ts";
import { attemptOutcomes } from "../../words/task.ts";
import { key } from "../names.ts";
import { knownMethod, other } from "../spans/attributes.ts";
import { instruments } from "./instruments.ts";
import type { Histogram, Meter } from "./meter.ts";
import { createBoundedLabel, type Label } from "./series.ts";

/** Of each source: the names of errors that handlers make up take no room from those of calls. */
const maxErrorTypes = 100;

export function createSpanMetrics(meter: Meter): SpanProcessor {
  const httpServer = meter.histogram(instruments.httpServerDuration);
  const rpcServer = meter.histogram(instruments.rpcServerDuration);
  const rpcClient = meter.histogram(instruments.rpcClientDuration);
  const database = meter.histogram(instruments.databaseDuration);
  const messaging = meter.histogram(instruments.messagingDuration);
  const processing = meter.histogram(instruments.messagingProcessDuration);
  const sent = meter.counter(instruments.messagesSent);
  const consumed = meter.counter(instruments.messagesConsumed);
  const active = createActiveRequests(meter);
  const httpErrorOf = createErrorTypes();
  const rpcErrorOf = createErrorTypes();
  const databaseErrorOf = createErrorTypes();
  const messagingErrorOf = createErrorTypes();

  const measureHttp = (span: ReadableSpan): void => {
    const { attributes } = span;
    active.ended(attributes);
    httpServer.record(
      secondsOf(span),
      span.spanContext(),
      methodOf(attributes),
      labelOf(attributes[key.urlScheme]),
      labelOf(attributes[key.httpRoute]),
      labelOf(attributes[key.httpResponseStatusCode]),
      httpErrorOf(attributes),
      labelOf(attributes[key.networkProtocolVersion]),
    );
  };

  const measureRpc = (histogram: Histogram, span: ReadableSpan): void => {
    const { attributes } = span;
    histogram.record(
      secondsOf(span),
      span.spanContext(),
      labelOf(attributes[key.rpcSystemName]),
      labelOf(attributes[key.rpcMethod]),
      labelOf(attributes[key.rpcStatusCode]),
      rpcErrorOf(attributes),
      labelOf(attributes[key.serverAddress]),
      labelOf(attributes[key.serverPort]),
    );
  };

  const measureDatabase = (span: ReadableSpan): void => {
    const { attributes } = span;
    database.record(
      secondsOf(span),
      span.spanContext(),
      labelOf(attributes[key.dbSystemName]),
      labelOf(attributes[key.dbNamespace]),
      labelOf(attributes[key.dbCollectionName]),
      labelOf(attributes[key.dbOperationName]),
      labelOf(attributes[key.dbResponseStatusCode]),
      databaseErrorOf(attributes),
      labelOf(attributes[key.serverAddress]),
    );
  };

  const measureMessaging = (span: ReadableSpan): void => {
    const { attributes } = span;
    const operation = attributes[key.messagingOperationName];
    const labels: Label[] = [
      labelOf(attributes[key.messagingSystemName]),
      labelOf(operation),
      labelOf(attributes[key.messagingOperationType]),
      labelOf(attributes[key.messagingDestinationName]),
      messagingErrorOf(attributes),
    ];
    const histogram = operation === "process" ? processing : messaging;
    histogram.record(secondsOf(span), span.spanContext(), ...labels);
    if (operation === "send") sent.add(1, ...labels);
    if (operation === "receive") consumed.add(Number(attributes[key.messagingBatchMessageCount] ?? 1), ...labels);
  };

  return {
    onStart: ({ kind, attributes }) => {
      if (kind === SpanKind.SERVER && key.httpRequestMethod in attributes) active.began(attributes);
    },
    onEnd: (span) => {
      const { kind, attributes } = span;
      // Stages of our own, such as a handler's run, are measured by the roles (task-metrics.ts).
      if (kind === SpanKind.INTERNAL) return;
      if (key.messagingSystemName in attributes) measureMessaging(span);
      else if (key.dbSystemName in attributes) measureDatabase(span);
      else if (key.rpcSystemName in attributes) measureRpc(kind === SpanKind.SERVER ? rpcServer : rpcClient, span);
      else if (kind === SpanKind.SERVER && key.httpRequestMethod in attributes) measureHttp(span);
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  };
}

/** Requests that have begun and not ended. */
function createActiveRequests(meter: Meter) {
  const counts = new Map<string, { labels: [Label, Label]; count: number }>();
  const change = (attributes: Attributes, by: 1 | -1): void => {
    const labels: [Label, Label] = [methodOf(attributes), labelOf(attributes[key.urlScheme])];
    const id = labels.join("\n");
    const kept = counts.get(id) ?? { labels, count: 0 };
    kept.count += by;
    counts.set(id, kept);
  };
  meter.observe(instruments.httpServerActive, (observe) => {
    for (const { labels, count } of counts.values()) observe(count, ...labels);
  });
  return {
    began: (attributes: Attributes): void => change(attributes, 1),
    ended: (attributes: Attributes): void => change(attributes, -1),
  };
}

/** What an attempt or a call of ours can end with. */
const fixedErrorTypes = [...attemptOutcomes, ...Object.keys(meanings)];

function createErrorTypes(): (attributes: Attributes) => Label {
  const bounded = createBoundedLabel({ max: maxErrorTypes, rest: other, fixed: fixedErrorTypes });
  return (attributes) => bounded(labelOf(attributes[key.errorType]));
}

function methodOf(attributes: Attributes): string {
  return knownMethod(String(attributes[key.httpRequestMethod]));
}

function labelOf(value: AttributeValue | undefined): Label {
  return typeof value === "string" || typeof value === "number" ? value : undefined;
}

function secondsOf({ duration: [seconds, nanos] }: ReadableSpan): number {
  return seconds + nanos / 1e9;
}
