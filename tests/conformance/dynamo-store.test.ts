/** What the DynamoDB store promises beside the port: its calls, what they cost, and what it does when they go wrong. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { readConfig } from "../../src/config.ts";
import { systemClock } from "../../src/limits/clock.ts";
import { findLiveTypes } from "../../src/store/open-store.ts";
import { startCrookedDynamo } from "../support/crooked-dynamo.ts";
import { awsVariables, type DynamoPart, type DynamoTableOfTest, startDynamoPart } from "../support/dynamo-store.ts";
import { eventually } from "../support/eventually.ts";
import { redrivesIn } from "../support/redrives.ts";
import { rejectionOf } from "../support/rejection.ts";
import { describeWith } from "../support/requires.ts";
import { claimOne, createOne, finishOne } from "../support/store-entries.ts";
import { changed, newSchedule, schedulesIn } from "../support/stored-schedules.ts";
import { actorAt, leaseMs, newTask, t0, tasksIn } from "../support/stored-tasks.ts";
import { bring, endMs, failed, keptOf, retrying, startMs, succeeded } from "../support/task-states.ts";
import { startTestTracing } from "../support/test-tracing.ts";

setDefaultTimeout(60_000);

const withDynamoDb = describeWith("dynamodb");
const dayMs = 86_400_000;

withDynamoDb("the DynamoDB store itself", () => {
  let part: DynamoPart;
  beforeAll(async () => {
    part = await startDynamoPart();
  });
  afterAll(() => part[Symbol.asyncDispose]());

  test.each([-3_600_000, 60_000, 3_600_000])(
    "goes by the service's clock when its own is off by %i ms",
    async (offMs) => {
      await using table = await part.makeTable();
      const { clock, ping } = table.connect({ clock: { ...systemClock, nowMs: () => Date.now() + offMs } });
      await eventually(async () => {
        await ping();
        return Math.abs(clock.nowMs() - Date.now()) < 5000;
      });
    },
  );

  test("tells which task types wait, as doctor asks", async () => {
    await using table = await part.makeTable();
    const store = table.connect();
    await store.registerTypes(
      ["echo", "tell", "gone"].map((type) => ({
        type,
        maxAttempts: null,
        timeoutMs: null,
        isolation: "shared",
        payloadSchema: null,
      })),
      ROOT_CONTEXT,
    );
    const tasks = tasksIn(store);
    for (const type of ["echo", "tell"]) await tasks.create({ type });
    const { config } = readConfig({ handlers: "", store: "dynamodb", table: table.location.table }, awsVariables);
    const found = findLiveTypes({ ...config, storeEndpoint: part.url }, (type) => type !== "echo");
    expect(await found).toEqual(["tell"]);
  });

  describe("a call", () => {
    test("has a CLIENT span under its caller's, with the contract's attributes", async () => {
      await using table = await part.makeTable();
      const { tracer, spans } = startTestTracing();
      const store = table.connect({ tracer });
      const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
      const context = trace.setSpanContext(ROOT_CONTEXT, caller);
      const task = newTask();
      await createOne(store, task, actorAt(t0), context);
      for (const worker of ["w1", "w2"]) {
        await claimOne(store, { id: task.id, worker, leaseMs, actor: actorAt(t0) }, context);
      }
      await store.takeDue(10, 1000, actorAt(t0));
      await store.ping();
      const { table: name, endpoint = "" } = table.location;
      const common = {
        "db.system.name": "aws.dynamodb",
        "db.collection.name": name,
        "aws.dynamodb.table_names": [name],
        "cloud.region": "eu-west-1",
        "server.address": "127.0.0.1",
        "server.port": Number(new URL(endpoint).port),
      };
      const answered = {
        "aws.dynamodb.consumed_capacity": [expect.stringContaining(`{"TableName":"${name}","CapacityUnits":`)],
        "aws.request_id": expect.stringMatching(/./),
      };
      const operation = (operationName: string, more: object) => ({
        name: `${operationName} ${name}`,
        kind: SpanKind.CLIENT,
        parent: caller.spanId,
        status: SpanStatusCode.UNSET,
        attributes: { ...common, "db.operation.name": operationName, ...more },
      });
      const told = spans().map(({ name: spanName, kind, attributes, parentSpanContext, status }) => {
        return { name: spanName, kind, attributes, parent: parentSpanContext?.spanId, status: status.code };
      });
      expect<unknown>(told).toEqual([
        operation("PutItem", answered),
        operation("UpdateItem", answered),
        // A claim that was not won is an answer.
        operation("UpdateItem", {
          "db.response.status_code": "ConditionalCheckFailedException",
          "aws.request_id": expect.stringMatching(/./),
        }),
      ]);
    });

    test("costs a task three writes, of which each is one call; confirmed sends cost one read together", async () => {
      await using table = await part.makeTable();
      const { tracer, spans } = startTestTracing();
      const tasks = tasksIn(table.connect({ tracer }));
      const count = 20;
      const ids: string[] = [];
      for (let n = 0; n < count; n++) {
        const { id } = await tasks.create();
        const { claim } = await tasks.win(id, startMs);
        await tasks.finish(id, claim, succeeded, endMs);
        ids.push(id);
      }
      await tasks.markSent(...ids);
      const calls = Map.groupBy(spans(), ({ attributes }) => String(attributes["db.operation.name"]));
      const counted = Object.fromEntries([...calls].map(([name, all]) => [name, all.length]));
      expect(counted).toEqual({ PutItem: count, UpdateItem: 2 * count, BatchGetItem: 1 });
      const unitsOf = (name: string) => (calls.get(name) ?? []).reduce((sum, span) => sum + unitsIn(span), 0) / count;
      // As docs/operations.md says, of a small task: the item and its entries in the indexes.
      expect({
        create: unitsOf("PutItem"),
        claimAndFinish: unitsOf("UpdateItem"),
        read: unitsOf("BatchGetItem"),
      }).toEqual({ create: 3, claimAndFinish: 5, read: 0.5 });
    });
  });

  test("a step costs the units that docs/operations.md says", async () => {
    await using table = await part.makeTable();
    const { tracer, spans } = startTestTracing();
    const tasks = tasksIn(table.connect({ tracer }));
    const units: Record<string, number> = {};
    const cost = async (step: string, work: Promise<unknown>): Promise<void> => {
      const before = spans().length;
      await work;
      units[step] = spans()
        .slice(before)
        .reduce((sum, span) => sum + unitsIn(span), 0);
    };
    const [task, keyed] = [newTask(), newTask({ idempotency: { key: "k", digest: "d" } })];
    await cost("made", tasks.tryCreate(task));
    await cost("made with a key", tasks.tryCreate(keyed));
    await cost("confirmed while it waits", tasks.markSent(task.id));
    await cost("claimed", tasks.claim(task.id, startMs));
    await cost("prolonged", tasks.extend([{ id: task.id, claim: 1 }], startMs + 1));
    await cost("failed", tasks.finish(task.id, 1, failed, endMs));
    await cost("dead", tasks.die(task.id, "fatal", endMs));
    await cost("read", tasks.get(task.id));
    const schedules = schedulesIn(table.connect({ tracer }));
    const schedule = newSchedule();
    await cost("schedule made", schedules.tryCreate(schedule));
    const at = (minutes: number) => ({ lookAtMs: startMs + minutes * 60_000 });
    const fired = changed(schedule, at(2));
    await cost("tick with a run", schedules.fire(fired));
    await cost("tick without a run", schedules.change(changed(fired, at(3))));
    expect(units).toEqual({
      made: 3,
      "made with a key": 16,
      "confirmed while it waits": 3.5,
      claimed: 3,
      prolonged: 3,
      failed: 3,
      dead: 3,
      read: 1,
      "schedule made": 2,
      "tick with a run": 12,
      "tick without a run": 3,
    });
  });

  describe("a write whose answer was lost", () => {
    test("is repeated by the SDK, and has taken effect once", async () => {
      await using table = await part.makeTable();
      await using crooked = startCrookedDynamo(part.url);
      const tasks = tasksIn(table.connect({ endpoint: crooked.url }));
      let isLost = true;
      crooked.faultOf = () => {
        isLost = !isLost;
        return isLost ? undefined : "lost answer";
      };
      const task = newTask();
      expect(await tasks.tryCreate(task)).toMatchObject({ kind: "created" });
      expect(await tasks.claim(task.id, startMs)).toMatchObject({ kind: "won", claim: 1 });
      expect(await tasks.finish(task.id, 1, failed, endMs)).toBe(true);
      expect(await tasks.die(task.id, "fatal", endMs)).toMatchObject({ kind: "recorded" });
      expect(await tasks.discard(task.id, "no use", endMs)).toMatchObject({ kind: "discarded" });
      expect(crooked.calls).toEqual(["PutItem", "PutItem", ...Array(8).fill("UpdateItem")]);
      expect((await tasks.timeline(task.id)).map(({ to }) => to)).toEqual([
        "queued",
        "running",
        "failed",
        "dead",
        "discarded",
      ]);
    });

    test("has taken effect once also when it is a tick of a schedule, with its run or without", async () => {
      await using table = await part.makeTable();
      await using crooked = startCrookedDynamo(part.url);
      const store = table.connect({ endpoint: crooked.url });
      const [schedules, tasks] = [schedulesIn(store), tasksIn(store)];
      let isLost = false;
      crooked.faultOf = () => {
        isLost = !isLost;
        return isLost ? "lost answer" : undefined;
      };
      const schedule = newSchedule();
      expect(await schedules.tryCreate(schedule)).toBe("created");
      const [fired, task] = [changed(schedule, { fired: 1 }), newTask()];
      expect(await schedules.fire(fired, task)).toBe("changed");
      const skipped = changed(fired, { skipped: 1 });
      expect(await schedules.change(skipped)).toBe("changed");
      expect(await schedules.get(schedule.id)).toEqual(skipped);
      expect(await tasks.get(task.id)).toMatchObject({ status: "queued" });
      expect(await schedules.delete(schedule.id)).toBe(true);
    });

    test("has taken effect once also when it is a command to a redrive", async () => {
      await using table = await part.makeTable();
      await using crooked = startCrookedDynamo(part.url);
      const store = table.connect({ endpoint: crooked.url });
      await bring(tasksIn(store), "dead");
      const redrives = redrivesIn(store);
      const { id } = await redrives.start(endMs);
      crooked.faultOf = (operation) => (operation === "UpdateItem" && isFirst() ? "lost answer" : undefined);
      let updates = 0;
      const isFirst = () => updates++ === 0;
      const canceled = { isTaken: true, redrive: { status: "canceled", endedAtMs: endMs + 1 } };
      expect(await redrives.control(id, "cancel", endMs + 1)).toMatchObject(canceled);
      expect(await redrives.control(id, "cancel", endMs + 2)).toMatchObject({ ...canceled, isTaken: false });
    });
  });

  describe("an outcome of which no answer came, however often the SDK asked", () => {
    test("is taken for done when it is repeated, and another outcome or claim is refused", async () => {
      await using table = await part.makeTable();
      await using crooked = startCrookedDynamo(part.url);
      const store = table.connect({ endpoint: crooked.url });
      const tasks = tasksIn(store);
      const { id } = await tasks.create();
      const { claim } = await tasks.win(id, startMs);
      const request = { id, claim, ending: retrying, actor: actorAt(endMs) };
      crooked.faultOf = () => "lost answer";
      expect(await rejectionOf(finishOne(store, request, ROOT_CONTEXT))).toMatchObject({ code: "unavailable" });
      crooked.faultOf = () => undefined;
      expect((await tasks.get(id))?.status).toBe("retrying");
      for (const repeated of [request, { ...request }]) {
        expect(await finishOne(store, repeated, ROOT_CONTEXT)).toBe("retrying");
      }
      const succeeded = { ...request, ending: { to: "succeeded", result: "1" } } as const;
      for (const other of [succeeded, { ...request, claim: claim + 1 }]) {
        expect(await finishOne(store, other, ROOT_CONTEXT)).toBeNull();
      }
      expect(await tasks.timeline(id)).toHaveLength(3);
    });
  });

  describe("a table that is throttled or away", () => {
    test("makes calls fail as unavailable, then costs none, until it is back", async () => {
      await using table = await part.makeTable();
      await using crooked = startCrookedDynamo(part.url);
      const { tracer, spans } = startTestTracing();
      const store = table.connect({ tracer, endpoint: crooked.url });
      const tasks = tasksIn(store);
      const { id } = await tasks.create();
      crooked.faultOf = () => "throttled";
      const told = `GetItem in the table "${table.location.table}": ThrottlingException: not now`;
      for (let n = 0; n < 5; n++) {
        const error = await rejectionOf(store.get(id, ROOT_CONTEXT));
        expect(error).toMatchObject({ code: "unavailable", message: `could not ${told}` });
      }
      const span = spans().at(-1);
      expect(span?.status.code).toBe(SpanStatusCode.ERROR);
      expect(span?.attributes).toMatchObject({
        "db.response.status_code": "ThrottlingException",
        "error.type": "unavailable",
      });
      const before = crooked.calls.length;
      expect(await rejectionOf(store.get(id, ROOT_CONTEXT))).toMatchObject({ code: "unavailable" });
      expect(crooked.calls.length).toBe(before);
      crooked.faultOf = () => undefined;
      await eventually(() => tasks.get(id));
    });

    test("that is not there says so", async () => {
      await using table = await part.makeTable();
      const store = table.connect({ table: "nobody_has_made_it" });
      expect(await rejectionOf(store.ping())).toMatchObject({
        code: "unavailable",
        message: expect.stringMatching(/ResourceNotFoundException: .*: throughline setup makes the table$/),
      });
    });
  });

  describe("what has ended", () => {
    test("goes some time after its end by itself, and what lives or has come back does not", async () => {
      await using table = await part.makeTable();
      // Long after today, so that the service removes none of it under our hands.
      const retentionMs = 40 * 365 * dayMs;
      const store = table.connect({ retentionMs });
      const [tasks, redrives] = [tasksIn(store), redrivesIn(store)];
      const statuses = [
        "scheduled",
        "queued",
        "running",
        "retrying",
        "failed",
        "succeeded",
        "canceled",
        "discarded",
      ] as const;
      const ttls: unknown[] = [];
      for (const status of statuses) ttls.push(await ttlOf(table, await bring(tasks, status)));
      const endTtl = Math.ceil((endMs + retentionMs) / 1000);
      expect(ttls).toEqual([...Array(5).fill(undefined), endTtl, endTtl, endTtl]);
      const dead = await bring(tasks, "dead");
      expect(await ttlOf(table, dead)).toBe(endTtl);
      await redrives.start(endMs + 1);
      await redrives.run(endMs + 1);
      expect(await ttlOf(table, dead)).toBeUndefined();
    });

    test("leaves its idempotency key behind only until then, whenever the service removes that", async () => {
      await using table = await part.makeTable();
      const retentionMs = 40 * 365 * dayMs;
      const tasks = tasksIn(table.connect({ retentionMs }));
      const asked = (digest: string) => newTask({ idempotency: { key: "order 17", digest } });
      await tasks.tryCreate(asked("d1"));
      expect(await tasks.tryCreate(asked("d2"), t0 + retentionMs - 1000)).toEqual({ kind: "mismatch" });
      expect(await tasks.tryCreate(asked("d2"), t0 + retentionMs + 1000)).toMatchObject({ kind: "created" });
    });

    test("stays for ever when it is so set", async () => {
      await using table = await part.makeTable();
      const tasks = tasksIn(table.connect());
      expect(await ttlOf(table, await bring(tasks, "succeeded"))).toBeUndefined();
    });
  });

  describe("an item", () => {
    test("has room for a long payload and a long result, each as it was", async () => {
      await using table = await part.makeTable();
      const tasks = tasksIn(table.connect());
      const payload = JSON.stringify("p".repeat(256 * 1024 - 2));
      const result = JSON.stringify("ü€𝄞".repeat(120_000));
      const { id } = await tasks.create({ payload });
      const { claim } = await tasks.win(id, startMs);
      expect(await tasks.finish(id, claim, { to: "succeeded", result }, endMs)).toBe(true);
      expect(await tasks.get(id)).toMatchObject({ payload, result, status: "succeeded" });
      expect(await tasks.finish(id, claim + 1, { to: "succeeded", result }, endMs)).toBe(false);
    });

    test("that is full forgets its oldest changes, and goes on counting from them", async () => {
      await using table = await part.makeTable();
      const tasks = tasksIn(table.connect());
      const payload = JSON.stringify("p".repeat(256 * 1024 - 2));
      const { id } = await tasks.create({ payload, maxAttempts: 1000 });
      const error = { type: "E", message: "x".repeat(5000), causes: Array(8).fill("y".repeat(5000)) };
      let atMs = t0;
      for (let n = 1; n <= 60; n++) {
        const { claim, task } = await tasks.win(id, atMs);
        expect([claim, task.attempt]).toEqual([n, n]);
        const ending = { to: "retrying", runAtMs: atMs, sendAtMs: atMs, outcome: "failed", error } as const;
        expect(await tasks.finish(id, claim, ending, ++atMs)).toBe(true);
      }
      const { task, timeline } = await keptOf(tasks, id);
      expect(task).toMatchObject({ status: "retrying", attempt: 60 });
      expect(timeline.length).toBeLessThan(121);
      expect(timeline.at(-1)).toMatchObject({ from: "running", to: "retrying", attempt: 60, worker: "w1" });
      expect(timeline.at(0)?.from).not.toBeNull();
    });
  });
});

function unitsIn({ attributes }: ReadableSpan): number {
  const consumed = attributes["aws.dynamodb.consumed_capacity"];
  const all: { CapacityUnits: number }[] = (Array.isArray(consumed) ? consumed : []).map((one) =>
    JSON.parse(String(one)),
  );
  return all.reduce((sum, { CapacityUnits }) => sum + CapacityUnits, 0);
}

/** In seconds since the epoch; undefined when the service keeps the task for ever. */
async function ttlOf({ client, location }: DynamoTableOfTest, id: string): Promise<number | undefined> {
  const { Item } = await client.send(new GetItemCommand({ TableName: location.table, Key: { pk: { S: id } } }));
  return Item?.ttl?.N === undefined ? undefined : Number(Item.ttl.N);
}
