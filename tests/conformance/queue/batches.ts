/** Many entries in one call of the port: each has its own fate, and its result in its place. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { OutgoingMessage, Queue } from "../../../src/queue/queue.ts";
import { openQueues } from "../../../src/queue/sqs.ts";
import type { EntryResult } from "../../../src/words/entry-result.ts";
import { type OpenQueues, take, takeAll } from "../../support/brokers.ts";
import { deleteOne } from "../../support/queue-calls.ts";
import { startTestTracing } from "../../support/test-tracing.ts";

const limitMs = 60_000;

const done: EntryResult<void> = { kind: "done", value: undefined };

/** `message`: what is expected of it. */
function refusal(message: string): EntryResult<void> {
  return { kind: "failed", error: expect.objectContaining({ code: "unavailable", message }) };
}

function sendAll(queue: Queue, bodies: readonly string[]) {
  const toMessage = (body: string): OutgoingMessage => ({ body, attributes: {}, correlationId: undefined });
  return queue.send(bodies.map((body) => ({ message: toMessage(body), context: ROOT_CONTEXT })));
}

export function describeBatches(open: OpenQueues): void {
  describe("a batch", () => {
    test(
      "of none is done at once",
      async () => {
        await using queues = await open();
        expect([await queues.tasks.send([]), await queues.tasks.settle([])]).toEqual([[], []]);
      },
      limitMs,
    );

    test(
      "with a message that is too large for the broker: that one fails, and the others arrive",
      async () => {
        await using queues = await open();
        const bodies = Array.from({ length: 25 }, (_, n) => (n === 13 ? "x".repeat(2 ** 21) : `message ${n}`));
        const results = await sendAll(queues.tasks, bodies);
        expect(results).toEqual(
          bodies.map((_, n) => (n === 13 ? refusal(expect.stringContaining("could not send to the queue")) : done)),
        );
        const arrived = await takeAll(queues.tasks, 24);
        expect(arrived.map(({ body }) => body).sort()).toEqual(bodies.toSpliced(13, 1).sort());
      },
      limitMs,
    );

    test(
      "of deletes, of messages to hide or to show, and of one that is gone: each for itself",
      async () => {
        await using queues = await open();
        const bodies = ["delete", "gone", "hide", "show", "delete too"];
        await sendAll(queues.tasks, bodies);
        const taken = new Map((await takeAll(queues.tasks, bodies.length)).map((message) => [message.body, message]));
        const messages = bodies.map((body) => {
          const message = taken.get(body);
          if (!message) throw new Error(`"${body}" did not come`);
          return message;
        });
        const [, gone] = messages;
        if (gone) await deleteOne(queues.tasks, gone);
        const hideMs = [null, 60_000, 60_000, 0, null];
        const settled = await queues.tasks.settle(
          messages.map((message, n) => ({ message, hideMs: hideMs[n] ?? null })),
        );
        const refused = refusal(expect.stringContaining("the broker refused to change visibility"));
        expect(settled).toEqual([done, refused, done, done, done]);
        const [shown, ...others] = await takeAll(queues.tasks, 1);
        expect([shown?.body, others, await take(queues.tasks)]).toEqual(["show", [], []]);
        expect(await queues.tasks.depth()).toEqual({ visible: 0, inFlight: 2, delayed: 0 });
      },
      limitMs,
    );

    test(
      "with a message that the broker refuses, and one that it throttles: this one is sent again",
      async () => {
        await using queues = await open();
        await using door = openThrottle(queues.config.queueEndpoint ?? "", "throttled");
        const throttled = await openQueues({ ...queues.config, queueEndpoint: door.url }, startTestTracing().tracer);
        const bodies = ["first", "throttled", "not allowed in SQS: \u0001", "last"];
        const results = await sendAll(throttled.tasks, bodies);
        expect(results).toEqual([
          done,
          done,
          refusal(expect.stringContaining("the broker refused to send: Invalid")),
          done,
        ]);
        expect(door.sends).toEqual([bodies, ["throttled"]]);
        const arrived = await takeAll(queues.tasks, 3);
        expect(arrived.map(({ body }) => body).sort()).toEqual(["first", "last", "throttled"]);
        throttled.close();
      },
      limitMs,
    );
  });
}

interface BatchCall {
  Entries: { Id: string; MessageBody: string }[];
}

/** A way to the broker that does not let a message through the first time, as SQS does that has too much to do. */
function openThrottle(endpoint: string, throttledBody: string) {
  const sends: string[][] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const headers = Object.fromEntries(
        ["content-type", "x-amz-target", "authorization", "x-amz-date"].flatMap((name) => {
          const value = request.headers.get(name);
          return value === null ? [] : [[name, value]];
        }),
      );
      const forward = async (body: string): Promise<Response> => {
        const answer = await fetch(`${endpoint}/`, { method: "POST", headers, body });
        return new Response(await answer.text(), {
          status: answer.status,
          headers: { "content-type": "application/x-amz-json-1.0" },
        });
      };
      const text = await request.text();
      if (!request.headers.get("x-amz-target")?.endsWith(".SendMessageBatch")) return forward(text);
      const call: BatchCall = JSON.parse(text);
      const held = sends.length === 0 ? call.Entries.filter(({ MessageBody }) => MessageBody === throttledBody) : [];
      sends.push(call.Entries.map(({ MessageBody }) => MessageBody));
      const answer = await forward(
        JSON.stringify({ ...call, Entries: call.Entries.filter((entry) => !held.includes(entry)) }),
      );
      const given = await answer.json();
      const failed = held.map(({ Id }) => ({ Id, Code: "RequestThrottled", Message: "not now", SenderFault: false }));
      return Response.json({ ...given, Failed: [...(given.Failed ?? []), ...failed] });
    },
  });
  return { url: server.url.origin, sends, [Symbol.asyncDispose]: () => server.stop(true) };
}
