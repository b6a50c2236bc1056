/**
 * How messages come in: as many as there are seats for in the pool, which are reserved before they are asked for, so
 * that no message waits in this worker while another one is idle. One poller waits for messages; while it gets as many
 * as one receive can bring, further ones help, until one of them finds none.
 */

import type { Clock } from "../../limits/clock.ts";
import type { Queue, ReceivedMessage } from "../../queue/queue.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { createTrouble } from "../../telemetry/trouble.ts";
import { toTaskError } from "../../words/errors.ts";
import type { Seats } from "./seats.ts";

export interface PollersDeps {
  queue: Queue;
  seats: Pick<Seats, "free" | "whenFree" | "reserve" | "release">;
  clock: Clock;
  log: Logger;
  leaseMs: number;
  /** While it is so, nothing is received. */
  isPaused(): boolean;
  /** Of a message that has a seat; resolves when it is done with. */
  handle(message: ReceivedMessage): Promise<void>;
  /** Of one that came in a drain. */
  giveBack(message: ReceivedMessage): Promise<void>;
  onUnhandled(error: unknown): void;
  /** Log messages when receives fail, and when they succeed again. */
  told?: { failed: string; over: string };
}

export interface Pollers {
  /** Receives until `draining` aborts. */
  loop(draining: AbortSignal): Promise<void>;
  /** Resolves when everything that came is done with. */
  done(): Promise<void>;
  /** The message takes its seat: the pool itself counts it from now on. */
  seat(message: ReceivedMessage): void;
}

/** SQS's longest. */
const pollMs = 20_000;
/** SQS: messages in one receive. */
const maxMessages = 10;
/** What one worker can use: ten messages every few milliseconds from each. */
const maxPollers = 8;
const errorPauseMs = 1000;
const usualTold = { failed: "receive failed", over: "messages are received again" };
/**
 * A poll that is under way when a drain begins gets this long: cut at once, it would take the messages with it that the
 * broker is just giving, hidden until their visibility ends.
 */
const lastPollMs = 250;

export function createPollers(deps: PollersDeps): Pollers {
  const { queue, seats, clock, leaseMs, told = usualTold } = deps;
  const handling = new Set<Promise<void>>();
  /** Messages that have a seat reserved in the pool and have not used it. */
  const seated = new WeakSet<ReceivedMessage>();
  const trouble = createTrouble({
    log: deps.log,
    nowMs: () => clock.monotonicMs(),
    msg: told.failed,
    over: told.over,
  });

  const loop = async (draining: AbortSignal): Promise<void> => {
    const polling = abortedLater(draining, lastPollMs);
    const helpers = new Set<Promise<void>>();
    while (!draining.aborted) {
      await seats.whenFree(draining);
      if (deps.isPaused()) await clock.sleep(errorPauseMs, draining);
      else if (!draining.aborted && seats.free() > 0) {
        const count = await receive(pollMs, draining, polling);
        if (count === maxMessages && helpers.size < maxPollers - 1) {
          const helper = help(draining, polling).finally(() => helpers.delete(helper));
          helpers.add(helper);
        }
      }
    }
    await Promise.all(helpers);
  };

  const help = async (draining: AbortSignal, polling: AbortSignal): Promise<void> => {
    while (!draining.aborted && !deps.isPaused() && seats.free() > 0) {
      if ((await receive(0, draining, polling)) === 0) return;
    }
  };

  /** Gives how many messages came. */
  const receive = async (waitMs: number, draining: AbortSignal, polling: AbortSignal): Promise<number> => {
    const max = Math.min(maxMessages, seats.free());
    let unused = max;
    seats.reserve(max);
    try {
      const messages = await queue.receive({ max, waitMs, visibilityMs: leaseMs, signal: polling });
      trouble.passed();
      if (draining.aborted) {
        for (const message of messages) track(deps.giveBack(message));
        return 0;
      }
      unused -= messages.length;
      for (const message of messages) track(handleSeated(message));
      return messages.length;
    } catch (error) {
      trouble.met({ error: toTaskError(error) });
      await clock.sleep(errorPauseMs, draining);
      return 0;
    } finally {
      seats.release(unused);
    }
  };

  /** Whatever becomes of the message, its seat is free afterwards. */
  const handleSeated = async (message: ReceivedMessage): Promise<void> => {
    seated.add(message);
    try {
      await deps.handle(message);
    } finally {
      if (seated.delete(message)) seats.release(1);
    }
  };

  const track = (work: Promise<void>): void => {
    const settled = work.catch(deps.onUnhandled).finally(() => handling.delete(settled));
    handling.add(settled);
  };

  return {
    loop,
    done: async () => void (await Promise.all(handling)),
    seat: (message) => void seated.delete(message),
  };
}

/** Aborts `delayMs` after `signal`. */
function abortedLater(signal: AbortSignal, delayMs: number): AbortSignal {
  const later = new AbortController();
  signal.addEventListener("abort", () => setTimeout(() => later.abort(), delayMs), { once: true });
  return later.signal;
}
