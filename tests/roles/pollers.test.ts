/** How many receives a worker has under way: one while it waits, more while each brings as much as it can. */

import { expect, test } from "bun:test";
import { startEmbeddedBroker } from "../../src/broker/embedded.ts";
import { readConfig } from "../../src/config.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { openQueues } from "../../src/queue/sqs.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { createPollers } from "../../src/worker/attempts/pollers.ts";
import { createSeats } from "../../src/worker/attempts/seats.ts";
import { eventually } from "../support/eventually.ts";
import { deleteOne, hideOne, sendOne } from "../support/queue-calls.ts";
import { tempFolder } from "../support/temp-folder.ts";

const room = 200;

/** Pollers on a real broker, with seats for `room` tasks; messages are held until they are let go. */
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
  const seats = createSeats({ vacant: () => room - taken, taken: () => taken });
  const pollers = createPollers({
    queue: counted,
    seats,
    clock: systemClock,
    log,
    leaseMs: 60_000,
    isPaused: () => false,
    handle: async (message) => {
      pollers.seat(message);
      seats.use();
      taken += 1;
      figures.handled.push(message.body);
      await gate.promise;
      await deleteOne(queues.tasks, message);
      taken -= 1;
      seats.wake();
    },
    giveBack: (message) => hideOne(queues.tasks, message, 0),
    onUnhandled: (error) => figures.handled.push(String(error)),
  });
  const draining = new AbortController();
  const looping = pollers.loop(draining.signal);
  stack.defer(async () => {
    gate.resolve();
    draining.abort();
    await looping;
    await pollers.done();
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

test("several poll while there is more than one can bring, within the seats there are, and one when it is over", async () => {
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
