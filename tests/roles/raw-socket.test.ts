/**
 * Bytes that no client of ours would send: requests that lie about their length, never end, or are none. Whatever
 * comes, the next caller is answered at once, gets nobody else's answer, and nothing is kept.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import { listen } from "../../src/http/listen.ts";
import { eventually } from "../support/eventually.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;

let running: TestSystem;
beforeAll(async () => {
  running = await startTestSystem();
}, startingMs);
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

interface Exchange {
  /** Of each answer, in their order. */
  statuses: number[];
  /** The server ended the connection by itself. */
  isClosed: boolean;
}

/** Writes and reads; over when the server closes, or after `answers` answers. */
async function exchange(url: string, bytes: string, answers: number): Promise<Exchange> {
  const { hostname, port } = new URL(url);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  let text = "";
  let isClosed = false;
  const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(bytes, "latin1")));
  socket.setEncoding("latin1");
  socket.on("data", (part) => {
    text += part;
  });
  // A reset is an end like another.
  socket.on("error", () => close());
  socket.on("close", () => {
    isClosed = true;
    close();
  });
  const statuses = (): number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  try {
    await eventually(() => isClosed || (answers > 0 && statuses().length >= answers), { timeoutMs: startingMs });
    if (isClosed) await closed;
    return { statuses: statuses(), isClosed };
  } finally {
    socket.destroy();
  }
}

const get = "GET /health/live HTTP/1.1\r\nhost: a\r\n";
const post = "POST /v1/tasks HTTP/1.1\r\nhost: a\r\n";
const chunked = `${post}transfer-encoding: chunked\r\n\r\n`;
const task = '{"type":"echo"}';
const second = "POST /v1/tasks HTTP/1.1\r\nhost: a\r\ncontent-length: 15\r\n\r\n";

/** None of them makes a task. */
const refused: [what: string, bytes: string, ...statuses: number[]][] = [
  ["a length that is too short", `${post}content-length: 5\r\n\r\n${task}`, 400, 400],
  ["a negative length", `${post}content-length: -5\r\n\r\n${task}`, 400],
  ["a length with a sign", `${post}content-length: +15\r\n\r\n${task}`, 400],
  ["a length in hex", `${post}content-length: 0xf\r\n\r\n${task}`, 400],
  ["a length beyond all numbers", `${post}content-length: ${"9".repeat(30)}\r\n\r\n${task}`, 400],
  ["a list of lengths", `${post}content-length: 15, 15\r\n\r\n${task}`, 400],
  ["two lengths", `${post}content-length: 15\r\ncontent-length: 5\r\n\r\n${task}`, 400],
  [
    "a length and chunks",
    `${post}content-length: 15\r\ntransfer-encoding: chunked\r\n\r\nf\r\n${task}\r\n0\r\n\r\n`,
    400,
  ],
  [
    "chunks and a length, a request behind them",
    `${post}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${second}${task}`,
    400,
  ],
  ["an encoding with a space", `${post}transfer-encoding : chunked\r\n\r\nf\r\n${task}\r\n0\r\n\r\n`, 400],
  ["an encoding that is unknown", `${post}transfer-encoding: xchunked\r\n\r\nf\r\n${task}\r\n0\r\n\r\n`, 400],
  ["an encoding before chunks", `${post}transfer-encoding: gzip, chunked\r\n\r\nf\r\n${task}\r\n0\r\n\r\n`, 400],
  [
    "two encodings",
    `${post}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\nf\r\n${task}\r\n0\r\n\r\n`,
    400,
  ],
  ["a chunk whose size is no number", `${chunked}zz\r\n${task}\r\n0\r\n\r\n`, 400],
  ["a chunk of a negative size", `${chunked}-f\r\n${task}\r\n0\r\n\r\n`, 400],
  ["a chunk beyond all sizes", `${chunked}${"f".repeat(18)}\r\n${task}\r\n0\r\n\r\n`, 400],
  ["a chunk longer than it says", `${chunked}5\r\n${task}\r\n0\r\n\r\n`, 400],
  ["a chunk with a huge extension", `${chunked}f;a=${"b".repeat(1_000_000)}\r\n${task}\r\n0\r\n\r\n`, 413],
  ["chunks with bare line feeds", `${chunked}f\n${task}\n0\n\n`, 400],
  ["a header of 1 MB", `${get}x: ${"y".repeat(1_000_000)}\r\n\r\n`, 431],
  ["1000 headers", `${get}${Array.from({ length: 1000 }, (_, n) => `x${n}: y\r\n`).join("")}\r\n`, 431],
  ["a path of 100 kB", `GET /${"a".repeat(100_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
  ["no host", "GET /health/live HTTP/1.1\r\n\r\n", 400],
  ["HTTP/0.9", "GET /health/live\r\n", 505],
  ["HTTP/2 without a start", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["HTTP/9.9", "GET /health/live HTTP/9.9\r\nhost: a\r\n\r\n", 505],
  ["no request line", "HELLO\r\n\r\n", 400],
  ["empty lines", "\r\n\r\n", 400],
  ["bare line feeds", "GET /health/live HTTP/1.1\nhost: a\n\n", 505],
  ["a NUL in the path", "GET /health\0/live HTTP/1.1\r\nhost: a\r\n\r\n", 505],
  ["a NUL in a header", `${get}x: a\0b\r\n\r\n`, 400],
  ["a carriage return in a header", `${get}x: a\rb\r\n\r\n`, 400],
  ["a folded header", `${get}x: a\r\n b\r\n\r\n`, 400],
  ["a header without a colon", `${get}xxxx\r\n\r\n`, 400],
  ["a header without a name", `${get}: a\r\n\r\n`, 400],
  ["a space in the path", "GET /health /live HTTP/1.1\r\nhost: a\r\n\r\n", 505],
  ["everything", "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 400],
  ["a method that nobody knows", "FROB /health/live HTTP/1.1\r\nhost: a\r\n\r\n"],
  ["a method of 10 kB", `${"A".repeat(10_000)} /health/live HTTP/1.1\r\nhost: a\r\n\r\n`],
  ["a greeting of TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400],
];

/** Unusual, but requests. */
const answered: [what: string, bytes: string, ...statuses: number[]][] = [
  ["the same length twice", `${post}content-length: 15\r\ncontent-length: 15\r\n\r\n${task}`, 202],
  ["chunks", `${chunked}8\r\n${task.slice(0, 8)}\r\n7;a=b\r\n${task.slice(8)}\r\n0\r\n\r\n`, 202],
  ["a client that asks first", `${post}expect: 100-continue\r\ncontent-length: 15\r\n\r\n${task}`, 100, 202],
  [
    "trailers, when all that counts was there",
    `${chunked}f\r\n${task}\r\n0\r\n${"x-a: b\r\n".repeat(50_000)}\r\n`,
    400,
  ],
  ["HTTP/1.0", "GET /health/live HTTP/1.0\r\n\r\n", 200],
  ["the address of another server", "GET http://evil.example/health/live HTTP/1.1\r\nhost: a\r\n\r\n", 200],
  ["a way to another server", "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n", 404],
  ["a trace of its headers", "TRACE /health/live HTTP/1.1\r\nhost: a\r\n\r\n", 405],
  [
    "a web socket",
    `${get}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    200,
  ],
  [
    "HTTP/2 by upgrade",
    `${get}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n`,
    200,
  ],
  ["a path that climbs", "GET /v1/../v1/tasks/../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n", 404],
  ["an id of wrong escapes", "GET /v1/tasks/%zz%00 HTTP/1.1\r\nhost: a\r\n\r\n", 404],
  ["a path that is not ASCII", "GET /health/\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n", 404],
];

function tasks(): number {
  return Number(running.rows("SELECT count(*) AS count FROM tasks")[0]?.count);
}

async function isWell(): Promise<void> {
  const answer = await fetch(`${running.url}/health/live`, { headers: { "x-request-id": "well" } });
  expect([answer.status, answer.headers.get("x-request-id")]).toEqual([200, "well"]);
  expect(await answer.json()).toEqual({ status: "healthy" });
}

describe("a server that is sent", () => {
  test.each(refused)("%s refuses it and closes", async (_what, bytes, ...statuses) => {
    const before = tasks();
    expect(await exchange(running.url, bytes, 0)).toEqual({ statuses, isClosed: true });
    await isWell();
    expect(tasks()).toBe(before);
  });

  test.each(answered)("%s answers as it would answer others", async (_what, bytes, ...statuses) => {
    expect((await exchange(running.url, bytes, statuses.length)).statuses).toEqual(statuses);
    await isWell();
  });

  test("several requests at once answers each with its own, or closes", async () => {
    const ids = ["one", "two", "three"];
    const asked = ids.map((id) => `${get}x-request-id: ${id}\r\n\r\n`).join("");
    const { statuses, isClosed } = await exchange(running.url, asked, ids.length);
    expect(isClosed ? [] : statuses).toEqual(isClosed ? [] : [200, 200, 200]);
    await isWell();
  });
});

/** How it begins, and what follows again and again. */
const slow: [what: string, begin: string, rest: string][] = [
  ["says nothing", "", ""],
  ["sends half a header", `${get}x: `, ""],
  ["sends a header byte by byte", `${get}x: `, "y"],
  ["sends header after header", get, "x: y\r\n"],
  ["sends half a body", `${post}content-length: 1000\r\n\r\n{`, ""],
  ["sends a body byte by byte", `${post}content-length: 1000\r\n\r\n{`, "1"],
  ["sends chunk after chunk", chunked, "1\r\n1\r\n"],
  ["has been answered, and stays", `${get}\r\n`, ""],
];

/** Resolves to whether the server at this port ends the connection. */
async function isCutOff(port: number, begin: string, rest: string): Promise<boolean> {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const socket = connect(port, "127.0.0.1", () => socket.write(begin));
  const trickle = rest === "" ? undefined : setInterval(() => socket.write(rest), 200);
  socket.on("error", () => {});
  socket.on("close", () => close());
  socket.resume();
  let isPatient = true;
  const patience = setTimeout(() => {
    isPatient = false;
    socket.destroy();
  }, startingMs);
  await closed;
  clearInterval(trickle);
  clearTimeout(patience);
  return isPatient;
}

test(
  "a client that takes its time loses its connection, however slowly bytes still come",
  async () => {
    // Like the gateway's, but less patient.
    const handler = async (request: Request): Promise<Response> => new Response(await request.text());
    const listener = await listen({ host: "127.0.0.1", port: 0 }, handler, { idleTimeoutSeconds: 2 });
    try {
      const cut = await Promise.all(
        slow.map(async ([what, begin, rest]) => ((await isCutOff(listener.port, begin, rest)) ? [] : [what])),
      );
      expect(cut.flat()).toEqual([]);
    } finally {
      await listener.stop(0);
    }
  },
  2 * startingMs,
);

describe("a thousand of them", () => {
  test.skipIf(process.platform !== "linux")(
    "leave no open file behind",
    async () => {
      const files = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
      const sendAll = (): Promise<unknown> => {
        const all = [...refused, ...answered];
        return Promise.all(all.map(([, bytes, ...statuses]) => exchange(running.url, bytes, statuses.length)));
      };
      // Connections inside the system that are kept for the next request are there from now on.
      await sendAll();
      const before = await files();
      for (let round = 0; round < 20; round++) await sendAll();
      await isWell();
      await eventually(async () => (await files()) < before + 50);
    },
    2 * startingMs,
  );
});
