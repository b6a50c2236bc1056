/** What each call tells in spans: the contract's messaging part. */

import { describe, expect, test } from "bun:test";
import { type Attributes, ROOT_CONTEXT, type SpanContext, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import type { Queue } from "../../../src/queue/queue.ts";
import { type OpenQueues, type TestQueues, take, takeAll } from "../../support/brokers.ts";
import { deleteOne, hideOne, sendOne } from "../../support/queue-calls.ts";
import { rejectionOf } from "../../support/rejection.ts";

const limitMs = 60_000;

const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
const context = trace.setSpanContext(ROOT_CONTEXT, caller);

/** A span as it can be compared. */
function told({ name, kind, attributes, parentSpanContext, links, status }: ReadableSpan) {
  return { name, kind, attributes, parent: parentSpanContext?.spanId, links: links.map(linkOf), status };
}

interface MessageLink {
  context: SpanContext;
  attributes?: Attributes;
}

/** With the id of the message, where the link has one. */
function linkOf({ context, attributes }: MessageLink): string {
  const [id] = Object.entries(attributes ?? {}).map(([name, value]) => ` ${name}=${value}`);
  return `${context.traceId}/${context.spanId}${id ?? ""}`;
}

/** The link of a receive or of a settlement to the `send` span of one message. */
function sentBy(span: ReadableSpan): string {
  const { "messaging.message.id": id = "" } = span.attributes;
  return linkOf({ context: span.spanContext(), attributes: { "messaging.message.id": id } });
}

/** Sends these bodies in one turn, and receives them. */
async function exchange({ tasks }: TestQueues, ...bodies: string[]) {
  const send = (body: string) => sendOne(tasks, { body, attributes: {}, correlationId: "c-1" }, context);
  await Promise.all(bodies.map(send));
  return takeAll(tasks, bodies.length);
}

function housekeeping(queue: Queue, operation: string, type: string, count: number) {
  return {
    name: `${operation} ${queue.name}`,
    kind: SpanKind.CLIENT,
    attributes: {
      ...queue.spanAttributes,
      "messaging.operation.name": operation,
      "messaging.operation.type": type,
      "messaging.batch.message_count": count,
    },
    parent: undefined,
    status: { code: SpanStatusCode.UNSET },
  };
}

export function describeSpans(open: OpenQueues): void {
  describe("the spans", () => {
    test(
      "all say which queue on which server",
      async () => {
        await using queues = await open();
        const { tasks, deadLetters, config } = queues;
        const { hostname, port } = new URL(config.queueEndpoint ?? "");
        for (const [queue, name] of [
          [tasks, config.queueName],
          [deadLetters, config.dlqName],
        ] as const) {
          expect([queue.name, queue.spanAttributes]).toEqual([
            name,
            {
              "messaging.system.name": "aws.sqs",
              "messaging.destination.name": name,
              "aws.sqs.queue.url": expect.stringMatching(new RegExp(`^http://[^ ]+/${name}$`)),
              "server.address": hostname,
              "server.port": Number(port),
            },
          ]);
        }
      },
      limitMs,
    );

    test(
      "of sends are PRODUCERs, one for each message, under the caller's",
      async () => {
        await using queues = await open();
        const { tasks } = queues;
        const earlier = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
        await Promise.all([
          sendOne(tasks, { body: "äöü", attributes: {}, correlationId: "c-1" }, context, {
            attributes: { task_id: "t1" },
            links: [{ context: earlier }],
          }),
          sendOne(tasks, { body: "x", attributes: {}, correlationId: undefined }, context),
        ]);
        const messages = new Map((await takeAll(tasks, 2)).map((message) => [message.body, message]));
        const producer = {
          name: `send ${tasks.name}`,
          kind: SpanKind.PRODUCER,
          parent: caller.spanId,
          status: { code: SpanStatusCode.UNSET },
        };
        const sending = {
          ...tasks.spanAttributes,
          "messaging.operation.name": "send",
          "messaging.operation.type": "send",
        };
        expect(queues.spans().slice(0, 2).map(told)).toEqual([
          {
            ...producer,
            attributes: {
              ...sending,
              "messaging.message.id": messages.get("äöü")?.id,
              "messaging.message.conversation_id": "c-1",
              "messaging.message.body.size": 6,
              task_id: "t1",
            },
            links: [linkOf({ context: earlier })],
          },
          {
            ...producer,
            attributes: {
              ...sending,
              "messaging.message.id": messages.get("x")?.id,
              "messaging.message.body.size": 1,
            },
            links: [],
          },
        ]);
        expect(messages.get("x")?.attributes.traceparent).toContain(queues.spans()[1]?.spanContext().spanId);
      },
      limitMs,
    );

    test(
      "of receive, change_visibility and delete have traces of their own, linked by id to what sent the message",
      async () => {
        await using queues = await open();
        const { tasks } = queues;
        const [message] = await exchange(queues, "one");
        if (!message) throw new Error("no message came");
        await hideOne(tasks, message, 60_000);
        await deleteOne(tasks, message);
        const [producer, ...others] = queues.spans();
        if (!producer) throw new Error("no span of a send");
        const links = [sentBy(producer)];
        expect(others.map(told)).toEqual([
          { ...housekeeping(tasks, "receive", "receive", 1), links },
          { ...housekeeping(tasks, "change_visibility", "settle", 1), links },
          { ...housekeeping(tasks, "delete", "settle", 1), links },
        ]);
        const traceIds = [caller, ...others.map((span) => span.spanContext())].map(({ traceId }) => traceId);
        expect(new Set(traceIds).size).toBe(4);
      },
      limitMs,
    );

    test(
      "are one for each call, with a link for each of its messages",
      async () => {
        await using queues = await open();
        const { tasks } = queues;
        const messages = await exchange(queues, "a", "b", "c");
        await Promise.all(messages.map((message) => hideOne(tasks, message, 60_000)));
        await Promise.all(messages.map((message) => deleteOne(tasks, message)));
        const spans = queues.spans();
        const links = spans.filter(({ kind }) => kind === SpanKind.PRODUCER).map(sentBy);
        expect(links.length).toBe(3);
        const settled = spans.slice(-2).map(told);
        expect(settled.map(({ links: _, ...span }) => span)).toEqual([
          housekeeping(tasks, "change_visibility", "settle", 3),
          housekeeping(tasks, "delete", "settle", 3),
        ]);
        for (const span of settled) expect(span.links.toSorted()).toEqual(links.toSorted());
      },
      limitMs,
    );

    test(
      "are none for a poll that finds nothing, nor for one that is aborted, nor for a depth",
      async () => {
        await using queues = await open();
        await take(queues.tasks);
        const stopping = new AbortController();
        const polling = take(queues.tasks, { waitMs: 20_000, signal: stopping.signal });
        await queues.tasks.depth();
        stopping.abort();
        await polling;
        expect(queues.spans()).toEqual([]);
      },
      limitMs,
    );

    test(
      "of a send that is refused say so",
      async () => {
        await using queues = await open();
        const message = { body: "not allowed in SQS: \u0001", attributes: {}, correlationId: "c-1" };
        const error = await rejectionOf(sendOne(queues.tasks, message, context));
        const [span] = queues.spans();
        expect(span?.status).toEqual({
          code: SpanStatusCode.ERROR,
          message: error instanceof Error ? error.message : "",
        });
        expect(span?.attributes["error.type"]).toBe("unavailable");
        expect(span?.attributes["messaging.message.id"]).toBeUndefined();
      },
      limitMs,
    );
  });
}
