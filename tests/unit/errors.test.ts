import { describe, expect, test } from "bun:test";
import { Code } from "@connectrpc/connect";
import { codeFromString, codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import fc from "fast-check";
import {
  connectHttpStatus,
  type ErrorCode,
  fromRpcCode,
  meanings,
  type RpcCode,
  serverFaults,
  TaskError,
  toFailure,
  toTaskError,
} from "../../src/errors.ts";
import { toProblem } from "../../src/problem.ts";
import { toErrorResponse } from "../../src/rpc/connect.ts";

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
    expect(toFailure(error).causes).toEqual(Array(8).fill("Error: round"));
  });

  test("is made of whatever was thrown, and JSON keeps it as it is", () => {
    const anyCause = fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true });
    fc.assert(
      fc.property(anyCause, fc.string(), (cause, message) => {
        for (const thrown of [cause, new Error(message, { cause })]) {
          const failure = toFailure(thrown);
          expect(JSON.parse(JSON.stringify(failure))).toEqual(failure);
        }
      }),
    );
  });

  test("shows what has no JSON by its kind", () => {
    const round: Record<string, unknown> = {};
    round.self = round;
    expect([round, 5n, Symbol("s"), undefined, null].map((thrown) => toFailure(thrown))).toEqual([
      { type: "Error", message: "[object Object]" },
      { type: "Error", message: "[object BigInt]" },
      { type: "Error", message: "Symbol(s)" },
      { type: "Error", message: "undefined" },
      { type: "Error", message: "null" },
    ]);
  });
});
