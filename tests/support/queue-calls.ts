/** Calls of the queue port with one message at a time; each rejects with what its entry failed with. */

import { type Context, ROOT_CONTEXT } from "@opentelemetry/api";
import type { OutgoingMessage, Queue, ReceivedMessage, SendSpan } from "../../src/queue/queue.ts";
import { onlyValue } from "../../src/words/entry-result.ts";

export async function sendOne(
  queue: Queue,
  message: OutgoingMessage,
  context: Context = ROOT_CONTEXT,
  span: SendSpan = {},
): Promise<void> {
  onlyValue(await queue.send([{ message, context, span }]));
}

export async function deleteOne(queue: Queue, message: ReceivedMessage): Promise<void> {
  onlyValue(await queue.settle([{ message, hideMs: null }]));
}

export async function hideOne(queue: Queue, message: ReceivedMessage, hideMs: number): Promise<void> {
  onlyValue(await queue.settle([{ message, hideMs }]));
}
