import { expect, test } from "bun:test";
import * as conventions from "@opentelemetry/semantic-conventions/incubating";
import { key, ownKey } from "../../src/telemetry/names.ts";

/** The keys that are the same in spans, logs and metrics. */
const shared = ["task_id", "task_type", "attempt", "correlation_id"];

test("every key that is not ours is one of the conventions", () => {
  const attributes = Object.entries(conventions)
    .filter(([name]) => name.startsWith("ATTR_"))
    .map(([, value]) => value);
  expect(Object.values(key).filter((name) => !attributes.includes(name))).toEqual([]);
});

test("every key of ours is one of the four shared ones or begins with throughline.", () => {
  const names: string[] = Object.values(ownKey);
  expect(names.filter((name) => !name.startsWith("throughline.")).sort()).toEqual([...shared].sort());
});

test("no two keys are the same", () => {
  const names = [...Object.values(key), ...Object.values(ownKey)];
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
