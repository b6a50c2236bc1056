/**
 * What every store promises, held against each implementation through what a role has of it: the port, over a line to a
 * real thread or to a real DynamoDB. What only one of them promises stands beside it.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import type { TaskType } from "../../src/words/task.ts";
import { type DynamoPart, startDynamoPart } from "../support/dynamo-store.ts";
import { rejectionOf } from "../support/rejection.ts";
import { describeWith } from "../support/requires.ts";
import { type OpenStore, openSqliteStore, startStoreThread } from "../support/sqlite-store.ts";
import { claimOne, createOne } from "../support/store-entries.ts";
import { actorAt, newTask, recordOf, t0, tasksIn } from "../support/stored-tasks.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startTestTracing } from "../support/test-tracing.ts";
import { describeAwaitEnd } from "./store/await-end.ts";
import { type BatchOptions, describeBatches } from "./store/batches.ts";
import { describeCancel } from "./store/cancel.ts";
import { describeClaim } from "./store/claim.ts";
import { describeCreate } from "./store/create.ts";
import { describeDeadGroups } from "./store/dead-groups.ts";
import { describeDeadLetters } from "./store/dead-letters.ts";
import { describeFigures } from "./store/figures.ts";
import { describeFinish } from "./store/finish.ts";
import { describeList } from "./store/list.ts";
import { describeModel } from "./store/model.ts";
import { describePrune } from "./store/prune.ts";
import { describePutOff } from "./store/put-off.ts";
import { describeRedriveCommits } from "./store/redrive-commits.ts";
import { describeRedriveOrders } from "./store/redrive-orders.ts";
import { describeRedriveRate } from "./store/redrive-rate.ts";
import { describeRedriveSteps } from "./store/redrive-steps.ts";
import { describeSchedules } from "./store/schedules.ts";
import { describeSchema } from "./store/schema.ts";
import { describeSweep } from "./store/sweep.ts";
import { describeWaiting } from "./store/waiting.ts";
import { describeWatch } from "./store/watch.ts";

/** Each test starts threads of its own, on a machine that may be busy. */
setDefaultTimeout(60_000);

/** `histories`: how many are drawn; what is a call over a network takes its time. */
function describeStore(open: OpenStore, histories: number, batches: BatchOptions): void {
  describe("the port", () => {
    describeCreate(open);
    describeClaim(open);
    describePutOff(open);
    describeBatches(open, batches);
    describeFinish(open);
    describeCancel(open);
    describeDeadLetters(open);
    describeDeadGroups(open);
    describeRedriveOrders(open);
    describeRedriveRate(open);
    describeRedriveSteps(open);
    describeRedriveCommits(open);
    describeSweep(open);
    describeWaiting(open);
    describeFigures(open);
    describeAwaitEnd(open);
    describeList(open);
    describeWatch(open);
    describeSchedules(open);
    describeTypes(open);
    describeKeeping(open);
    describeModel(open, histories);
  });
}

function describeTypes(open: OpenStore): void {
  describe("the task types", () => {
    const echo: TaskType = {
      type: "echo",
      maxAttempts: null,
      timeoutMs: null,
      isolation: "shared",
      payloadSchema: null,
    };
    const email: TaskType = {
      type: "send-email",
      maxAttempts: 8,
      timeoutMs: 30_000,
      isolation: "exclusive",
      payloadSchema: '{"type":"object","required":["to"]}',
    };

    test("are none before a worker registers, then all that were, as they were last", async () => {
      await using place = await open();
      const other = await place.connectOther();
      expect(await place.store.listTypes(ROOT_CONTEXT)).toEqual([]);
      await place.store.registerTypes([email, echo], ROOT_CONTEXT);
      expect(await other.listTypes(ROOT_CONTEXT)).toEqual([echo, email]);
      const changed: TaskType = { ...email, maxAttempts: null, isolation: "shared", payloadSchema: '{"type":"array"}' };
      await other.registerTypes([changed], ROOT_CONTEXT);
      expect(await place.store.listTypes(ROOT_CONTEXT)).toEqual([echo, changed]);
    });
  });
}

function describeKeeping(open: OpenStore): void {
  describe("what is kept", () => {
    test("includes dead letters that name no task, as they were when they first came", async () => {
      await using place = await open();
      const attributes = { dead_reason: "unreadable", "odd key": "ü\n" };
      const letter = { messageId: "m1", body: "not ours \u0001", attributes, reason: "unreadable", atMs: t0 };
      const other = { ...letter, messageId: "m2", body: "", atMs: t0 + 1 };
      await place.store.keepUnreadable(letter, ROOT_CONTEXT);
      await place.store.keepUnreadable(other, ROOT_CONTEXT);
      await place.store.keepUnreadable({ ...letter, body: "again", atMs: t0 + 2 }, ROOT_CONTEXT);
      const last = { ...letter, messageId: "m3", atMs: t0 + 1 };
      await place.store.keepUnreadable(last, ROOT_CONTEXT);
      const store = await place.reopen();
      expect(await store.listUnreadable(10, ROOT_CONTEXT)).toEqual([last, other, letter]);
      expect(await store.listUnreadable(1, ROOT_CONTEXT)).toEqual([last]);
    });

    test("is all there after every connection was closed and the data opened again", async () => {
      await using place = await open();
      const type: TaskType = {
        type: "echo",
        maxAttempts: 2,
        timeoutMs: 1,
        isolation: "exclusive",
        payloadSchema: '{"type":"string"}',
      };
      const before = tasksIn(place.store);
      const queued = await before.create({ idempotency: { key: "k", digest: "d" } });
      const running = await before.create();
      await before.win(running.id, t0);
      await before.win(running.id, t0 + 30_000);
      await place.store.registerTypes([type], ROOT_CONTEXT);
      const records = [await before.get(queued.id), await before.get(running.id)];
      const timeline = await before.timeline(running.id);

      const store = await place.reopen();
      const after = tasksIn(store);

      expect([await after.get(queued.id), await after.get(running.id)]).toEqual(records);
      expect(await after.timeline(running.id)).toEqual(timeline);
      expect(await store.listTypes(ROOT_CONTEXT)).toEqual([type]);
      expect(await after.tryCreate(newTask({ idempotency: { key: "k", digest: "d" } }))).toEqual({
        kind: "replayed",
        task: recordOf(queued),
      });
      expect(await after.finish(running.id, 1, { to: "succeeded", result: "1" }, t0 + 40_000)).toBe(false);
      expect(await after.finish(running.id, 2, { to: "succeeded", result: "1" }, t0 + 40_000)).toBe(true);
      expect(await after.due(t0 + 3_600_000)).toEqual([queued.id]);
    });
  });
}

describe("the SQLite store", () => {
  describeStore(openSqliteStore, 250, { runs: 40, isInOrder: true });
  describePrune(openSqliteStore);
});

describeSchema();

const withDynamoDb = describeWith("dynamodb");

withDynamoDb("the DynamoDB store", () => {
  let part: DynamoPart;
  beforeAll(async () => {
    part = await startDynamoPart();
  });
  afterAll(() => part[Symbol.asyncDispose]());
  describeStore(() => part.open(), 50, { runs: 5, isInOrder: false });
});

describe("the SQLite file", () => {
  test("is opened by several processes at once, fresh as it is", async () => {
    for (let round = 0; round < 8; round++) {
      await using folder = await tempFolder();
      const threads = await Promise.all([1, 2, 3].map(() => startStoreThread(folder.path)));
      const lines = await Promise.all(threads.map((thread) => thread.connect()));
      const created = await Promise.all(lines.map((store) => tasksIn(store).create()));
      const seen = await Promise.all(lines.map((store, n) => tasksIn(store).get(created[(n + 1) % 3]?.id ?? "")));
      expect(seen.map((task) => task?.status)).toEqual(["queued", "queued", "queued"]);
      await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
    }
  }, 60_000);

  test("cannot be where no folder can", async () => {
    await using folder = await tempFolder();
    await Bun.write(join(folder.path, "file"), "");
    const error = await rejectionOf(startStoreThread(join(folder.path, "file")));
    expect(error).toMatchObject({ code: "internal", message: expect.stringContaining("EEXIST") });
  });
});

describe("a call of the SQLite store", () => {
  const common = { "db.system.name": "sqlite", "db.collection.name": "tasks", "db.namespace": "throughline.db" };

  test("has a CLIENT span under its caller's, with the contract's attributes", async () => {
    await using folder = await tempFolder();
    await using thread = await startStoreThread(folder.path);
    const { tracer, spans } = startTestTracing();
    const store = await thread.connect(tracer);
    const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
    const context = trace.setSpanContext(ROOT_CONTEXT, caller);
    const task = newTask();
    await createOne(store, task, actorAt(t0), context);
    await claimOne(store, { id: task.id, worker: "w1", leaseMs: 1000, actor: actorAt(t0) }, context);
    await store.get(task.id, context);
    await store.takeDue(10, 1000, actorAt(t0));
    await store.ping();
    const told = spans().map(({ name, kind, attributes, parentSpanContext, status }) => ({
      name,
      kind,
      attributes: { ...attributes, "db.query.text": String(attributes["db.query.text"]).split(" ", 3).join(" ") },
      parent: parentSpanContext?.spanId,
      status: status.code,
    }));
    const same = { kind: SpanKind.CLIENT, parent: caller.spanId, status: SpanStatusCode.UNSET };
    const operation = (name: string, text: string) => ({
      ...same,
      name: `${name} tasks`,
      attributes: { ...common, "db.operation.name": name, "db.query.text": text },
    });
    expect(told).toEqual([
      operation("INSERT", "INSERT INTO tasks"),
      operation("UPDATE", "UPDATE tasks SET"),
      operation("SELECT", "SELECT * FROM"),
    ]);
  });

  test("with many entries has a span for each, in its own context and with its own error", async () => {
    await using folder = await tempFolder();
    await using thread = await startStoreThread(folder.path);
    const { tracer, spans } = startTestTracing();
    const store = await thread.connect(tracer);
    const callers = ["00f067aa0ba902b7", "00f067aa0ba902b8", "00f067aa0ba902b9"];
    const contexts = callers.map((spanId) =>
      trace.setSpanContext(ROOT_CONTEXT, { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId, traceFlags: 1 }),
    );
    const [task, other] = [newTask(), newTask()];
    const made = [task, task, other].map((each, n) => ({
      task: each,
      actor: actorAt(t0),
      context: contexts[n] ?? ROOT_CONTEXT,
    }));
    const results = await store.create(made);
    expect(results.map(({ kind }) => kind)).toEqual(["done", "failed", "done"]);
    expect(spans().map(({ parentSpanContext, status }) => [parentSpanContext?.spanId, status.code])).toEqual([
      [callers[0], SpanStatusCode.UNSET],
      [callers[1], SpanStatusCode.ERROR],
      [callers[2], SpanStatusCode.UNSET],
    ]);
  });

  test("that fails marks its span with the code", async () => {
    await using folder = await tempFolder();
    await using thread = await startStoreThread(folder.path);
    const { tracer, spans } = startTestTracing();
    const store = await thread.connect(tracer);
    const task = newTask();
    await createOne(store, task, actorAt(t0), ROOT_CONTEXT);
    const message = `the store (${databaseFile}) refused: UNIQUE constraint failed: tasks.id`;
    const error = await rejectionOf(createOne(store, task, actorAt(t0), ROOT_CONTEXT));
    expect(error).toMatchObject({ code: "internal", message });
    expect(spans()[1]?.status).toEqual({ code: SpanStatusCode.ERROR, message });
    expect(spans()[1]?.attributes).toMatchObject({
      "db.response.status_code": "internal",
      "error.type": "internal",
    });
  });
});
