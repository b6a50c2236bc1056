import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { v4 as uuidv4 } from "uuid";
import { encodeTask, keptAttributes, parseDeadReason, parseEnvelope } from "../../src/queue/envelope.ts";
import { TaskError } from "../../src/words/errors.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { anyText } from "../support/any-text.ts";

const taskId = newTaskId();

describe("the body of a message", () => {
  test("is the task's id and type, and the version", () => {
    expect(JSON.parse(encodeTask({ taskId, type: "send-email" }))).toEqual({
      v: 1,
      task_id: taskId,
      type: "send-email",
    });
  });

  test("reads back as it was, whatever the type is called", () => {
    fc.assert(
      fc.property(anyText({ minLength: 1 }), (type) => {
        const envelope = { taskId: newTaskId(), type };
        expect(parseEnvelope(encodeTask(envelope))).toEqual(envelope);
      }),
    );
  });

  test("may say more than this program knows", () => {
    expect(parseEnvelope(JSON.stringify({ v: 1, task_id: taskId, type: "echo", priority: 3 }))).toEqual({
      taskId,
      type: "echo",
    });
  });

  const refused: [message: string, body: string][] = [
    ["the message body is not JSON", ""],
    ["the message body is not JSON", "hello"],
    ["the message body is not a JSON object", "null"],
    ["the message body is not a JSON object", '"text"'],
    ["the message has version undefined", "[]"],
    ["the message has version undefined", JSON.stringify({ task_id: taskId, type: "echo" })],
    ["the message has version 2", JSON.stringify({ v: 2, task_id: taskId, type: "echo" })],
    ['the message has version "1"', JSON.stringify({ v: "1", task_id: taskId, type: "echo" })],
    ["the message's task_id is not a UUIDv7", JSON.stringify({ v: 1, type: "echo" })],
    ["the message's task_id is not a UUIDv7", JSON.stringify({ v: 1, task_id: 7, type: "echo" })],
    ["the message's task_id is not a UUIDv7", JSON.stringify({ v: 1, task_id: uuidv4(), type: "echo" })],
    ["the message has no type", JSON.stringify({ v: 1, task_id: taskId })],
    ["the message has no type", JSON.stringify({ v: 1, task_id: taskId, type: "" })],
    ["the message has no type", JSON.stringify({ v: 1, task_id: taskId, type: null })],
  ];

  test.each(refused)("is refused: %s: %s", (message, body) => {
    const error = thrownBy(() => parseEnvelope(body));
    expect(error).toBeInstanceOf(TaskError);
    expect(error).toMatchObject({ code: "invalid_argument", message });
  });

  test("is an envelope or refused with that code, whatever JSON it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (body) => {
        const thrown = thrownBy(() => parseEnvelope(body));
        expect(thrown).toMatchObject({ code: "invalid_argument" });
      }),
    );
  });
});

describe("the reason on a dead letter", () => {
  test.each(["attempts_exhausted", "fatal", "never_finished", "receive_limit", "unreadable", "unknown_task"] as const)(
    "%s is taken as it is",
    (reason) => {
      expect(parseDeadReason(reason)).toBe(reason);
    },
  );

  test.each([undefined, "", "tired", "FATAL", "toString"])("%p means that the broker moved it by itself", (text) => {
    expect(parseDeadReason(text)).toBe("receive_limit");
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (thrown) {
    return thrown;
  }
  return undefined;
}

test("a dead letter keeps whose task it is, and then what others put there, but no context of another span", () => {
  const context = { traceparent: "1", tracestate: "2", baggage: "3", b3: "4", b3multi: "5" };
  const ours = { correlation_id: "c", task_type: "echo", redriven_at: "2026-01-01T00:00:00.000Z" };
  const kept = keptAttributes({ theirs: "x", ...context, "x-trace": "y", ...ours });
  expect(Object.entries(kept)).toEqual(Object.entries({ ...ours, theirs: "x", "x-trace": "y" }));
  expect(keptAttributes({ ...context, theirs: "x" })).toEqual({ theirs: "x" });
});
