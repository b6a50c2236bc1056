/** Requests of RPC as JSON: protobuf's other spellings become those of the API, and payloads stay as they are. */

import { describe, expect, test } from "bun:test";
import type { z } from "zod";
import { newRedrive } from "../../src/api/dead-letter.ts";
import { newSchedule, updateSchedule } from "../../src/api/schedule.ts";
import type { RpcMethod } from "../../src/rpc/methods.ts";
import { parseCreateTask, parseRequest } from "../../src/task-service/requests.ts";
import { JsonText, readJson } from "../../src/words/json-text.ts";

/** JavaScript holds none of these numbers. */
const payload = '[9007199254740993, 1e400, {"payload": 0, "metadata": 1.50}]';
const taskId = "01890a5d-ac96-774b-bcce-b302099a8057";

function parse<Form extends z.ZodType>(method: RpcMethod, form: Form, text: string): z.output<Form> {
  return parseRequest(method, form, readJson(text, 64));
}

describe("beside a field in a spelling of protobuf, a payload keeps its characters", () => {
  test.each([
    '"maxAttempts":3',
    '"max_attempts":"3"',
    '"max_attempts":3,"idempotency_key":""',
    '"maxAttempts":3,"metadata":{"payload":"0"}',
  ])("of a task: %s", (field) => {
    const task = parseCreateTask(readJson(`{"type":"echo","payload":${payload},${field}}`, 64));
    expect(task).toMatchObject({ payload, maxAttempts: 3 });
    expect(task.metadata).toEqual(field.includes("metadata") ? { payload: "0" } : {});
  });

  test("of a schedule, when it is made and when it is changed", () => {
    const task = `{"type":"echo","payload":${payload},"maxAttempts":3}`;
    const expected = { type: "echo", payload: new JsonText(payload), max_attempts: 3 };
    expect(parse("CreateSchedule", newSchedule, `{"every":"1h","task":${task}}`).task).toEqual(expected);
    const change = `{"id":"a","change":{"task":${task}},"fields":["task"]}`;
    expect(parse("UpdateSchedule", updateSchedule, change).change.task).toEqual(expected);
  });

  test("of a redrive", () => {
    const redrive = parse("RedriveDeadLetters", newRedrive, `{"ids":["${taskId}"],"payload":${payload},"dryRun":true}`);
    expect(redrive).toEqual({ ids: [taskId], payload: new JsonText(payload), dry_run: true });
  });
});

test("a change of a schedule has its fields in each spelling, and none that is not there", () => {
  const changed = (change: string): unknown =>
    parse("UpdateSchedule", updateSchedule, `{"id":"a","change":${change},"fields":["catch_up"]}`).change;
  for (const change of ['{"catch_up":0}', '{"catchUp":0}', '{"catchUp":"0"}']) {
    expect(changed(change)).toEqual({ catch_up: 0 });
  }
  expect(changed('{"startAt":"2030-01-01T00:00:00Z","timeZone":"UTC"}')).toEqual({
    start_at: "2030-01-01T00:00:00Z",
    time_zone: "UTC",
  });
  expect(() => changed('{"catchup":0}')).toThrow('key "catchup" is unknown');
});

test("a refusal names what does not fit, and no field for its spelling", () => {
  const refused = (): unknown => parseCreateTask({ type: "echo", maxAttempts: 101 });
  expect(refused).toThrow(
    expect.objectContaining({
      problems: [{ pointer: "/max_attempts", detail: "Too big: expected number to be <=100" }],
    }),
  );
});
