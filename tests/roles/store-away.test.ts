/** When a role's line to the store takes the store for away. The test answers in the place of the store's thread. */

import { beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { type Breaker, createBreaker } from "../../src/limits/breaker.ts";
import type { Store } from "../../src/store/ports/store.ts";
import { connectSqlite } from "../../src/store/sqlite/client.ts";
import { StoreLockedError, toStoreError } from "../../src/store/sqlite/connection.ts";
import type { StoreAnswer, StoreQuestion } from "../../src/store/sqlite/thread.ts";
import { type Batch, createBatchedPost, readBatch } from "../../src/threads/batched-post.ts";
import type { Failure } from "../../src/words/errors.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { rejectionOf } from "../support/rejection.ts";
import { actorAt, newTask, t0 } from "../support/stored-tasks.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** The pauses of a breaker are over when a test says so. */
let clock: FakeClock;
beforeEach(() => {
  clock = createFakeClock();
});

interface Line extends Disposable {
  store: Store;
  breaker: Breaker;
  /** The operations that have arrived. */
  asked: string[];
}

type Answer = { value: unknown } | { failure: Failure; isAway?: boolean };

/** A line whose other end answers each operation with this; not at all when it is undefined. */
function startLine(answer: (op: string) => Answer | undefined): Line {
  const { port1, port2 } = new MessageChannel();
  const asked: string[] = [];
  const tell = createBatchedPost<StoreAnswer>((batch) => port2.postMessage(batch));
  port2.onmessage = ({ data }: MessageEvent<Batch>) => {
    for (const { number, call } of readBatch<StoreQuestion>(data)) {
      asked.push(call.op);
      const answered = answer(call.op);
      if (answered) tell({ number, answer: answered });
    }
  };
  const breaker = createBreaker({ name: "store", side: "the store", clock });
  const store = connectSqlite({ port: port1, tracer: trace.getTracer("test"), table: "tasks", breaker });
  return {
    store,
    breaker,
    asked,
    [Symbol.dispose]: () => {
      port1.close();
      port2.close();
    },
  };
}

function refusedWith(reason: string): Answer & { failure: Failure } {
  return { failure: { type: "unavailable", message: `the store (throughline.db) refused: ${reason}` } };
}

const refused = { code: "unavailable", message: "the store does not answer, calls to it are refused for now" };

describe("a store that refuses", () => {
  test.each(["database or disk is full", "disk I/O error", "UNIQUE constraint failed: database is locked"])(
    "is there, and goes on being asked: %s",
    async (reason) => {
      using line = startLine((op) => (op === "get" ? { value: undefined } : refusedWith(reason)));
      const refusal = { code: "unavailable", message: `the store (throughline.db) refused: ${reason}` };
      for (let n = 0; n < 6; n++) expect(await rejectionOf(line.store.listTypes(ROOT_CONTEXT))).toMatchObject(refusal);
      expect(await line.store.get("7", ROOT_CONTEXT)).toBeUndefined();
      expect(line.breaker.state()).toBe("closed");
    },
  );
});

describe("a store whose file another process has locked", () => {
  test("is known by the code of the error", async () => {
    await using folder = await tempFolder();
    using one = new DatabaseSync(join(folder.path, "a.db"), { timeout: 0 });
    using other = new DatabaseSync(join(folder.path, "a.db"), { timeout: 0 });
    one.exec("BEGIN IMMEDIATE");
    const locked = await rejectionOf(Promise.try(() => other.exec("BEGIN IMMEDIATE")));
    expect(toStoreError(locked)).toBeInstanceOf(StoreLockedError);
    expect(toStoreError(new Error("a handler says: database is busy"))).not.toBeInstanceOf(StoreLockedError);
  });

  test("fails every entry of a call, which counts once", async () => {
    let answer: Answer = { ...refusedWith("database is locked"), isAway: true };
    using line = startLine(() => answer);
    const entries = Array.from({ length: 3 }, () => ({ task: newTask(), actor: actorAt(t0), context: ROOT_CONTEXT }));
    const locked = {
      kind: "failed",
      error: { code: "unavailable", message: refusedWith("database is locked").failure.message },
    };
    for (let n = 0; n < 5; n++) {
      expect(line.breaker.state()).toBe("closed");
      expect(await line.store.create(entries)).toMatchObject([locked, locked, locked]);
    }
    expect(line.breaker.state()).toBe("open");
    expect(await line.store.create(entries)).toMatchObject(Array(3).fill({ kind: "failed", error: refused }));
    expect(line.asked).toEqual(Array(5).fill("create"));

    // One entry alone that the lock hits, as between two transactions, says nothing of the store.
    answer = { value: [{ value: { kind: "created" } }, answer, { value: { kind: "no_room" } }] };
    await clock.advance(1000);
    const created = { kind: "done", value: { kind: "created" } };
    const noRoom = { kind: "done", value: { kind: "no_room" } };
    expect(await line.store.create(entries)).toMatchObject([created, locked, noRoom]);
    expect(line.breaker.state()).toBe("closed");
  });

  test("is not asked after five calls, and again after a while, beginning with a short question", async () => {
    let answer: Answer = { ...refusedWith("database is locked"), isAway: true };
    using line = startLine(() => answer);
    const { store, breaker, asked } = line;
    for (let n = 0; n < 5; n++) await rejectionOf(store.get("7", ROOT_CONTEXT));
    expect(breaker.state()).toBe("open");
    const refusals = [store.get("7", ROOT_CONTEXT), store.awaitEnd("7", 1000, ROOT_CONTEXT), store.ping()];
    for (const refusal of refusals)
      expect(await rejectionOf(refusal)).toMatchObject({ ...refused, retryAfterMs: 1000 });
    expect(asked).toEqual(Array(5).fill("get"));

    answer = { value: undefined };
    await clock.advance(1000);
    expect(await store.awaitEnd("7", 1000, ROOT_CONTEXT)).toBeUndefined();
    expect([breaker.state(), asked.slice(5)]).toEqual(["closed", ["ping", "awaitEnd"]]);
  });
});

test("a store that does not answer is not asked after five calls", async () => {
  using line = startLine(() => undefined);
  const calls = Array.from({ length: 5 }, () => rejectionOf(line.store.ping()));
  const late = { code: "unavailable", message: "the store did not answer ping within 30000 ms" };
  expect(await Promise.all(calls)).toMatchObject(Array(5).fill(late));
  expect(await rejectionOf(line.store.ping())).toMatchObject(refused);
  expect(line.asked.length).toBe(5);
}, 60_000);
