/** The old old of attributes: each key is one that the conventions call deprecated, and none is without its new one. */

import { describe, expect, test } from "bun:test";
import { status } from "@grpc/grpc-js";
import { SpanKind } from "@opentelemetry/api";
import { key } from "../../src/telemetry/names.ts";
import { oldAttributes, oldKeys, oldValues } from "../../src/telemetry/spans/attributes.ts";
import { deprecatedKeys } from "../support/span-attributes.ts";

const everything = Object.fromEntries(Object.values(key).map((name) => [name, "x"]));

describe("old attributes", () => {
  test.each([SpanKind.SERVER, SpanKind.CLIENT])(
    "of every attribute there is have deprecated keys, kind %d",
    async (kind) => {
      const deprecated = await deprecatedKeys();
      const old = Object.keys(oldAttributes(kind, { ...everything, [key.rpcStatusCode]: "not_found" }));
      expect(old.length).toBeGreaterThan(Object.keys(oldKeys).length + Object.keys(oldValues).length);
      expect(old.filter((twin) => !deprecated.has(twin))).toEqual([]);
    },
  );

  test("of a request", () => {
    const attributes = {
      [key.httpRequestMethod]: "GET",
      [key.httpResponseStatusCode]: 200,
      [key.urlPath]: "/v1/tasks/7",
      [key.urlQuery]: "wait=20s",
      [key.serverAddress]: "localhost",
      [key.serverPort]: 8080,
      task_id: "7",
    };
    expect(oldAttributes(SpanKind.SERVER, attributes)).toEqual({
      "http.method": "GET",
      "http.status_code": 200,
      "http.target": "/v1/tasks/7?wait=20s",
      "net.host.name": "localhost",
      "net.host.port": 8080,
    });
  });

  test("of a call", () => {
    const attributes = {
      [key.rpcSystemName]: "connectrpc",
      [key.rpcMethod]: "tasks.TaskService/GetTask",
      [key.rpcStatusCode]: "not_found",
      [key.serverAddress]: "10.0.0.1",
    };
    expect(oldAttributes(SpanKind.CLIENT, attributes)).toEqual({
      "rpc.system": "connect_rpc",
      "rpc.service": "tasks.TaskService",
      "rpc.connect_rpc.error_code": "not_found",
      "net.peer.name": "10.0.0.1",
    });
    expect(oldAttributes(SpanKind.CLIENT, { ...attributes, [key.rpcStatusCode]: "ok" })).not.toHaveProperty(
      "rpc.connect_rpc.error_code",
    );
  });

  test("of a call by gRPC, whose status was a number", () => {
    const numbers = Object.entries(status).filter(([, number]) => typeof number === "number");
    expect(numbers).toHaveLength(17);
    for (const [name, number] of numbers) {
      const attributes = {
        [key.rpcSystemName]: "grpc",
        [key.rpcMethod]: "tasks.TaskService/GetTask",
        [key.rpcStatusCode]: name,
      };
      expect(oldAttributes(SpanKind.CLIENT, attributes)).toEqual({
        "rpc.system": "grpc",
        "rpc.service": "tasks.TaskService",
        "rpc.grpc.status_code": number,
      });
    }
  });

  test("of a message and a statement", () => {
    const message = { [key.messagingSystemName]: "aws.sqs", [key.messagingOperationType]: "send" };
    expect(oldAttributes(SpanKind.PRODUCER, message)).toEqual({
      "messaging.system": "aws_sqs",
      "messaging.operation": "publish",
    });
    const statement = { [key.dbSystemName]: "sqlite", [key.dbQueryText]: "SELECT ?" };
    expect(oldAttributes(SpanKind.CLIENT, statement)).toEqual({ "db.system": "sqlite", "db.statement": "SELECT ?" });
  });
});
