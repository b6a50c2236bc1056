/** Three task services, one of them killed in the middle: each tick of a schedule has one run, on either store. */

import { beforeAll, expect, test } from "bun:test";
import { compiledExecutable } from "../support/executable.ts";
import { describeWith } from "../support/requires.ts";
import { runSchedules } from "../torture/schedules.ts";

const seconds = 12;
const limitMs = 240_000;

// A build takes its time: none of the tests' own.
beforeAll(async () => {
  await compiledExecutable();
}, 180_000);

async function expectEachOnce(store: "sqlite" | "dynamodb"): Promise<void> {
  const seen = await runSchedules({ store, seconds, kills: 1, restarts: false });
  expect(seen).toEqual({
    fired: seconds,
    skipped: 0,
    missed: 0,
    kills: 1,
    runs: Array<number>(seconds).fill(1),
    ended: { succeeded: seconds },
    strangers: 0,
  });
}

describeWith("elasticmq")("a schedule of each second, on one SQLite file", () => {
  test("has one run for each tick while a task service is killed", () => expectEachOnce("sqlite"), limitMs);
});

describeWith("elasticmq", "dynamodb")("a schedule of each second, on DynamoDB", () => {
  test("has one run for each tick while a task service is killed", () => expectEachOnce("dynamodb"), limitMs);
});
