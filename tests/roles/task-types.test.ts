/** The task types as a role knows them, while workers register others. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { readConfig } from "../../src/config.ts";
import { systemClock } from "../../src/limits/clock.ts";
import { createTaskTypes } from "../../src/store/ports/types.ts";
import { createAcceptance } from "../../src/task-service/accept.ts";
import { createNews } from "../../src/task-service/news.ts";
import { createPayloadChecks } from "../../src/task-service/payload-checks.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import type { TaskType } from "../../src/words/task.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { startStoreThread } from "../support/sqlite-store.ts";
import { tempFolder } from "../support/temp-folder.ts";

function typeWith(payloadSchema: string | null): TaskType {
  return { type: "order", maxAttempts: null, timeoutMs: null, isolation: "shared", payloadSchema };
}

const [older, newer, newest] = [typeWith(null), typeWith('{"type":"object"}'), typeWith('{"type":"array"}')];

test("a type that is registered again is known as it was until somebody asks for the newest, or half a minute is over", async () => {
  await using folder = await tempFolder();
  await using thread = await startStoreThread(folder.path);
  const store = await thread.connect();
  const clock = createFakeClock();
  const types = createTaskTypes(store, clock);
  await store.registerTypes([older], ROOT_CONTEXT);
  expect(await types.find("order")).toEqual(older);

  await store.registerTypes([newer], ROOT_CONTEXT);
  expect(await types.find("order")).toEqual(older);
  // Just asked: who is refused all the time must not have the store asked all the time.
  expect(await types.findNewest("order")).toEqual(older);
  await clock.advance(1001);
  expect(await types.findNewest("order")).toEqual(newer);

  await store.registerTypes([newest], ROOT_CONTEXT);
  await clock.advance(30_001);
  expect(await types.find("order")).toEqual(newer);
  await eventually(async () => (await types.find("order"))?.payloadSchema === newest.payloadSchema);
});

test("of tasks that come at once, all types that are not known yet cost one look into the store", async () => {
  await using folder = await tempFolder();
  await using thread = await startStoreThread(folder.path);
  const store = await thread.connect();
  let looks = 0;
  const types = createTaskTypes({
    listTypes: (context) => {
      looks += 1;
      return store.listTypes(context);
    },
  });
  const telemetry = startTelemetry("task-service", readConfig({ handlers: "" }, {}).config, () => {});
  const accept = createAcceptance({
    store,
    types,
    payloads: createPayloadChecks(types),
    // What is not sent is the sweeper's, of which this test has none.
    sends: {
      first: async () => {},
      again: async () => 0,
      takeFailed: () => [],
      takeConfirmed: () => [],
      takeLast: async () => [],
    },
    news: createNews(telemetry, types),
    clock: systemClock,
    log: telemetry.log,
    service: "task-service",
    maxAttempts: 3,
    metadataAttributes: [],
  });
  const span = trace.wrapSpanContext({ traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 });
  const place = { correlationId: "c-1", context: trace.setSpan(ROOT_CONTEXT, span), span };
  const names = Array.from({ length: 64 }, (_, n) => `type-${n}`);
  const arrivals = names.map((type) => ({ message: { type, payload: null }, place }));

  const made = await accept(arrivals);
  expect([made.map(({ kind }) => kind), looks]).toEqual([names.map(() => "done"), 1]);

  await store.registerTypes([{ ...older, type: "type-7" }], ROOT_CONTEXT);
  const fates = await accept(arrivals);
  const expected = names.map((name) => (name === "type-7" ? "done" : "failed"));
  expect([fates.map(({ kind }) => kind), looks]).toEqual([expected, 2]);
});
