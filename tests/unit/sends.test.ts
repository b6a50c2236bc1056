/** How long callers wait for the sends of their tasks. The queue is the test's own: it answers when the test says. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { readConfig } from "../../src/config.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { createNews } from "../../src/task-service/news.ts";
import { createSends } from "../../src/task-service/sends.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { newTask } from "../support/stored-tasks.ts";

function setUp() {
  const sent: (() => void)[] = [];
  const send: Queue["send"] = (sendings) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    sent.push(resolve);
    return promise.then(() => sendings.map(() => ({ kind: "done", value: undefined })));
  };
  const clock = createFakeClock();
  const telemetry = startTelemetry("task-service", readConfig({ handlers: "" }, {}).config, () => {});
  const news = createNews(telemetry, { labelOf: (type) => type });
  const sends = createSends({ queue: { send } as Queue, clock, telemetry, news });
  /** Whether the caller is answered without the send, and without any time. */
  const isAnswered = (caller: Promise<unknown>): Promise<boolean> =>
    Promise.race([caller.then(() => true), Bun.sleep(20).then(() => false)]);
  return { sends, sent, clock, isAnswered, first: () => sends.first([{ task: newTask(), context: ROOT_CONTEXT }]) };
}

test("while a send goes on that was waited for in vain no other is waited for, and afterwards each again", async () => {
  const { sends, sent, clock, isAnswered, first } = setUp();
  const patient = first();
  expect(await isAnswered(patient)).toBe(false);
  await clock.advance(2000);
  expect(await isAnswered(patient)).toBe(true);
  expect(await isAnswered(first())).toBe(true);

  // The drain waits for them all the same.
  const last = sends.takeLast();
  expect(await isAnswered(last)).toBe(false);
  for (const answer of sent) answer();
  expect((await last).length).toBe(2);

  const next = first();
  expect(await isAnswered(next)).toBe(false);
  sent.at(-1)?.();
  expect(await isAnswered(next)).toBe(true);
});
