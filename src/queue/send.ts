/** Sends messages: each with a PRODUCER span of its own, whose context it carries, and which ends with its result. */

import type { Attributes, Span } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { type Carrier, toCarrier } from "../telemetry/context/propagation.ts";
import { key } from "../telemetry/names.ts";
import { markFailed } from "../telemetry/spans/tracing.ts";
import { createBatcher, createResults } from "./batcher.ts";
import type { Entry, SqsCalls } from "./calls.ts";
import type { MessagingSpans } from "./messaging-spans.ts";
import type { OutgoingMessage, Queue, Sending } from "./queue.ts";

/** SQS: attributes on one message. */
const maxAttributes = 10;

interface Outgoing extends Entry {
  bytes: number;
  span: Span;
}

export function createSend(calls: SqsCalls, spans: MessagingSpans, clock: Clock): Queue["send"] {
  const noteId = ({ span }: Outgoing, messageId: string): void => {
    span.setAttribute(key.messagingMessageId, messageId);
  };

  const batcher = createBatcher<Outgoing>({
    clock,
    bytesOf: ({ bytes }) => bytes,
    call: (entries) => calls.batch("SendMessageBatch", entries, noteId),
    onResult: ({ span }, result) => {
      if (result.kind === "failed") markFailed(span, { type: result.error.code, message: result.error.message });
      span.end();
    },
  });

  const prepare = ({ message, context, span: given }: Sending): Outgoing => {
    const attributes: Attributes = { [key.messagingMessageBodySize]: Buffer.byteLength(message.body) };
    if (message.correlationId) attributes[key.messagingMessageConversationId] = message.correlationId;
    const { span, context: sent } = spans.send.start(context, { attributes, links: given?.links ?? [] });
    if (given?.attributes) span.setAttributes(given.attributes);
    const json = writeMessage(message, toCarrier(sent));
    // A little more than SQS counts, for what JSON escapes.
    return { json, bytes: Buffer.byteLength(json), span };
  };

  return (sendings) => {
    const results = createResults(sendings.length);
    for (const [index, sending] of sendings.entries()) batcher.put(prepare(sending), index, results);
    return results.all;
  };
}

function writeMessage(message: OutgoingMessage, carrier: Carrier): string {
  const { body, delayMs = 0 } = message;
  const delay = delayMs > 0 ? `,"DelaySeconds":${Math.ceil(delayMs / 1000)}` : "";
  return `"MessageBody":${JSON.stringify(body)},"MessageAttributes":{${writeAttributes(message, carrier)}}${delay}`;
}

/** The message's own and its trace context, and in the places that are left what it only keeps. SQS takes no empty ones. */
function writeAttributes({ attributes, kept }: OutgoingMessage, carrier: Carrier): string {
  let json = "";
  let room = maxAttributes;
  const write = (name: string, value: string | undefined): void => {
    if (!value || room === 0) return;
    room -= 1;
    json += `${json === "" ? "" : ","}${JSON.stringify(name)}:{"DataType":"String","StringValue":${JSON.stringify(value)}}`;
  };
  for (const name in attributes) if (!(name in carrier)) write(name, attributes[name]);
  for (const name in carrier) write(name, carrier[name]);
  for (const name in kept) if (!(name in attributes || name in carrier)) write(name, kept[name]);
  return json;
}
