/** What the span `process …` of a delivery carries, in the worker as in the dead-letter processor. */

import type { Attributes } from "@opentelemetry/api";
import { key, ownKey } from "../telemetry/names.ts";
import { attributeNames } from "./envelope.ts";
import type { Queue, ReceivedMessage } from "./queue.ts";

export function processAttributes(queue: Queue, message: ReceivedMessage, nowMs: number): Attributes {
  const correlationId = message.attributes[attributeNames.correlationId];
  return {
    ...queue.spanAttributes,
    [key.messagingOperationName]: "process",
    [key.messagingOperationType]: "process",
    [key.messagingMessageId]: message.id,
    [key.messagingMessageBodySize]: message.body.length,
    ...(correlationId && {
      [key.messagingMessageConversationId]: correlationId,
      [ownKey.correlationId]: correlationId,
    }),
    [ownKey.receiveCount]: message.receiveCount,
    [ownKey.queueWaitMs]: Math.max(0, nowMs - message.sentAtMs),
  };
}
