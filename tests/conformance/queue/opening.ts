/** Finding and making the queues. */

import { describe, expect, test } from "bun:test";
import { type OpenQueues, take, takeOne } from "../../support/brokers.ts";
import { sendOne } from "../../support/queue-calls.ts";
import { rejectionOf } from "../../support/rejection.ts";

const limitMs = 60_000;

export function describeOpening(open: OpenQueues): void {
  describe("opening the queues", () => {
    test(
      "again, or at the same time as others, finds the same queues with all that is in them",
      async () => {
        await using first = await open();
        const { queueName, dlqName } = first.config;
        await sendOne(first.tasks, { body: "kept", attributes: {}, correlationId: "c-1" });
        const again = { queueName, dlqName, visibilityTimeout: "45s" };
        const all = await Promise.all([open(again), open(again), open({ ...again, createQueues: "false" })]);
        const [second] = all;
        expect(second && (await takeOne(second.tasks)).body).toBe("kept");
        for (const queues of all) await queues[Symbol.asyncDispose]();
      },
      limitMs,
    );

    test(
      "at the same time as others makes each once",
      async () => {
        const names = { queueName: `q-${crypto.randomUUID()}`, dlqName: `d-${crypto.randomUUID()}` };
        const [one, other] = await Promise.all([open(names), open(names)]);
        await sendOne(one.tasks, { body: "hello", attributes: {}, correlationId: "c-1" });
        expect((await takeOne(other.tasks)).body).toBe("hello");
        await one[Symbol.asyncDispose]();
        await other[Symbol.asyncDispose]();
      },
      limitMs,
    );

    test(
      "that do not exist, and must not be made, says which and why",
      async () => {
        const names = { queueName: "nobody-made-this", dlqName: "nor-this" };
        const error = await rejectionOf(open({ ...names, createQueues: "false" }));
        expect(error).toMatchObject({
          name: "TaskError",
          code: "unavailable",
          message: 'the queue "nor-this" does not exist, and --create-queues is false',
        });
      },
      limitMs,
    );

    test(
      "that are gone later makes them again, with their dead letters, for whatever is asked first",
      async () => {
        const hello = { body: "hello", attributes: {}, correlationId: "c-1" };
        await using queues = await open();
        await queues.vanish();
        await Promise.all([sendOne(queues.tasks, hello), sendOne(queues.deadLetters, hello)]);
        expect((await takeOne(queues.tasks)).body).toBe("hello");
        expect((await takeOne(queues.deadLetters)).body).toBe("hello");

        await queues.vanish();
        expect(await take(queues.tasks)).toEqual([]);
        expect(await queues.deadLetters.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
      },
      limitMs,
    );

    test(
      "that are gone later, and must not be made, says so",
      async () => {
        await using queues = await open();
        const { queueName, dlqName } = queues.config;
        await using users = await open({ queueName, dlqName, createQueues: "false" });
        await queues.vanish();
        expect(await rejectionOf(take(users.tasks))).toMatchObject({
          name: "TaskError",
          code: "unavailable",
          message: expect.stringContaining(`could not receive from the queue "${queueName}": `),
        });
      },
      limitMs,
    );
  });
}
