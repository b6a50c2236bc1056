/**
 * Receives messages, and deletes or hides them. Each call is housekeeping: it has a trace of its own, linked to what sent
 * its messages; an idle poll has none. A broker that is away is asked for messages all the same: the loops that receive
 * pause by themselves.
 */

import type { Message } from "@aws-sdk/client-sqs";
import type { Link } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { fromCarrier, spanContextOf } from "../telemetry/context/propagation.ts";
import { key } from "../telemetry/names.ts";
import type { PreparedSpan } from "../telemetry/spans/prepared-span.ts";
import { preciseNowMs, toHrTime } from "../telemetry/spans/span-start.ts";
import { housekeeping, markFailed } from "../telemetry/spans/tracing.ts";
import { toFailure } from "../words/errors.ts";
import { type Batcher, createBatcher, createResults } from "./batcher.ts";
import type { Entry, SqsCalls } from "./calls.ts";
import type { MessagingSpans } from "./messaging-spans.ts";
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

interface Settled extends Entry {
  message: ReceivedMessage;
}

type Action = "DeleteMessageBatch" | "ChangeMessageVisibilityBatch";

export function createSettle(calls: SqsCalls, spans: MessagingSpans, clock: Clock): Queue["settle"] {
  const batcherOf = (action: Action, kind: PreparedSpan): Batcher<Settled> => {
    const call = async (entries: readonly Settled[]) => {
      const attributes = { [key.messagingBatchMessageCount]: entries.length };
      const { span } = kind.start(housekeeping, { attributes, links: linksTo(entries.map(({ message }) => message)) });
      try {
        return await calls.batch(action, entries);
      } catch (error) {
        markFailed(span, toFailure(error));
        throw error;
      } finally {
        span.end();
      }
    };
    return createBatcher({ clock, bytesOf: () => 0, call });
  };
  const deletes = batcherOf("DeleteMessageBatch", spans.delete);
  const hides = batcherOf("ChangeMessageVisibilityBatch", spans.changeVisibility);

  return (settlings) => {
    const results = createResults(settlings.length);
    for (const [index, { message, hideMs }] of settlings.entries()) {
      const receipt = `"ReceiptHandle":${JSON.stringify(message.receipt)}`;
      if (hideMs === null) deletes.put({ message, json: receipt }, index, results);
      else {
        const json = `${receipt},"VisibilityTimeout":${Math.ceil(hideMs / 1000)}`;
        hides.put({ message, json }, index, results);
      }
    }
    return results.all;
  };
}

/**
 * Links to the spans that sent the messages, each with its message's id: on a span of several messages, what differs from
 * one to another is an attribute of its link (semantic conventions, "Messaging spans").
 */
function linksTo(messages: readonly ReceivedMessage[]): Link[] {
  const links: Link[] = [];
  for (const { id, attributes } of messages) {
    const context = spanContextOf(fromCarrier(attributes));
    if (context) links.push({ context, attributes: { [key.messagingMessageId]: id } });
  }
  return links;
}
