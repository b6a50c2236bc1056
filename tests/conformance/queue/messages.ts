/** A message from its send to its end. */

import { describe, expect, test } from "bun:test";
import { createTraceState, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { OutgoingMessage, Queue } from "../../../src/queue/queue.ts";
import { fromCarrier } from "../../../src/telemetry/context/propagation.ts";
import { type OpenQueues, take, takeAll, takeOne } from "../../support/brokers.ts";
import { eventually } from "../../support/eventually.ts";
import { deleteOne, hideOne, sendOne } from "../../support/queue-calls.ts";
import { rejectionOf } from "../../support/rejection.ts";

/** A poll this long is not over before a test is. */
const longPollMs = 20_000;
const pollLimitMs = 15_000;
const limitMs = 60_000;

const caller = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  traceFlags: 1,
  traceState: createTraceState("vendor=1"),
};
const baggage = propagation.createBaggage({ tenant: { value: "blue" } });
const context = propagation.setBaggage(trace.setSpanContext(ROOT_CONTEXT, caller), baggage);

/** `count` attributes of `bytes` each, as somebody else may have put them there. */
function foreignAttributes(count: number, bytes = 1): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`foreign_${n}`, "x".repeat(bytes)]));
}

function send(queue: Queue, body: string, more: Partial<OutgoingMessage> = {}) {
  return sendOne(queue, { body, attributes: {}, correlationId: "c-1", ...more }, context);
}

export function describeMessages(open: OpenQueues): void {
  describe("a message", () => {
    test(
      "arrives whole, with the context of the span that sent it",
      async () => {
        await using queues = await open();
        const beforeMs = Date.now();
        const attributes = { correlation_id: "c-1", task_type: "sénd 中 😀", empty: "" };
        const body = '{"text":"ä 中 \\u0000 <&>"}';
        await send(queues.tasks, body, { attributes });
        const message = await takeOne(queues.tasks);
        const [producer] = queues.spans();
        expect(message).toEqual({
          id: expect.stringMatching(/./),
          receipt: expect.stringMatching(/./),
          body,
          attributes: {
            correlation_id: "c-1",
            task_type: "sénd 中 😀",
            traceparent: `00-${caller.traceId}-${producer?.spanContext().spanId}-01`,
            tracestate: "vendor=1",
            baggage: "tenant=blue",
          },
          receiveCount: 1,
          sentAtMs: expect.any(Number),
        });
        expect(message.sentAtMs).toBeGreaterThanOrEqual(beforeMs);
        expect(message.sentAtMs).toBeLessThanOrEqual(Date.now());
      },
      limitMs,
    );

    test(
      "counts how often it was received, and is the same one each time",
      async () => {
        await using queues = await open();
        await send(queues.tasks, "counted");
        const first = await takeOne(queues.tasks);
        await hideOne(queues.tasks, first, 0);
        const second = await takeOne(queues.tasks);
        expect({ ...second, receipt: first.receipt }).toEqual({ ...first, receiveCount: 2 });
      },
      limitMs,
    );

    test(
      "has ten attributes at most: its own, its whole context, and of what it keeps the first that have room",
      async () => {
        await using queues = await open();
        const full = {
          traceparent: `00-${caller.traceId}-${caller.spanId}-01`,
          tracestate: `vendor=${"v".repeat(249)},other=${"v".repeat(249)}`,
          baggage: `tenant=${"b".repeat(8185)}`,
          b3: `${caller.traceId}-${caller.spanId}-1`,
        };
        const attributes = { dead_reason: "fatal", source_queue: "task-events" };
        const kept = { task_type: "echo", dead_reason: "theirs", traceparent: "theirs", ...foreignAttributes(10) };
        const message = { body: "full", attributes, kept, correlationId: "c-1" };
        await sendOne(queues.tasks, message, fromCarrier(full));
        const { traceparent, b3, ...others } = (await takeOne(queues.tasks)).attributes;
        const spanId = queues.spans()[0]?.spanContext().spanId;
        expect({ traceparent, b3 }).toEqual({
          traceparent: `00-${caller.traceId}-${spanId}-01`,
          b3: `${caller.traceId}-${spanId}-1`,
        });
        const { tracestate, baggage } = full;
        expect(others).toEqual({ ...attributes, tracestate, baggage, task_type: "echo", ...foreignAttributes(3) });
      },
      limitMs,
    );

    test(
      "is hidden while it is held, for as long as it is asked to be, and back when let go",
      async () => {
        await using queues = await open();
        await send(queues.tasks, "held");
        const [message] = await takeAll(queues.tasks, 1);
        if (!message) throw new Error("no message came");
        expect(await take(queues.tasks)).toEqual([]);
        await hideOne(queues.tasks, message, 3_600_000);
        expect(await take(queues.tasks)).toEqual([]);
        await hideOne(queues.tasks, message, 1);
        expect((await takeOne(queues.tasks)).body).toBe("held");
      },
      limitMs,
    );

    test(
      "comes back by itself when its time is over",
      async () => {
        await using queues = await open();
        await send(queues.tasks, "forgotten");
        await eventually(async () => (await take(queues.tasks, { visibilityMs: 1000 })).length === 1);
        expect(await takeOne(queues.tasks)).toMatchObject({ body: "forgotten", receiveCount: 2 });
      },
      limitMs,
    );

    test(
      "is gone for good once it is deleted",
      async () => {
        await using queues = await open();
        await send(queues.tasks, "done");
        const message = await takeOne(queues.tasks);
        await deleteOne(queues.tasks, message);
        expect(await take(queues.tasks)).toEqual([]);
        expect(await queues.tasks.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
        expect(await rejectionOf(hideOne(queues.tasks, message, 0))).toMatchObject({ code: "unavailable" });
      },
      limitMs,
    );

    test(
      "that the broker refuses is told to its sender alone; the others of its batch arrive",
      async () => {
        await using queues = await open();
        const bodies = ["before", "not allowed in SQS: \u0001", "after"];
        const results = await Promise.allSettled(bodies.map((body) => send(queues.tasks, body)));
        expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
        expect(results[1]).toMatchObject({
          reason: { code: "unavailable", message: expect.stringContaining("the broker refused to send: Invalid") },
        });
        const arrived = await takeAll(queues.tasks, 2);
        expect(arrived.map(({ body }) => body).sort()).toEqual(["after", "before"]);
        expect(await take(queues.tasks)).toEqual([]);
      },
      limitMs,
    );

    test(
      "received a hundred times is dead-lettered by the broker, as it was sent",
      async () => {
        await using queues = await open();
        await send(queues.tasks, "kills every worker", { attributes: { task_type: "crash" } });
        const [producer] = queues.spans();
        let receives = 0;
        while ((await take(queues.tasks, { visibilityMs: 0 })).length > 0) receives += 1;
        expect(receives).toBe(100);
        expect(await takeOne(queues.deadLetters)).toMatchObject({
          body: "kills every worker",
          attributes: {
            task_type: "crash",
            traceparent: `00-${caller.traceId}-${producer?.spanContext().spanId}-01`,
          },
        });
      },
      limitMs,
    );
  });

  describe("many messages", () => {
    test(
      "sent in one turn all arrive, once each; and deleted in one turn they are all gone",
      async () => {
        await using queues = await open();
        const bodies = Array.from({ length: 47 }, (_, n) => `message ${n}`);
        await Promise.all(bodies.map((body) => send(queues.tasks, body)));
        const messages = await takeAll(queues.tasks, bodies.length);
        expect(messages.map(({ body }) => body).sort()).toEqual(bodies.toSorted());
        const ids = messages.map(({ id }) => id);
        expect(new Set(ids).size).toBe(bodies.length);
        const sentIds = queues.spans().flatMap(({ attributes }) => attributes["messaging.message.id"] ?? []);
        expect(new Set(sentIds)).toEqual(new Set(ids));

        await Promise.all(messages.map((message) => deleteOne(queues.tasks, message)));
        expect(await queues.tasks.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
      },
      limitMs,
    );

    test(
      "sent in one turn all arrive also when their attributes are too large for one call",
      async () => {
        await using queues = await open();
        const bodies = Array.from({ length: 10 }, (_, n) => `message ${n}`);
        await Promise.all(bodies.map((body) => send(queues.tasks, body, { kept: foreignAttributes(1, 120_000) })));
        const messages = await takeAll(queues.tasks, bodies.length);
        expect(messages.map(({ body }) => body).sort()).toEqual(bodies.toSorted());
        expect(messages.map(({ attributes }) => attributes.foreign_0?.length)).toEqual(Array(10).fill(120_000));
      },
      limitMs,
    );

    test(
      "let go in one turn are all back at once",
      async () => {
        await using queues = await open();
        const bodies = Array.from({ length: 12 }, (_, n) => `message ${n}`);
        await Promise.all(bodies.map((body) => send(queues.tasks, body)));
        const messages = await takeAll(queues.tasks, bodies.length);
        await Promise.all(messages.map((message) => hideOne(queues.tasks, message, 0)));
        const again = await takeAll(queues.tasks, bodies.length);
        expect(again.map(({ body, receiveCount }) => [body, receiveCount]).sort()).toEqual(
          bodies.toSorted().map((body) => [body, 2]),
        );
      },
      limitMs,
    );

    test(
      "are received no more at once than asked for",
      async () => {
        await using queues = await open();
        await Promise.all(["a", "b", "c"].map((body) => send(queues.tasks, body)));
        expect((await take(queues.tasks, { max: 2, waitMs: 1000 })).length).toBeLessThanOrEqual(2);
      },
      limitMs,
    );

    test(
      "are counted as visible, in flight and delayed",
      async () => {
        await using queues = await open();
        await Promise.all(["a", "b", "c"].map((body) => send(queues.tasks, body)));
        await send(queues.tasks, "later", { delayMs: 15 * 60_000 });
        await eventually(async () => (await take(queues.tasks, { max: 1 })).length === 1);
        await eventually(async () => {
          expect(await queues.tasks.depth()).toEqual({ visible: 2, inFlight: 1, delayed: 1 });
          return true;
        });
        expect(await queues.deadLetters.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
      },
      limitMs,
    );
  });

  describe("a long poll", () => {
    test(
      "ends with the first message",
      async () => {
        await using queues = await open();
        const polling = take(queues.tasks, { waitMs: longPollMs });
        await send(queues.tasks, "wake up");
        expect((await polling).map(({ body }) => body)).toEqual(["wake up"]);
      },
      pollLimitMs,
    );

    test(
      "that is aborted gives nothing, and takes no message with it",
      async () => {
        await using queues = await open();
        const stopping = new AbortController();
        const polls = [1, 2].map(() =>
          take(queues.tasks, { waitMs: longPollMs, visibilityMs: 1000, signal: stopping.signal }),
        );
        // The polls are on their way when the broker answers what was asked after them.
        await queues.tasks.depth();
        stopping.abort();
        expect(await Promise.all(polls)).toEqual([[], []]);
        await send(queues.tasks, "after the abort");
        expect((await takeOne(queues.tasks)).body).toBe("after the abort");
      },
      pollLimitMs,
    );

    test(
      "is not begun when it was aborted before",
      async () => {
        await using queues = await open();
        expect(await take(queues.tasks, { waitMs: longPollMs, signal: AbortSignal.abort() })).toEqual([]);
      },
      pollLimitMs,
    );
  });
}
