/** The messaging spans of one queue: each kind with what all of its spans have. */

import { type Attributes, SpanKind, type Tracer } from "@opentelemetry/api";
import { key } from "../telemetry/names.ts";
import { type PreparedSpan, prepareSpan } from "../telemetry/spans/prepared-span.ts";

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
