/**
 * What becomes of a message once its task's fate is committed: it is deleted, made visible again, or sent on to the dead
 * letters and only then deleted. A settle that fails is repeated by the next delivery, whose claim finds the task as it
 * was left.
 */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../../limits/clock.ts";
import { attributeNames, keptAttributes } from "../../queue/envelope.ts";
import {
  maxDelayMs,
  type OutgoingMessage,
  type Queues,
  type ReceivedMessage,
  type Settling,
} from "../../queue/queue.ts";
import { ownKey } from "../../telemetry/names.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { createTrouble } from "../../telemetry/trouble.ts";
import type { Verdict } from "../../words/retry.ts";
import type { DeadReason, TaskRecord } from "../../words/task.ts";

export interface SettlementDeps {
  queues: Queues;
  telemetry: Telemetry;
  clock: Clock;
}

export interface Settlement {
  /** Settles the message as the verdict on its task says. */
  carryOut(verdict: Verdict, message: ReceivedMessage, task: TaskRecord, context: Context): Promise<void>;
  /** Sends the message on to the dead-letter queue. `attempts`: that were begun. Rejects when that could not be done. */
  bury(message: ReceivedMessage, attempts: number, reason: DeadReason, context: Context): Promise<void>;
  /** Hides the message for so long, or for as long as the queue can; at 0 another worker may have it at once. Never rejects. */
  hide(message: ReceivedMessage, delayMs: number): Promise<void>;
  /** Never rejects. */
  delete(message: ReceivedMessage): Promise<void>;
}

export function createSettlement({ queues, telemetry, clock }: SettlementDeps): Settlement {
  const queue = queues.tasks;
  const trouble = createTrouble({
    log: telemetry.log,
    nowMs: () => clock.monotonicMs(),
    msg: "settling a message failed",
    over: "messages are settled again",
  });

  const settle = async (settling: Settling): Promise<void> => {
    const [result] = await queue.settle([settling]);
    if (result?.kind === "failed") trouble.met({ error: result.error });
    else trouble.passed();
  };

  const hide = (message: ReceivedMessage, delayMs: number): Promise<void> =>
    settle({ message, hideMs: Math.min(Math.max(0, delayMs), maxDelayMs) });

  const remove = (message: ReceivedMessage): Promise<void> => settle({ message, hideMs: null });

  const bury: Settlement["bury"] = async (message, attempts, reason, buried) => {
    const context = telemetry.keep(buried);
    const { traceparent } = message.attributes;
    const letter: OutgoingMessage = {
      body: message.body,
      attributes: {
        [attributeNames.deadReason]: reason,
        [attributeNames.sourceQueue]: queue.name,
        ...(traceparent && { [attributeNames.sourceTraceparent]: traceparent }),
      },
      kept: keptAttributes(message.attributes),
      correlationId: message.attributes[attributeNames.correlationId],
    };
    const attributes = {
      [ownKey.deadReason]: reason,
      [ownKey.deadSourceQueue]: queue.name,
      [ownKey.attempts]: attempts,
    };
    const [sent] = await queues.deadLetters.send([{ message: letter, context, span: { attributes } }]);
    if (sent?.kind === "failed") throw sent.error;
    await remove(message);
  };

  const carryOut: Settlement["carryOut"] = async (verdict, message, task, context) => {
    switch (verdict.kind) {
      case "drop":
        return;
      case "succeed":
      case "cancel":
        return remove(message);
      case "retry":
        // A longer wait than the queue can keep is the sweeper's.
        return verdict.delayMs > maxDelayMs ? remove(message) : hide(message, verdict.delayMs);
      case "return":
        return hide(message, 0);
      case "bury":
        return bury(message, task.attempt, verdict.reason, context);
    }
  };

  return { carryOut, bury, hide, delete: remove };
}
