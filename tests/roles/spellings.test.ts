/** What callers write in more than one way, or in a way that JavaScript cannot hold, as each border takes it: numbers, members of objects, ids, times. */

import { describe, expect, test } from "bun:test";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createConnectTransport } from "@connectrpc/connect-web";
import { TaskService } from "../../src/gen/tasks_pb.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { problemOf } from "../support/http-problem.ts";
import { rejectionOf } from "../support/rejection.ts";
import { sharedSystem } from "../support/shared-system.ts";

const limitMs = 60_000;
const running = sharedSystem({ grpcListen: "127.0.0.1:0" });

async function ask(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const sent = body === undefined ? {} : { body };
  return fetch(`${running().url}/v1${path}`, { method, headers, ...sent });
}

function count(table: string): unknown {
  return running().rows(`SELECT count(*) AS count FROM ${table}`)[0]?.count;
}

async function makeDead(): Promise<string> {
  const { id } = await running().accept({ type: "fail", payload: { kind: "invalid" } });
  expect((await running().task(id, "20s")).status).toBe("dead");
  await eventually(async () => (await ask("GET", `/dead-letters/${id}`)).status === 200);
  return id;
}

function clients(): Client<typeof TaskService>[] {
  const { task_service_url: url = "", grpc_url: grpcUrl = "" } = running().system.addresses;
  return [
    createConnectTransport({ baseUrl: url, useBinaryFormat: false }),
    createConnectTransport({ baseUrl: url, useBinaryFormat: true }),
    createGrpcTransport({ baseUrl: grpcUrl }),
  ].map((transport) => createClient(TaskService, transport));
}

describe("a number that JavaScript cannot hold", () => {
  const payload = '{"id":1970670598291982290, "n":[1e400,-0,1.50,0.12345678901234567890]}';

  test(
    "comes back with the same characters from every route, and after a redrive",
    async () => {
      const correlationId = newTaskId();
      const headers = { "x-correlation-id": correlationId };
      const body = `{"payload" : ${payload} ,"type":"echo"}`;
      const accepted = await (await ask("POST", "/tasks", body, headers)).text();
      const { id }: { id: string } = JSON.parse(accepted);
      const batch = await (await ask("POST", "/tasks/batch", `[${body}]`, headers)).text();
      const schedule = `{"id":"digits","every":"1h","paused":true,"task":${body}}`;
      const made = await (await ask("POST", "/schedules", schedule)).text();
      const changed = await (await ask("PATCH", "/schedules/digits", `{"task":${body}}`)).text();
      const run = await (await ask("POST", "/schedules/digits/trigger")).text();
      const ended = await (await ask("GET", `/tasks/${id}?wait=20s`)).text();
      const listed = await (await ask("GET", `/tasks?correlation_id=${correlationId}`)).text();
      const dead = await makeDead();
      const order = await ask("POST", "/dead-letters/redrive", `{"ids":["${dead}"],"payload":${payload}}`);
      expect(order.status).toBe(202);
      const edited = await eventually(async () => {
        const text = await (await ask("GET", `/tasks/${dead}`)).text();
        return text.includes(`"payload":${payload}`) && text;
      });
      expect(ended).toContain(`"result":${payload}`);
      for (const text of [accepted, batch, made, changed, run, ended, listed, edited]) {
        expect(text).toContain(`"payload":${payload}`);
      }
      expect((await ask("DELETE", "/schedules/digits")).status).toBe(204);
    },
    limitMs,
  );

  test("is kept by Connect's JSON", async () => {
    const post = async (method: string, body: string): Promise<string> => {
      const url = `${running().system.addresses.task_service_url}/tasks.TaskService/${method}`;
      const headers = { "content-type": "application/json" };
      return (await fetch(url, { method: "POST", headers, body })).text();
    };
    const created = await post("CreateTask", `{"type":"echo","payload":${payload}}`);
    expect(created).toContain(`"payload":${payload}`);
    const { id }: { id: string } = JSON.parse(created);
    expect(await post("GetTask", `{"id":"${id}"}`)).toContain(`"payload":${payload}`);
  });

  test("is never the one that its neighbour is, under the same idempotency key", async () => {
    const headers = { "idempotency-key": newTaskId() };
    const statuses: number[] = [];
    for (const number of ["9007199254740992", "9007199254740993", "9007199254740992.0", "1e400"]) {
      statuses.push((await ask("POST", "/tasks", `{"type":"echo","payload":${number}}`, headers)).status);
    }
    expect(statuses).toEqual([202, 422, 200, 422]);
  });

  test(
    "leaves the others their digits, from the request to the result",
    async () => {
      const numbers =
        "[0.1,1e-7,-5e-324,9007199254740991,100000000000000000000,0.30000000000000004,1.7976931348623157e+308]";
      const accepted = await ask("POST", "/tasks", `{"type":"echo","payload":${numbers}}`);
      const { id }: { id: string } = await accepted.json();
      const text = await (await ask("GET", `/tasks/${id}?wait=20s`)).text();
      expect(text).toContain(`"payload":${numbers}`);
      expect(text).toContain(`"result":${numbers}`);
    },
    limitMs,
  );
});

describe("half a surrogate pair", () => {
  const half = String.raw`\ud800`;
  const other = String.raw`\ud801`;
  const names = `{"${half}":"1","${other}":"2"}`;

  test(
    "is refused in names by every route that takes a payload or metadata, and nothing is changed",
    async () => {
      const dead = await makeDead();
      await ask("POST", "/schedules", '{"id":"halves","every":"1h","paused":true,"task":{"type":"echo"}}');
      const before = [count("tasks"), count("tasks_schedules"), count("tasks_redrives")];
      const payload = `{"type":"echo","payload":[${names}]}`;
      const metadata = `{"type":"echo","metadata":${names}}`;
      const requests: [method: string, path: string, body: string, pointer: string][] = [
        ["POST", "/tasks", payload, "/payload/0/\ufffd"],
        ["POST", "/tasks", metadata, "/metadata/\ufffd"],
        ["POST", "/schedules", `{"every":"1h","task":${payload}}`, "/task/payload/0/\ufffd"],
        ["PATCH", "/schedules/halves", `{"task":${metadata}}`, "/task/metadata/\ufffd"],
        ["POST", "/dead-letters/redrive", `{"ids":["${dead}"],"payload":${names}}`, "/payload/\ufffd"],
      ];
      for (const [method, path, body, pointer] of requests) {
        const { status, code, errors } = await problemOf(await ask(method, path, body));
        expect([path, status, code, errors?.map((error) => error.pointer)]).toEqual([
          path,
          400,
          "invalid_argument",
          [pointer, pointer],
        ]);
      }
      for (const field of ["type", "id"]) {
        const body = `{"every":"1h","id":"x","task":{"type":"echo"},"${field}":"${half}"}`;
        expect((await ask("POST", "/schedules", body)).status).toBe(400);
      }
      expect((await problemOf(await ask("POST", "/tasks", `{"type":"${half}"}`))).errors?.[0]?.pointer).toBe("/type");
      expect([count("tasks"), count("tasks_schedules"), count("tasks_redrives")]).toEqual(before);
    },
    limitMs,
  );

  test("is refused where there is an idempotency key, in the key and in what stands beside it", async () => {
    const headers = { "idempotency-key": newTaskId() };
    for (const text of [half, other]) {
      const problem = await problemOf(await ask("POST", "/tasks", `{"type":"echo","payload":"${text}"}`, headers));
      expect([problem.status, problem.errors?.map(({ pointer }) => pointer)]).toEqual([400, ["/payload"]]);
    }
    expect((await ask("POST", "/tasks", '{"type":"echo","payload":"\ufffd"}', headers)).status).toBe(202);
    const key = newTaskId();
    const items = [
      `{"type":"echo","payload":1,"idempotency_key":"${half}"}`,
      `{"type":"echo","payload":2,"idempotency_key":"${other}"}`,
      `{"type":"echo","payload":["${half}"],"idempotency_key":"${key}"}`,
      `{"type":"echo","metadata":${names}}`,
      `{"type":"echo","payload":{"idempotency_key":"${half}"}}`,
    ];
    const expected = [
      [400, "/0/idempotency_key"],
      [400, "/1/idempotency_key"],
      [400, "/2/payload/0"],
    ];
    const post = async (batchHeaders: Record<string, string>): Promise<unknown[]> => {
      const answer = await ask("POST", "/tasks/batch", `[${items}]`, batchHeaders);
      const results: { status: number; error?: { errors?: { pointer: string }[] } }[] = await answer.json();
      return results.map(({ status, error }) => [status, error?.errors?.[0]?.pointer]);
    };
    expect(await post({})).toEqual([...expected, [400, "/3/metadata/\ufffd"], [202, undefined]]);
    expect(await post({ "idempotency-key": newTaskId() })).toEqual([
      ...expected,
      [400, "/3/metadata/\ufffd"],
      [400, "/4/payload/idempotency_key"],
    ]);
  });

  test("is refused with its pointer by Connect's JSON", async () => {
    const post = (method: string, body: string | Uint8Array<ArrayBuffer>): Promise<Response> =>
      fetch(`${running().system.addresses.task_service_url}/tasks.TaskService/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
    const requests: [method: string, body: string, pointer: string][] = [
      ["CreateTask", `{"type":"echo","payload":${names}}`, "/payload/\ufffd: "],
      ["CreateTask", `{"type":"echo","metadata":${names}}`, "/metadata/\ufffd: "],
      ["CreateTask", `{"type":"echo","idempotencyKey":"${half}"}`, "/idempotencyKey: "],
      ["CreateTask", `{"type":"echo","payload":"${half}","idempotency_key":"a"}`, "/payload: "],
      ["CreateTasks", `{"tasks":[{"type":"echo","payload":[${names}]}]}`, "/tasks/0/payload/0/\ufffd: "],
    ];
    for (const [method, body, pointer] of requests) {
      const answer = await post(method, body);
      const { code, message }: { code: string; message: string } = await answer.json();
      expect([answer.status, code, message]).toEqual([400, "invalid_argument", expect.stringContaining(pointer)]);
    }
    // U+D800 as UTF-8 would have it.
    const octets = Buffer.from(`{"type":"echo","payload":{"\xed\xa0\x80":1,"\xed\xa0\x81":2}}`, "latin1");
    const answer = await post("CreateTask", Uint8Array.from(octets));
    expect([answer.status, (await answer.json()).message]).toEqual([400, "the request message is not UTF-8"]);
  });
});

describe("an idempotency key", () => {
  const one = { a: 1, b: { c: [{ d: 1, e: 2 }], f: null } };
  const sameInOtherOrder = { b: { f: null, c: [{ e: 2, d: 1 }] }, a: 1 };
  const another = { b: { f: null, c: [{ e: 2, d: 3 }] }, a: 1 };

  test("takes no order of members for a difference, and every other value for one", async () => {
    const answers = async (bodies: object[]): Promise<number[]> => {
      const headers = { "idempotency-key": newTaskId() };
      const statuses: number[] = [];
      for (const body of bodies) statuses.push((await running().submit({ type: "echo", ...body }, headers)).status);
      return statuses;
    };
    const metadata = [
      { metadata: { x: "1", y: "2" } },
      { metadata: { y: "2", x: "1" } },
      { metadata: { x: "2", y: "1" } },
    ];
    expect(await answers([{ payload: one }, { payload: sameInOtherOrder }, { payload: another }])).toEqual([
      202, 200, 422,
    ]);
    expect(await answers(metadata)).toEqual([202, 200, 422]);
    expect(await answers([{ payload: [1, 2] }, { payload: [1, 2], metadata: {} }, { payload: [2, 1] }])).toEqual([
      202, 200, 422,
    ]);
    expect(await answers([{}, { payload: null, delay: "0s" }, { payload: {} }])).toEqual([202, 200, 422]);
  });

  test("of a batch and of an item, too", async () => {
    const headers = { "idempotency-key": newTaskId() };
    const post = async (payloads: unknown[]): Promise<number[]> => {
      const body = JSON.stringify(payloads.map((payload) => ({ type: "echo", payload })));
      const results: { status: number }[] = await (await ask("POST", "/tasks/batch", body, headers)).json();
      return results.map(({ status }) => status);
    };
    expect(await post([one, [1, 2]])).toEqual([202, 202]);
    expect(await post([sameInOtherOrder, [2, 1]])).toEqual([200, 422]);
  });

  test("by every protocol, and across them", async () => {
    const idempotencyKey = newTaskId();
    await running().accept({ type: "echo", payload: one }, { "idempotency-key": idempotencyKey });
    const toValue = (value: JsonValue) => fromJson(ValueSchema, value);
    for (const client of clients()) {
      let isReplayed: string | null = null;
      const onHeader = (headers: Headers): void => {
        isReplayed = headers.get("idempotent-replayed");
      };
      const same = { type: "echo", payload: toValue(sameInOtherOrder), idempotencyKey };
      await client.createTask(same, { onHeader });
      expect(String(isReplayed)).toBe("true");
      const other = client.createTask({ type: "echo", payload: toValue(another), idempotencyKey });
      expect(String(await rejectionOf(other))).toContain("was used before");
    }
  });
});

describe("an id in capitals, in braces or as a URN", () => {
  const spellings = (id: string): string[] => [id.toUpperCase(), `{${id}}`, `urn:uuid:${id.toUpperCase()}`];

  test(
    "is found by every route",
    async () => {
      const dead = await makeDead();
      const ordered = await ask("POST", "/dead-letters/redrive", `{"ids":["${dead.toUpperCase()}"]}`);
      expect(ordered.status).toBe(202);
      const { id: redrive }: { id: string } = await ordered.json();
      const again = await running().accept({ type: "echo", payload: 1 });
      await running().task(again.id, "20s");
      for (const id of spellings(again.id).map(encodeURIComponent)) {
        const paths = [`/tasks/${id}`, `/tasks/${id}/timeline`, `/tasks/${id}?wait=1s`, `/tasks/${id}/events`];
        const answers = await Promise.all(paths.map((path) => ask("GET", path)));
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
        const [task, timeline, waited, events] = await Promise.all(answers.map((answer) => answer.text()));
        expect([task, waited]).toEqual([expect.stringContaining(again.id), expect.stringContaining(again.id)]);
        expect([timeline, events]).toEqual([
          expect.stringContaining("succeeded"),
          expect.stringContaining("succeeded"),
        ]);
        expect((await ask("POST", `/tasks/${id}/cancel`)).status).toBe(409);
      }
      for (const id of spellings(redrive).map(encodeURIComponent)) {
        expect(await (await ask("GET", `/dead-letters/redrives/${id}`)).json()).toMatchObject({ id: redrive });
      }
      const other = await makeDead();
      const { group }: { group: string } = await (await ask("GET", `/dead-letters/${other.toUpperCase()}`)).json();
      const listed: { items: unknown[] } = await (
        await ask("GET", `/dead-letters?group=${group.toUpperCase()}`)
      ).json();
      expect(listed.items.length).toBeGreaterThan(0);
      const discarded = await ask("POST", `/dead-letters/${other.toUpperCase()}/discard`, '{"reason":"seen to"}');
      expect([discarded.status, (await discarded.json()).id]).toEqual([200, other]);
    },
    limitMs,
  );

  test("is found by every protocol", async () => {
    const { id } = await running().accept({ type: "echo", payload: 1 });
    for (const client of clients()) {
      for (const spelling of spellings(id)) {
        expect((await client.getTask({ id: spelling })).id).toBe(id);
        expect((await client.getTimeline({ id: spelling })).items.length).toBeGreaterThan(0);
      }
    }
  });
});

describe("a time", () => {
  test("is taken with any zone and in small letters, and comes back in UTC", async () => {
    const spellings = [
      "2199-01-31T10:00:00+02:00",
      "2199-01-31t08:00:00z",
      "2199-01-31 03:30:00-0430",
      "2199-01-31T08:00Z",
    ];
    for (const run_at of spellings) {
      expect((await running().accept({ type: "echo", run_at })).run_at).toBe("2199-01-31T08:00:00.000Z");
    }
    for (const run_at of ["2199-01-31T08:00:00", "2199-02-29T00:00:00Z", 4_000_000_000, "tomorrow"]) {
      const problem = await problemOf(await running().submit({ type: "echo", run_at }));
      expect([problem.status, problem.errors?.map(({ pointer }) => pointer)]).toEqual([400, ["/run_at"]]);
    }
  });

  test("of a query has its plus sign understood, escaped or not", async () => {
    const { id, created_at } = await running().accept({ type: "echo", payload: 1, metadata: {} });
    const local = (ms: number): string => new Date(Date.parse(created_at) + ms + 7_200_000).toISOString().slice(0, -1);
    for (const plus of ["+", "%2B", "%20"]) {
      const found = async (shift: number): Promise<boolean> => {
        const query = `created_after=${local(shift)}${plus}02:00&limit=100`;
        const answer = await ask("GET", `/tasks?${query}`);
        const { items }: { items: { id: string }[] } = await answer.json();
        return items.some((task) => task.id === id);
      };
      expect([plus, await found(-1000), await found(60_000)]).toEqual([plus, true, false]);
      for (const path of ["dead-letters", "dead-letters/groups"]) {
        expect((await ask("GET", `/${path}?since=2026-01-01T00:00:00${plus}02:00`)).status).toBe(200);
      }
    }
    const refused = await problemOf(await ask("GET", "/dead-letters?since=2026-01-01T00:00:00"));
    expect(refused.detail).toContain('since: "2026-01-01T00:00:00": expected a time with a zone');
  });
});
