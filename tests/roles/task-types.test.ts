/** The task types as a role knows them, while workers register others. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { createTaskTypes } from "../../src/store/ports/types.ts";
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
