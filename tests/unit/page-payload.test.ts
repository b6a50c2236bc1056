/** A payload as somebody writes it into the page. */

import { expect, test } from "bun:test";
import { detailOf, readPayload } from "../../src/console/page/views/tasks/payload.ts";
import { JsonText, readJson } from "../../src/words/json-text.ts";

test.each([
  ['{"a": [1, 2]}', 13],
  ["null", 4],
  [' "é" ', 6],
])("%p is read", (text, bytes) => {
  expect(readPayload(text)).toEqual({ text: new JsonText(text), bytes });
});

test("no text is no payload", () => {
  expect(readPayload("  ")).toEqual({ text: undefined, bytes: 0 });
});

test.each(["{", "{'a': 1}", "[1,]", "undefined"])("%p is told to be no JSON", (text) => {
  expect(readPayload(text).problem).toStartWith("No JSON: ");
});

test.each(['{"id": 9007199254740993}', "[0.1, 1e400]", "-12345678901234567890123"])("%p keeps its digits", (text) => {
  expect(readPayload(text).text?.text).toBe(text);
});

test("more than a task may have is told before it is sent", () => {
  expect(readPayload(JSON.stringify("x".repeat(256 * 1024))).problem).toContain("more than the 262144");
});

const schema = { type: "object", properties: { to: { type: "string" }, count: { type: "integer" } }, required: ["to"] };

test.each([
  ['{"to": "a", "count": 2}', undefined],
  ['{"count": 0.5}', "/payload/to: is required, and 1 more"],
  ['{"to": 7}', '/payload/to: Instance type "number" is invalid. Expected "string"'],
  ["", '/payload: Instance type "null" is invalid. Expected "object"'],
])("%p is held to the schema of its type", (text, problem) => {
  expect(readPayload(text, schema).problem).toBe(problem);
});

test("a schema that leads nowhere refuses nothing", () => {
  expect(readPayload("1", { $ref: "#/nowhere" }).problem).toBeUndefined();
});

test.each([
  ['{"payload":{"n": 1.50},"result":null}', '{"n": 1.50}'],
  ['{"payload":1,"result":[2]}', "[2]"],
  ['{"payload":null,"result":null}', ""],
])("a list shows the result of %s, or the payload before there is one", (text, shown) => {
  const { payload, result } = Object(readJson(text, 64));
  expect(detailOf({ payload, result })).toBe(shown);
});
