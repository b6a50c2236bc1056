/** The span `process …` of a delivery, in the worker as in the dead-letter processor. */

import { type Attributes, SpanKind } from "@opentelemetry/api";
import { key, ownKey } from "../telemetry/names.ts";
import type { SpanForm } from "../telemetry/spans/prepared-span.ts";
import { attributeNames } from "./envelope.ts";
import type { Queue, ReceivedMessage } from "./queue.ts";

/** What all of a queue have. */
export function processForm({ name, spanAttributes }: Queue, attributes: Attributes = {}): SpanForm {
  const operation = { [key.messagingOperationName]: "process", [key.messagingOperationType]: "process" };
  return {
    name: `process ${name}`,
    kind: SpanKind.CONSUMER,
    attributes: { ...spanAttributes, ...operation, ...attributes },
  };
}

/** What that of one delivery has besides. */
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
