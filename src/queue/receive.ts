/**
 * Receives messages. A receive that brings some has a trace of its own, linked to what sent them; an idle poll has none.
 * A broker that is away is asked all the same: the loops that receive pause by themselves.
 */

import type { Message } from "@aws-sdk/client-sqs";
import { key } from "../telemetry/names.ts";
import { preciseNowMs, toHrTime } from "../telemetry/spans/span-start.ts";
import { housekeeping } from "../telemetry/spans/tracing.ts";
import type { SqsCalls } from "./calls.ts";
import { linksTo, type MessagingSpans } from "./messaging-spans.ts";
import type { Queue, ReceivedMessage } from "./queue.ts";

/** What every receive asks for. */
const asked =
  '"MessageAttributeNames":["All"],"MessageSystemAttributeNames":["ApproximateReceiveCount","SentTimestamp"]';

export function createReceive(calls: SqsCalls, spans: MessagingSpans): Queue["receive"] {
  return async ({ max, waitMs, visibilityMs, signal }) => {
    const startMs = preciseNowMs();
    const times = `"WaitTimeSeconds":${Math.floor(waitMs / 1000)},"VisibilityTimeout":${Math.ceil(visibilityMs / 1000)}`;
    const found = await calls.receive(`"MaxNumberOfMessages":${max},${times},${asked}`, waitMs, signal);
    if (found.length === 0) return [];
    const messages = found.map(fromMessage);
    const attributes = { [key.messagingBatchMessageCount]: messages.length };
    const { span } = spans.receive.start(housekeeping, { attributes, links: linksTo(messages), startTime: startMs });
    span.end(toHrTime(preciseNowMs()));
    return messages;
  };
}

function fromMessage(message: Message): ReceivedMessage {
  const attributes: Record<string, string> = {};
  const given = message.MessageAttributes;
  for (const name in given) {
    const value = given[name]?.StringValue;
    if (value !== undefined) attributes[name] = value;
  }
  return {
    id: message.MessageId ?? "",
    receipt: message.ReceiptHandle ?? "",
    body: message.Body ?? "",
    attributes,
    receiveCount: Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    sentAtMs: Number(message.Attributes?.SentTimestamp ?? 0),
  };
}
