/** Deletes and hides messages. Each call is housekeeping: it has a trace of its own, linked to what sent its messages. */

import type { Clock } from "../limits/clock.ts";
import { key } from "../telemetry/names.ts";
import type { PreparedSpan } from "../telemetry/spans/prepared-span.ts";
import { housekeeping, markFailed } from "../telemetry/spans/tracing.ts";
import { toFailure } from "../words/errors.ts";
import { type Batcher, createBatcher, createResults } from "./batcher.ts";
import type { Entry, SqsCalls } from "./calls.ts";
import { linksTo, type MessagingSpans } from "./messaging-spans.ts";
import type { Queue, ReceivedMessage } from "./queue.ts";

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
