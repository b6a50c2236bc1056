/** The span `process …` of a delivery, in the worker as in the dead-letter processor. */

import { type Attributes, SpanKind, type Tracer } from "@opentelemetry/api";
import { key, ownKey } from "../telemetry/names.ts";
import { type PreparedSpan, prepareSpan } from "../telemetry/spans/prepared-span.ts";
import { attributeNames } from "./envelope.ts";
import type { Queue, ReceivedMessage } from "./queue.ts";

/** What all of a role have in common; `more`: what is the role's own. */
export function prepareProcessSpan(tracer: Tracer, queue: Queue, more: Attributes = {}): PreparedSpan {
  const operation = { [key.messagingOperationName]: "process", [key.messagingOperationType]: "process" };
  const attributes = { ...queue.spanAttributes, ...operation, ...more };
  return prepareSpan(tracer, { name: `process ${queue.name}`, kind: SpanKind.CONSUMER, attributes });
}

/** What each has of its message. */
export function processAttributes(message: ReceivedMessage, nowMs: number): Attributes {
  const correlationId = message.attributes[attributeNames.correlationId];
  const attributes: Attributes = {
    [key.messagingMessageId]: message.id,
    [key.messagingMessageBodySize]: message.body.length,
    [ownKey.receiveCount]: message.receiveCount,
    [ownKey.queueWaitMs]: Math.max(0, nowMs - message.sentAtMs),
  };
  if (correlationId) {
    attributes[key.messagingMessageConversationId] = correlationId;
    attributes[ownKey.correlationId] = correlationId;
  }
  return attributes;
}
