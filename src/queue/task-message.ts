/** The message that says "look at this task now": what the task service sends first, and a sweep or a redrive again. */

import type { DueTask } from "../store/ports/sends.ts";
import { ownKey } from "../telemetry/names.ts";
import { attributeNames, encodeTask } from "./envelope.ts";
import type { OutgoingMessage, SendSpan } from "./queue.ts";

export function toTaskMessage({ id, type, correlationId, redrivenAtMs }: DueTask): OutgoingMessage {
  const attributes: OutgoingMessage["attributes"] = {
    [attributeNames.correlationId]: correlationId,
    [attributeNames.taskType]: type,
  };
  if (redrivenAtMs !== null) attributes[attributeNames.redrivenAt] = new Date(redrivenAtMs).toISOString();
  return { body: encodeTask({ taskId: id, type }), attributes, correlationId };
}

/** What the span of that send carries. */
export function sendSpanOf({ id, type }: DueTask): SendSpan {
  return { attributes: { [ownKey.taskId]: id, [ownKey.taskType]: type } };
}
