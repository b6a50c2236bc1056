/**
 * How messages come in: as many as there are places for, which are reserved before they are asked for, so that no message
 * waits in this role while another one is idle. One poll waits for messages; while it brings as many as one receive can,
 * further ones help, until one of them finds none.
 */

import type { Clock } from "../../limits/clock.ts";
import type { Queue, ReceivedMessage } from "../../queue/queue.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { createTrouble, type Trouble } from "../../telemetry/trouble.ts";
import { toTaskError } from "../../words/errors.ts";
import type { Intake } from "./intake.ts";

export interface ReceiverDeps {
  queue: Pick<Queue, "receive">;
  intake: Intake;
  clock: Clock;
  log: Logger;
  /** Messages are hidden from others for this long. */
  visibilityMs: number;
  /** While it is so, nothing is received. */
  isPaused(): boolean;
  /** Takes what one receive brought. Each message has a place, to be used or released. Never rejects. */
  take(messages: readonly ReceivedMessage[]): Promise<void>;
  /** Takes what came in a drain, and has no place. Never rejects. */
  giveBack(messages: readonly ReceivedMessage[]): Promise<unknown>;
  /** Log messages when receives fail, and when they succeed again. */
  lines?: { failed: string; over: string };
}

/** SQS's longest. */
const pollMs = 20_000;
/** SQS: messages in one receive. */
const maxMessages = 10;
/** What one worker can use: ten messages every few milliseconds from each. */
const maxPolls = 8;
const errorPauseMs = 1000;
const usualLines = { failed: "receive failed", over: "messages are received again" };
/**
 * A poll that is under way when a drain begins gets this long: cut at once, it would take the messages with it that the
 * broker is just giving, hidden until their visibility ends.
 */
const lastPollMs = 250;

export class Receiver {
  readonly #deps: ReceiverDeps;
  readonly #trouble: Trouble;
  /** Batches that are not done with. */
  readonly #taken = new Set<Promise<unknown>>();

  constructor(deps: ReceiverDeps) {
    const { log, clock, lines = usualLines } = deps;
    this.#deps = deps;
    this.#trouble = createTrouble({ log, nowMs: () => clock.monotonicMs(), msg: lines.failed, over: lines.over });
  }

  /** Receives until `draining` aborts. */
  async loop(draining: AbortSignal): Promise<void> {
    const { intake, clock } = this.#deps;
    const polling = abortedLater(draining, lastPollMs);
    const helpers = new Set<Promise<void>>();
    while (!draining.aborted) {
      await intake.whenFree(draining);
      if (this.#deps.isPaused()) await clock.sleep(errorPauseMs, draining);
      else if (!draining.aborted && intake.free() > 0) {
        const count = await this.#receive(pollMs, draining, polling);
        if (count === maxMessages && helpers.size < maxPolls - 1) {
          const helper = this.#help(draining, polling).finally(() => helpers.delete(helper));
          helpers.add(helper);
        }
      }
    }
    await Promise.all(helpers);
  }

  /** Resolves when `take` and `giveBack` are done with everything that came. */
  async done(): Promise<void> {
    await Promise.all(this.#taken);
  }

  async #help(draining: AbortSignal, polling: AbortSignal): Promise<void> {
    while (!draining.aborted && !this.#deps.isPaused() && this.#deps.intake.free() > 0) {
      if ((await this.#receive(0, draining, polling)) === 0) return;
    }
  }

  /** Gives how many messages came. */
  async #receive(waitMs: number, draining: AbortSignal, polling: AbortSignal): Promise<number> {
    const { queue, intake, clock, visibilityMs } = this.#deps;
    const max = Math.min(maxMessages, intake.free());
    let unused = max;
    intake.reserve(max);
    try {
      const messages = await queue.receive({ max, waitMs, visibilityMs, signal: polling });
      this.#trouble.passed();
      if (messages.length === 0) return 0;
      if (draining.aborted) {
        this.#track(this.#deps.giveBack(messages));
        return 0;
      }
      unused -= messages.length;
      this.#track(this.#deps.take(messages));
      return messages.length;
    } catch (error) {
      this.#trouble.met({ error: toTaskError(error) });
      await clock.sleep(errorPauseMs, draining);
      return 0;
    } finally {
      intake.release(unused);
    }
  }

  #track(work: Promise<unknown>): void {
    const done = work.finally(() => this.#taken.delete(done));
    this.#taken.add(done);
  }
}

/** Aborts `delayMs` after `signal`. */
function abortedLater(signal: AbortSignal, delayMs: number): AbortSignal {
  const later = new AbortController();
  signal.addEventListener("abort", () => setTimeout(() => later.abort(), delayMs), { once: true });
  return later.signal;
}
