/** A payload as somebody writes it into the page. */

import { expect, test } from "bun:test";
import { readPayload } from "../../src/console/page/views/tasks/payload.ts";

test.each([
  ['{"a": [1, 2]}', { a: [1, 2] }, 11],
  ["null", null, 4],
  [' "é" ', "é", 4],
  ["  ", undefined, 0],
])("%p is read", (text, value, bytes) => {
  expect(readPayload(text)).toEqual({ value, bytes });
});

test.each(["{", "{'a': 1}", "[1,]", "undefined"])("%p is told to be no JSON", (text) => {
  expect(readPayload(text).problem).toStartWith("No JSON: ");
});

test("more than a task may have is told before it is sent", () => {
  expect(readPayload(JSON.stringify("x".repeat(256 * 1024))).problem).toContain("more than the 262144");
});
