/** How the dead-letter processor receives: each letter for itself. On a real broker and a real store. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { createDlq } from "../../src/dlq.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { Store } from "../../src/store/ports/store.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { TaskError } from "../../src/words/errors.ts";
import { openTestQueues, startEmbedded } from "../support/brokers.ts";
import { eventually } from "../support/eventually.ts";
import { sendOne } from "../support/queue-calls.ts";
import { openSqliteStore } from "../support/sqlite-store.ts";

const limitMs = 60_000;
const patience = { timeoutMs: 30_000 };

/** Letters that name no task; `before` is run before the store keeps one of them. */
async function startDlq(before: (body: string) => Promise<void>) {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(await startEmbedded());
  const queues = stack.use(await openTestQueues(broker));
  const { store } = stack.use(await openSqliteStore());
  const telemetry = startTelemetry("dlq", queues.config, () => {});
  const keepUnreadable: Store["keepUnreadable"] = async (letter, context) => {
    await before(letter.body);
    return store.keepUnreadable(letter, context);
  };
  const { deadLetters: queue } = queues;
  const dlq = createDlq({
    store: { ...store, keepUnreadable },
    queue,
    telemetry,
    clock: systemClock,
    visibilityMs: 30_000,
    sourceQueue: "tasks",
  });
  const draining = new AbortController();
  const running = dlq.run(draining.signal);
  const drain = async (): Promise<void> => {
    draining.abort();
    await running;
  };
  stack.defer(drain);
  const send = async (...bodies: string[]): Promise<void> => {
    const letters = bodies.map((body) => ({ body, attributes: {}, correlationId: undefined }));
    await Promise.all(letters.map((letter) => sendOne(queue, letter)));
  };
  const kept = async () => (await store.listUnreadable(200, ROOT_CONTEXT)).map(({ body }) => body).sort();
  return { queue, drain, send, kept, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `letter ${10 + n}`);

test(
  "letters that take long hold up no other, however many come with them",
  async () => {
    const slow = Promise.withResolvers<void>();
    const isSlow = (body: string): boolean => ["letter 10", "letter 15", "letter 33"].includes(body);
    await using running = await startDlq((body) => (isSlow(body) ? slow.promise : Promise.resolve()));
    const all = names(30);
    await running.send(...all);
    const others = all.filter((body) => !isSlow(body));
    await eventually(async () => Bun.deepEquals(await running.kept(), others), patience);
    slow.resolve();
    await eventually(async () => Bun.deepEquals(await running.kept(), all), patience);
  },
  limitMs,
);

test(
  "one that fails comes back by itself after a pause of its own, and the others do not wait for it",
  async () => {
    let tries = 0;
    await using running = await startDlq(async (body) => {
      if (body !== "bad") return;
      tries += 1;
      if (tries < 3) throw new TaskError("internal", "this one is not taken");
    });
    await running.send("bad");
    await eventually(() => tries === 1, patience);
    await running.send(...names(12));
    await eventually(async () => (await running.kept()).length >= 12, patience);
    await eventually(async () => Bun.deepEquals(await running.kept(), ["bad", ...names(12)]), patience);
    expect(tries).toBe(3);
  },
  limitMs,
);

test(
  "a drain leaves no letter hidden that it has not recorded",
  async () => {
    await using running = await startDlq(async (body) => {
      if (body === "never") throw new TaskError("internal", "this one is not taken");
    });
    const sending = running.send("never", ...names(25));
    await running.drain();
    await sending;
    const hidden = async () => (await running.queue.depth()).inFlight;
    // The one that failed waits for its pause; all others were recorded, or are there for the next processor.
    await eventually(async () => (await hidden()) === 0, patience);
    const { visible } = await running.queue.depth();
    expect(visible + (await running.kept()).length).toBe(26);
  },
  limitMs,
);

test(
  "of many that come in bursts none is left unsettled, and none takes a place for ever",
  async () => {
    await using running = await startDlq(async (body) => {
      // Some are recorded while others are being deleted.
      if (body.endsWith("3")) await new Promise((resolve) => setTimeout(resolve, 5));
    });
    const all = Array.from({ length: 150 }, (_, n) => `letter ${1000 + n}`);
    for (let from = 0; from < all.length; from += 3) await running.send(...all.slice(from, from + 3));
    const isEmpty = ({ visible, inFlight }: { visible: number; inFlight: number }): boolean => visible + inFlight === 0;
    await eventually(async () => isEmpty(await running.queue.depth()), patience);
    expect(await running.kept()).toEqual(all);
  },
  limitMs,
);
