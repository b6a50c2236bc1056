import { describe, expect, test } from "bun:test";
import { Code } from "@connectrpc/connect";
import { codeFromString, codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { toProblem } from "../../src/http/problem.ts";
import { toErrorResponse } from "../../src/rpc/connect/wire.ts";
import { fromErrorStatus, grpcWire, toErrorStatus } from "../../src/rpc/grpc/wire.ts";
import {
  connectHttpStatus,
  type ErrorCode,
  fromRpcCode,
  grpcNames,
  meanings,
  type RpcCode,
  rpcStatuses,
  serverFaults,
  TaskError,
  toFailure,
  toKeptFailure,
  toTaskError,
} from "../../src/words/errors.ts";
import { anyText } from "../support/any-text.ts";

// The keys of a table are exactly its type's.
const codes = Object.keys(meanings) as ErrorCode[];
const rpcCodes = Object.keys(connectHttpStatus) as RpcCode[];

describe("what an error means at a border", () => {
  test("is the HTTP status that the API promises", () => {
    expect(Object.fromEntries(codes.map((code) => [code, meanings[code].httpStatus]))).toEqual({
      invalid_argument: 400,
      unauthenticated: 401,
      permission_denied: 403,
      payload_too_large: 413,
      not_found: 404,
      conflict: 409,
      idempotency_mismatch: 422,
      resource_exhausted: 429,
      unavailable: 503,
      deadline_exceeded: 504,
      canceled: 499,
      unimplemented: 501,
      method_not_allowed: 405,
      internal: 500,
    });
  });

  test("comes back from its RPC code, for every code of ours but those of HTTP alone", () => {
    const ofHttp = new Set<ErrorCode>(["method_not_allowed", "unauthenticated", "permission_denied"]);
    const crossing = codes.filter((code) => !ofHttp.has(code));
    expect(crossing.map((code) => fromRpcCode(meanings[code].rpcCode))).toEqual(crossing);
  });

  test("is a fault of the other side for an RPC code that we never send", () => {
    const never = ["unknown", "permission_denied", "aborted", "data_loss", "unauthenticated", "", "OK", "constructor"];
    expect(never.map(fromRpcCode)).toEqual(never.map(() => "internal"));
  });

  test("has the HTTP status on the RPC that Connect's own library gives it", () => {
    const theirs = rpcCodes.map((rpcCode) => [rpcCode, codeToHttpStatus(codeFromString(rpcCode) ?? Code.Unknown)]);
    expect(Object.fromEntries(theirs)).toEqual(connectHttpStatus);
    expect(rpcCodes.filter((rpcCode) => codeFromString(rpcCode) === undefined)).toEqual([]);
  });

  test("says when to come back wherever the status is 429 or 503, over HTTP and over RPC", () => {
    for (const code of codes) {
      const error = new TaskError(code, "not now");
      const answers = [toProblem(error, "t-1"), toErrorResponse(error)];
      const isPassing = answers.map(({ status }) => status === 429 || status === 503);
      expect(answers.map(({ headers }) => headers.get("retry-after") === "1")).toEqual(isPassing);
      expect(answers.map(({ headers }) => headers.has("retry-after"))).toEqual(isPassing);
    }
    const known = new TaskError("unavailable", "not now", { retryAfterMs: 1500 });
    for (const { headers } of [toProblem(known, "t-1"), toErrorResponse(known)]) {
      expect(headers.get("retry-after")).toBe("2");
    }
  });

  test("is a server's fault only for the six codes of the conventions", () => {
    expect(rpcCodes.filter((rpcCode) => serverFaults.has(rpcCode))).toEqual([
      "unknown",
      "deadline_exceeded",
      "unimplemented",
      "internal",
      "unavailable",
      "data_loss",
    ]);
  });
});

describe("anything that was thrown becomes a TaskError", () => {
  const known = new TaskError("not_found", "there is no task");
  const broken = new Error("broken");
  const aborted = new DOMException("went away", "AbortError");
  const tooLong = new DOMException("took too long", "TimeoutError");
  const plain = Object.create(null);

  const cases: [what: string, thrown: unknown, code: ErrorCode, message: string][] = [
    ["an error is a fault of ours", broken, "internal", "broken"],
    ["an abort stays one", aborted, "canceled", "went away"],
    ["a timeout stays one", tooLong, "deadline_exceeded", "took too long"],
    ["a text is its message", "no luck", "internal", "no luck"],
    ["nothing at all says so", undefined, "internal", "undefined"],
    ["a plain object is shown as JSON", { status: 4 }, "internal", '{"status":4}'],
    ["an object that has no text is no problem", plain, "internal", "{}"],
  ];

  test.each(cases)("%s", (_, thrown, code, message) => {
    const error = toTaskError(thrown);
    expect(error).toBeInstanceOf(TaskError);
    expect([error.code, error.message, error.cause]).toEqual([code, message, thrown]);
  });

  test("but one that is a TaskError already", () => {
    expect(toTaskError(known)).toBe(known);
  });
});

describe("an error as a plain value", () => {
  test("has the code as its type and the whole chain of causes, outermost first", () => {
    const refused = Object.assign(new Error("connect failed", { cause: "no route" }), { code: "ECONNREFUSED" });
    const middle = new TypeError("fetch failed", { cause: refused });
    const thrown = new TaskError("unavailable", "the task service cannot be reached", { cause: middle });
    const { stack, ...failure } = toFailure(thrown);
    expect(failure).toEqual({
      type: "unavailable",
      message: "the task service cannot be reached",
      causes: ["TypeError: fetch failed", "ECONNREFUSED: connect failed", "no route"],
    });
    expect(stack).toContain("errors.test.ts");
  });

  test("has no causes when there are none", () => {
    const { stack: _, ...failure } = toFailure(new RangeError("too far"));
    expect(failure).toEqual({ type: "RangeError", message: "too far" });
  });

  test("ends a chain of causes that bites its own tail", () => {
    const error: Error = new Error("round");
    error.cause = error;
    expect(toFailure(error).causes).toEqual(Array(10).fill("Error: round"));
  });

  test("shows what is no error by its value, or by its kind", () => {
    const round: Record<string, unknown> = { n: 1 };
    round.self = round;
    const shown = [round, 5n, Symbol("s"), undefined, null, () => 1, new Response(), { a: 1n, b: [new Map()] }];
    expect(shown.map((thrown) => toFailure(thrown))).toEqual(
      [
        '{"n":1,"self":{"n":1,"self":{"n":1,"self":{"n":1,"self":{"n":1,"self":"…"}}}}}',
        "5",
        "Symbol(s)",
        "undefined",
        "null",
        "[object Function]",
        "[object Response]",
        '{"a":"1","b":[{}]}',
      ].map((message) => ({ type: "Error", message })),
    );
  });

  const odd: [what: string, error: object, type: string, message: string][] = [
    ["a message that is an object", { message: { statusCode: 400 } }, "Error", '{"statusCode":400}'],
    ["a message that is a bigint", { message: 10n }, "Error", "10"],
    ["no message", { message: undefined }, "Error", ""],
    ["a name that is a number", { name: 404 }, "Error", "m"],
    ["an empty name", { name: "" }, "Error", "m"],
    ["a code that is a number", { code: 11000 }, "Error", "m"],
    ["a code that is empty", { code: "" }, "Error", "m"],
    ["a stack that is a list", { stack: ["at a"] }, "Error", "m"],
    ["half a pair in its message", { message: "a\ud83d" }, "Error", "a\ufffd"],
  ];

  test.each(odd)("has texts of an error with %s", (_, properties, type, message) => {
    const { stack, ...failure } = toFailure(Object.assign(new Error("m"), properties));
    expect(failure).toEqual({ type, message });
    expect(typeof stack === "string" || stack === undefined).toBe(true);
  });

  test("is bounded: its message, type, stack, and each of ten causes, with the stack's frames left", () => {
    const long = "\u{1d11e}".repeat(200_000);
    const causes = Array.from({ length: 50 }, () => new Error(long, { cause: long }));
    const thrown = Object.assign(new AggregateError(causes, long), { code: long });
    const failure = toFailure(thrown);
    expect([failure.type.length, failure.message.length, failure.causes?.length]).toEqual([199, 3999, 10]);
    expect(failure.causes?.every((cause) => cause.length <= 1000)).toBe(true);
    expect(failure.stack?.length).toBeLessThanOrEqual(16_000);
    expect(failure.stack).toContain("errors.test.ts");
    const { stack: _, ...kept } = failure;
    expect(toKeptFailure(failure)).toEqual(kept);
  });

  const refuse = (): never => {
    throw new Error("not to be read");
  };
  const hostile = new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse });
  const revoked = (): object => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const getters = (error: object): object =>
    Object.defineProperties(
      error,
      Object.fromEntries(
        ["message", "name", "code", "stack", "cause", "errors"].map((name) => [name, { get: refuse }]),
      ),
    );
  const anyValue = fc.oneof(
    fc.anything({
      withBigInt: true,
      withNullPrototype: true,
      withSparseArray: true,
      withMap: true,
      withTypedArray: true,
    }),
    anyText(),
    fc.constantFrom(Symbol("s"), refuse, new Date(Number.NaN), { toString: refuse, toJSON: refuse }),
  );
  const anyThrown = fc.oneof(
    anyValue,
    fc
      .record({ stack: anyValue, name: anyValue, code: anyValue, cause: anyValue, errors: anyValue, message: anyValue })
      .map((properties) => Object.assign(new AggregateError([]), properties)),
    anyValue.map((value) => new Proxy(new Error("m", { cause: value }), {})),
    anyText().map((text) => new DOMException(text, text)),
  );

  test("is made of whatever was thrown: plain, bounded, well-formed texts, that are the same after JSON", () => {
    fc.assert(
      fc.property(anyThrown, (thrown) => {
        const failure = toFailure(thrown);
        const { type, message, stack = "", causes = [] } = failure;
        const texts = [type, message, stack, ...causes];
        expect(texts.every((text) => typeof text === "string" && text.isWellFormed())).toBe(true);
        expect(type.length).toBeGreaterThan(0);
        expect(JSON.stringify(failure).length).toBeLessThan(300_000);
        expect(JSON.parse(JSON.stringify(failure))).toEqual(failure);
        expect(toTaskError(thrown).message.isWellFormed()).toBe(true);
      }),
    );
  });

  test.each([
    ["a Proxy that throws", hostile],
    ["a revoked Proxy", revoked()],
    ["an object that inherits from one", Object.create(hostile)],
    ["an object whose getters throw", getters({})],
    ["an error whose getters throw", getters(new Error("m"))],
    ["an endless list", Array(1e9)],
  ])("is made of what does not let itself be read: %s", (_, value) => {
    const within = Object.assign(new AggregateError([], "m"), { message: value, name: value, cause: value });
    for (const thrown of [value, within, Object.assign(within, { errors: [value, value] }), { value, list: [value] }]) {
      const { type, message, causes = [] } = toFailure(thrown);
      expect([type, message, ...causes].map((text) => typeof text)).toEqual(Array(2 + causes.length).fill("string"));
    }
  });

  test("has texts when an earlier version has kept others, or what was no text", () => {
    const long = "x".repeat(100_000);
    expect(toKeptFailure({ type: long, message: { statusCode: 400 }, causes: [5, long] })).toEqual({
      type: `${"x".repeat(199)}…`,
      message: '{"statusCode":400}',
      causes: ["5", `${"x".repeat(999)}…`],
    });
    expect(toKeptFailure({})).toEqual({ type: "Error", message: "" });
  });
});

describe("the status of a call", () => {
  const theirs = Object.values(status).filter((value) => typeof value === "string");

  test("has the name and the number that gRPC's own library gives it", () => {
    expect(grpcNames).toEqual(theirs);
    expect(rpcStatuses.map(grpcWire.statusOf)).toEqual(theirs);
  });

  test("has the number of its Connect code", () => {
    expect<unknown>(rpcStatuses.slice(1).map(codeFromString)).toEqual(theirs.slice(1).map((_, index) => index + 1));
  });

  test("that no version defines crosses as an internal fault", () => {
    const refused = { ...toErrorStatus(new TaskError("not_found", "no")), code: 99 };
    expect(fromErrorStatus(refused)?.code).toBe("internal");
  });
});
