import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import fc from "fast-check";
import { parseJson, readBody, wellFormed } from "../../src/http/body.ts";
import { type Listener, listen } from "../../src/http/listen.ts";
import { meanings, TaskError, toTaskError } from "../../src/words/errors.ts";
import { writeJson } from "../../src/words/json-text.ts";
import { anyUnit, wellFormed as toWellFormed } from "../support/any-text.ts";

const maxBytes = 10;

const open: Listener[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.stop(0)));
});

/** Answers a body of up to ten bytes with itself, and any other with the error's status and words. */
async function startEcho(): Promise<Listener> {
  const listener = await listen({ host: "127.0.0.1", port: 0 }, async (request) => {
    try {
      return new Response(Buffer.from(await readBody(request, maxBytes)));
    } catch (thrown) {
      const error = toTaskError(thrown);
      return new Response(error.message, { status: meanings[error.code].httpStatus });
    }
  });
  open.push(listener);
  return listener;
}

/** The first part of the answer to raw bytes; the connection stays open until then. */
function exchange({ port }: Listener, request: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, "127.0.0.1", () => socket.write(request));
  socket.once("data", (bytes) => resolve(String(bytes)));
  socket.once("error", reject);
  socket.once("close", () => resolve(""));
  return promise.finally(() => socket.destroy());
}

function streamOf(...parts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });
}

describe("a request's body", () => {
  const head = "POST / HTTP/1.1\r\nhost: localhost\r\n";

  test("is read whole up to the limit, whether its length is announced or not", async () => {
    const { url } = await startEcho();
    for (const body of ["", "x", "0123456789", "äöüß€"]) {
      const fits = Buffer.byteLength(body) <= maxBytes;
      const whole = await fetch(url, { method: "POST", body });
      const chunked = await fetch(url, { method: "POST", body: streamOf(body.slice(0, 2), body.slice(2)) });
      for (const answer of [whole, chunked]) {
        expect([answer.status, await answer.text()]).toEqual(
          fits ? [200, body] : [413, "the body is larger than 10 bytes"],
        );
      }
    }
  });

  test("is empty when there is none", async () => {
    const { url } = await startEcho();
    const answer = await fetch(url);
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  });

  test("that is announced too long is refused before it comes", async () => {
    const listener = await startEcho();
    expect(await exchange(listener, `${head}content-length: 11\r\n\r\n`)).toStartWith("HTTP/1.1 413 ");
  });

  test("that comes in chunks is refused with the first byte too many, and not waited for", async () => {
    const listener = await startEcho();
    const chunks = "6\r\nabcdef\r\n5\r\nghijk\r\n";
    expect(await exchange(listener, `${head}transfer-encoding: chunked\r\n\r\n${chunks}`)).toStartWith("HTTP/1.1 413 ");
  });

  test("cannot come in chunks under an announced length", async () => {
    const listener = await startEcho();
    const both = "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n14\r\nabcdefghijabcdefghij\r\n0\r\n\r\n";
    expect(await exchange(listener, head + both)).toStartWith("HTTP/1.1 400 ");
  });
});

describe("JSON from a body", () => {
  const parse = (text: string, maxDepth = 64): unknown => parseJson(new TextEncoder().encode(text), { maxDepth });
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

  test("is what JSON.parse gives, for all JSON that is not too deep", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8, stringUnit: anyUnit.map((unit) => unit.toWellFormed()) }), (text) => {
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("is refused exactly when it nests deeper than allowed", () => {
    const anyJson = fc.jsonValue({ maxDepth: 6, stringUnit: fc.constantFrom("[", "{", "]", "}", '"', "\\", "a") });
    fc.assert(
      fc.property(anyJson, fc.nat({ max: 6 }), fc.constantFrom(0, 1), (value, maxDepth, spaces) => {
        const text = JSON.stringify(value, null, spaces);
        if (depthOf(value) <= maxDepth) return expect(parse(text, maxDepth)).toEqual(JSON.parse(text));
        const message = `the body nests deeper than ${maxDepth} levels`;
        expect(() => parse(text, maxDepth)).toThrow(new TaskError("invalid_argument", message));
      }),
    );
  });

  test("may have any number of brackets in its texts", () => {
    const text = JSON.stringify({ '"[{\\': `${"[{".repeat(1000)}\\" \\\\` });
    expect(parse(text, 1)).toEqual(JSON.parse(text));
  });

  test("is refused by depth before it is built, at any depth", () => {
    const refusal = new TaskError("invalid_argument", "the body nests deeper than 64 levels");
    expect(parse(nested(64))).toEqual(JSON.parse(nested(64)));
    for (const text of [nested(65), nested(100_000), "[".repeat(65), `{"a":`.repeat(65)]) {
      expect(() => parse(text)).toThrow(refusal);
    }
  });

  const broken: [what: string, body: Uint8Array, message: string][] = [
    ["nothing", new Uint8Array(), "the body is not JSON"],
    ["half an object", Buffer.from('{"a":'), "the body is not JSON"],
    ["closing brackets first", Buffer.from("]]][[["), "the body is not JSON"],
    ["an open text", Buffer.from('"[[['), "the body is not JSON"],
    ["Latin-1", Buffer.from('"ä"', "latin1"), "the body is not UTF-8"],
    ["half a character", Buffer.from('"€"').subarray(0, 3), "the body is not UTF-8"],
  ];

  test.each(broken)("is refused when the body is %s", (_, body, message) => {
    expect(() => parseJson(body, { maxDepth: 64 })).toThrow(new TaskError("invalid_argument", message));
  });
});

describe("half a surrogate pair in JSON", () => {
  /** The pointers of what is refused; else what is read. */
  const read = (value: unknown, isKeyed = false): unknown => {
    try {
      const body = parseJson(new TextEncoder().encode(JSON.stringify(value)), { maxDepth: 64 });
      return JSON.parse(writeJson(wellFormed(body, isKeyed)));
    } catch (error) {
      return toTaskError(error).problems.map(({ pointer }) => pointer);
    }
  };

  const half = "\ud800";
  test.each<[value: unknown, pointers: string[]]>([
    [{ [half]: 1, "\ud801": 2, "\ufffd": 3 }, ["/\ufffd", "/\ufffd"]],
    [{ payload: { a: [{ [`b/${half}`]: 1 }] } }, ["/payload/a/0/b~1\ufffd"]],
    [[{ metadata: { "\udfff": "1" } }], ["/0/metadata/\ufffd"]],
    [{ [half]: { "\ude00\ud83d": [] } }, ["/\ufffd", "/\ufffd/\ufffd\ufffd"]],
    [[{ payload: half }, { idempotency_key: half }], ["/1/idempotency_key"]],
    [{ idempotencyKey: "k", payload: [0, half], metadata: { a: half } }, ["/payload/1", "/metadata/a"]],
    [{ tasks: [{ idempotencyKey: "k", payload: half }] }, ["/tasks/0/payload"]],
  ])("is refused in %j, with its pointer", (value, pointers) => {
    expect(read(value)).toEqual(pointers);
  });

  test("is refused in every text where the request has a key", () => {
    expect(read({ payload: [half, "a"], type: half }, true)).toEqual(["/payload/0", "/type"]);
  });

  test("becomes U+FFFD in other texts, below a payload's own member with the name of a key, too", () => {
    const values = [half, { payload: half }, { payload: { idempotency_key: "k", a: half } }, { metadata: { a: half } }];
    for (const value of [...values, { payload: { idempotencyKey: half } }, { idempotencyKey: "", payload: half }]) {
      expect(read(value)).toEqual(toWellFormed(value));
    }
  });

  test("never makes two values one in which names or keyed texts differ", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: anyUnit }), fc.boolean(), (payload, isKeyed) => {
        const hasHalf = partsOf(payload).some(([part, isName]) => (isName || isKeyed) && !part.isWellFormed());
        const given = read({ payload }, isKeyed);
        if (hasHalf) expect(given).toBeArray();
        else expect(given).toEqual({ payload: toWellFormed(payload) });
      }),
    );
  });
});

/** Every text and every name in it. */
function partsOf(value: unknown): [part: string, isName: boolean][] {
  if (typeof value === "string") return [[value, false]];
  if (typeof value !== "object" || value === null) return [];
  const names = Array.isArray(value) ? [] : Object.keys(value).map((name): [string, boolean] => [name, true]);
  return [...names, ...Object.values(value).flatMap(partsOf)];
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
