/** The messaging spans of one queue: each kind with what all of its spans have. */

import { type Attributes, type Link, SpanKind, type Tracer } from "@opentelemetry/api";
import { fromCarrier, spanContextOf } from "../telemetry/context/propagation.ts";
import { key } from "../telemetry/names.ts";
import { type PreparedSpan, prepareSpan } from "../telemetry/spans/prepared-span.ts";
import type { ReceivedMessage } from "./queue.ts";

export interface MessagingSpans {
  /** What all of them have. */
  attributes: Attributes;
  send: PreparedSpan;
  receive: PreparedSpan;
  delete: PreparedSpan;
  changeVisibility: PreparedSpan;
}

export function prepareMessagingSpans(
  tracer: Tracer,
  queue: { name: string; url: string; endpoint: string | undefined },
): MessagingSpans {
  const { protocol, hostname, port } = new URL(queue.endpoint ?? queue.url);
  const common: Attributes = Object.freeze({
    [key.messagingSystemName]: "aws.sqs",
    [key.messagingDestinationName]: queue.name,
    [key.sqsQueueUrl]: queue.url,
    [key.serverAddress]: hostname,
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  });
  const prepare = (operation: string, type: string, kind = SpanKind.CLIENT): PreparedSpan => {
    const own = { [key.messagingOperationName]: operation, [key.messagingOperationType]: type };
    return prepareSpan(tracer, { name: `${operation} ${queue.name}`, kind, attributes: { ...common, ...own } });
  };
  return {
    attributes: common,
    send: prepare("send", "send", SpanKind.PRODUCER),
    receive: prepare("receive", "receive"),
    delete: prepare("delete", "settle"),
    changeVisibility: prepare("change_visibility", "settle"),
  };
}

/**
 * Links to the spans that sent the messages, each with its message's id: on a span of several messages, what differs from
 * one to another is an attribute of its link (semantic conventions, "Messaging spans").
 */
export function linksTo(messages: readonly ReceivedMessage[]): Link[] {
  const links: Link[] = [];
  for (const { id, attributes } of messages) {
    const context = spanContextOf(fromCarrier(attributes));
    if (context) links.push({ context, attributes: { [key.messagingMessageId]: id } });
  }
  return links;
}
