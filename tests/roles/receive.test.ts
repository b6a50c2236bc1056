/** How many receives a worker has under way: one while it waits, more while each brings as much as it can. */

import { expect, test } from "bun:test";
import { startEmbeddedBroker } from "../../src/broker/embedded.ts";
import { readConfig } from "../../src/config.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { openQueues } from "../../src/queue/sqs.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { Intake } from "../../src/worker/attempts/intake.ts";
import { Receiver } from "../../src/worker/attempts/receive.ts";
import { eventually } from "../support/eventually.ts";
import { sendOne } from "../support/queue-calls.ts";
import { tempFolder } from "../support/temp-folder.ts";

const room = 200;

/** A receiver on a real broker, with places for `room` tasks; messages are held until they are let go. */
async function startPolling() {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempFolder());
  const broker = await startEmbeddedBroker(path, 0);
  stack.defer(() => broker.stop());
  const config = { ...readConfig({ handlers: "" }, {}).config, queueEndpoint: broker.endpoint };
  const { tracer, log } = startTelemetry("worker", config, () => {});
  const queues = await openQueues(config, tracer);
  stack.defer(() => queues.close());
  let underWay = 0;
  const figures = { most: 0, receives: 0, handled: [] as string[] };
  const counted: Queue = {
    ...queues.tasks,
    receive: async (request) => {
      underWay += 1;
      figures.receives += 1;
      figures.most = Math.max(figures.most, underWay);
      try {
        return await queues.tasks.receive(request);
      } finally {
        underWay -= 1;
      }
    },
  };
  let taken = 0;
  const gate = Promise.withResolvers<void>();
  const intake = new Intake({ vacant: () => room - taken, taken: () => taken });
  const receiver = new Receiver({
    queue: counted,
    intake,
    clock: systemClock,
    log,
    visibilityMs: 60_000,
    isPaused: () => false,
    take: async (messages) => {
      for (const { body } of messages) {
        intake.use();
        taken += 1;
        figures.handled.push(body);
      }
      await gate.promise;
      await queues.tasks.settle(messages.map((message) => ({ message, hideMs: null })));
      taken -= messages.length;
      intake.wake();
    },
    giveBack: (messages) => queues.tasks.settle(messages.map((message) => ({ message, hideMs: 0 }))),
  });
  const draining = new AbortController();
  const looping = receiver.loop(draining.signal);
  stack.defer(async () => {
    gate.resolve();
    draining.abort();
    await looping;
    await receiver.done();
  });
  const owned = stack.move();
  return {
    figures,
    underWay: () => underWay,
    letGo: () => gate.resolve(),
    send: (bodies: readonly string[]) =>
      Promise.all(bodies.map((body) => sendOne(queues.tasks, { body, attributes: {}, correlationId: undefined }))),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test("one poller waits, and goes on alone while messages come one by one", async () => {
  await using polling = await startPolling();
  polling.letGo();
  for (const body of ["a", "b", "c", "d"]) {
    await eventually(() => polling.underWay() === 1);
    await polling.send([body]);
    await eventually(() => polling.figures.handled.includes(body));
  }
  expect(polling.figures).toMatchObject({ most: 1, handled: ["a", "b", "c", "d"] });
}, 30_000);

test("several poll while there is more than one can bring, within the places there are, and one when it is over", async () => {
  await using polling = await startPolling();
  const bodies = Array.from({ length: room + 50 }, (_, number) => String(number));
  await polling.send(bodies);
  await eventually(() => polling.figures.handled.length >= room);
  await eventually(() => polling.underWay() === 0);
  expect(polling.figures.handled.length).toBe(room);
  expect(polling.figures.most).toBeGreaterThan(1);
  expect(polling.figures.most).toBeLessThanOrEqual(8);
  polling.letGo();
  await eventually(() => polling.figures.handled.length === bodies.length);
  expect(polling.figures.handled.toSorted()).toEqual(bodies.toSorted());
  await eventually(() => polling.underWay() === 1);
}, 30_000);
