import { expect, test } from "bun:test";
import type { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { status } from "@grpc/grpc-js";
import { fromStatusNumber, grpcWire, toStatusNumber } from "../../src/rpc/grpc/status.ts";
import { meanings } from "../../src/words/errors.ts";

test("every status has the name and the number that gRPC's own library gives it", () => {
  const names = Object.values(status).filter((value) => typeof value === "string");
  expect(names.map((_, number) => grpcWire.statusOf(fromStatusNumber(number)))).toEqual(names);
  expect(names.map((_, number) => toStatusNumber(fromStatusNumber(number)))).toEqual([...names.keys()]);
  expect(fromStatusNumber(99)).toBe("unknown");
});

test("every error of ours has the number of the Connect code that it has", () => {
  for (const { rpcCode } of Object.values(meanings)) {
    const code = codeFromString(rpcCode);
    expect(code).toBe(toStatusNumber(rpcCode) as Code);
  }
});
