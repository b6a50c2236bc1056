/**
 * What becomes of messages once their tasks' fates are committed: each is deleted, made visible again, or sent on to the
 * dead letters and only then deleted. A settle that fails is repeated by the next delivery, whose claim finds the task as
 * it was left.
 */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../../limits/clock.ts";
import { attributeNames, keptAttributes } from "../../queue/envelope.ts";
import { maxDelayMs, type Queue, type Queues, type ReceivedMessage, type Settling } from "../../queue/queue.ts";
import { ownKey } from "../../telemetry/names.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { createTrouble, type Trouble } from "../../telemetry/trouble.ts";
import type { TaskError } from "../../words/errors.ts";
import type { Verdict } from "../../words/retry.ts";
import type { DeadReason, TaskRecord } from "../../words/task.ts";

export type Fate =
  | { kind: "delete" }
  /** For so long, or for as long as the queue can; at 0 another worker may have it at once. */
  | { kind: "hide"; delayMs: number }
  /** It goes to the dead-letter queue. `attempts`: that were begun. */
  | { kind: "bury"; attempts: number; reason: DeadReason };

export interface Unsettled {
  message: ReceivedMessage;
  context: Context;
  fate: Fate;
}

type Burial = Unsettled & { fate: { kind: "bury" } };

/** What the verdict on a task means for its message. */
export function toFate(verdict: Exclude<Verdict, { kind: "drop" }>, task: TaskRecord): Fate {
  switch (verdict.kind) {
    case "succeed":
    case "cancel":
      return { kind: "delete" };
    case "retry":
      // A longer wait than the queue can keep is the sweeper's.
      return verdict.delayMs > maxDelayMs ? { kind: "delete" } : { kind: "hide", delayMs: verdict.delayMs };
    case "return":
      return { kind: "hide", delayMs: 0 };
    case "bury":
      return { kind: "bury", attempts: task.attempt, reason: verdict.reason };
  }
}

export interface SettlementDeps {
  queues: Queues;
  telemetry: Telemetry;
  clock: Clock;
}

export class Settlement {
  readonly #queue: Queue;
  readonly #deadLetters: Queue;
  readonly #telemetry: Telemetry;
  readonly #trouble: Trouble;

  constructor({ queues, telemetry, clock }: SettlementDeps) {
    this.#queue = queues.tasks;
    this.#deadLetters = queues.deadLetters;
    this.#telemetry = telemetry;
    this.#trouble = createTrouble({
      log: telemetry.log,
      nowMs: () => clock.monotonicMs(),
      msg: "settling a message failed",
      over: "messages are settled again",
    });
  }

  /** Never rejects; gives the errors of those that could not be buried. */
  async settle(unsettled: readonly Unsettled[]): Promise<ReadonlyMap<ReceivedMessage, TaskError>> {
    const burials = unsettled.filter(isBurial);
    const settlings = unsettled.flatMap(({ message, fate }) =>
      fate.kind === "bury" ? [] : { message, hideMs: fate.kind === "delete" ? null : fate.delayMs },
    );
    const [unburied] = await Promise.all([this.#bury(burials), this.#apply(settlings)]);
    return unburied;
  }

  /** Hides messages, for as long as the queue can at most. Never rejects. */
  async hide(messages: readonly ReceivedMessage[], delayMs: number): Promise<void> {
    await this.#apply(messages.map((message) => ({ message, hideMs: delayMs })));
  }

  async #apply(settlings: readonly Settling[]): Promise<void> {
    if (settlings.length === 0) return;
    const bounded = settlings.map(({ message, hideMs }) => ({
      message,
      hideMs: hideMs === null ? null : Math.min(Math.max(0, hideMs), maxDelayMs),
    }));
    const results = await this.#queue.settle(bounded);
    const failures = results.filter(({ kind }) => kind === "failed");
    for (const result of results) if (result.kind === "failed") this.#trouble.met({ error: result.error });
    if (failures.length === 0) this.#trouble.passed();
  }

  async #bury(burials: readonly Burial[]): Promise<ReadonlyMap<ReceivedMessage, TaskError>> {
    const unburied = new Map<ReceivedMessage, TaskError>();
    if (burials.length === 0) return unburied;
    const results = await this.#deadLetters.send(burials.map((burial) => this.#toSending(burial)));
    const buried: Settling[] = [];
    for (const [index, { message }] of burials.entries()) {
      const result = results[index];
      if (result?.kind === "failed") unburied.set(message, result.error);
      else buried.push({ message, hideMs: null });
    }
    await this.#apply(buried);
    return unburied;
  }

  #toSending({ message, context, fate }: Burial) {
    const { traceparent } = message.attributes;
    return {
      message: {
        body: message.body,
        attributes: {
          [attributeNames.deadReason]: fate.reason,
          [attributeNames.sourceQueue]: this.#queue.name,
          ...(traceparent && { [attributeNames.sourceTraceparent]: traceparent }),
        },
        kept: keptAttributes(message.attributes),
        correlationId: message.attributes[attributeNames.correlationId],
      },
      context: this.#telemetry.keep(context),
      span: {
        attributes: {
          [ownKey.deadReason]: fate.reason,
          [ownKey.deadSourceQueue]: this.#queue.name,
          [ownKey.attempts]: fate.attempts,
        },
      },
    };
  }
}

function isBurial(unsettled: Unsettled): unsettled is Burial {
  return unsettled.fate.kind === "bury";
}
