/**
 * The queue port, in the words of SQS. One implementation, the SQS client, against any endpoint: the embedded broker,
 * ElasticMQ and AWS pass the same suite in tests/conformance.
 */

import type { Attributes, Context, Link } from "@opentelemetry/api";
import type { EntryResult } from "../words/entry-result.ts";

export interface OutgoingMessage {
  body: string;
  /** String attributes besides trace context, which `send` adds: up to 4 more. With them, at most 10. */
  attributes: Record<string, string>;
  /** Attributes that the message came with and keeps, as far as there is room among the 10; the first ones first. */
  kept?: Record<string, string>;
  correlationId: string | undefined;
  /** Invisible for this long; at most 15 minutes. */
  delayMs?: number;
}

export interface ReceivedMessage {
  id: string;
  /** Names this delivery; asked for by `settle`. */
  receipt: string;
  body: string;
  attributes: Record<string, string>;
  /** How many times it has been received, this one included. */
  receiveCount: number;
  /** When it was sent, by the broker's clock. */
  sentAtMs: number;
}

export interface QueueDepth {
  visible: number;
  inFlight: number;
  delayed: number;
}

interface ReceiveRequest {
  /** 1 to 10. */
  max: number;
  /** How long to wait for a first message; at most 20 seconds. */
  waitMs: number;
  /** The messages are hidden from others for this long. */
  visibilityMs: number;
  signal: AbortSignal;
}

export interface SendSpan {
  attributes?: Attributes;
  links?: Link[];
}

export interface Sending {
  message: OutgoingMessage;
  context: Context;
  span?: SendSpan;
}

export interface Settling {
  message: ReceivedMessage;
  /** Null: delete it. Else it is visible again after so long, rounded up to whole seconds; 0: now. */
  hideMs: number | null;
}

export interface Queue {
  name: string;
  /** What every messaging span of this queue carries. */
  spanAttributes: Attributes;
  /**
   * Resolves when the broker has confirmed or refused each message; never rejects. One result for each, in their order.
   * Makes a PRODUCER span for each, whose context the message carries.
   */
  send(sendings: readonly Sending[]): Promise<EntryResult<void>[]>;
  receive(request: ReceiveRequest): Promise<ReceivedMessage[]>;
  /**
   * Deletes and hides; never rejects. One result for each, in their order. They leave with the turn and are tried again
   * by themselves, whether their caller waits or not: one that has other work need not, and one that ends waits. A
   * message whose settling failed comes again when its visibility ends.
   */
  settle(settlings: readonly Settling[]): Promise<EntryResult<void>[]>;
  depth(): Promise<QueueDepth>;
}

/** The longest that SQS keeps a message hidden by a delay. Longer waits are the sweeper's. */
export const maxDelayMs = 15 * 60_000;

/** The two queues of a deployment. */
export interface Queues {
  tasks: Queue;
  deadLetters: Queue;
  close(): void;
}
