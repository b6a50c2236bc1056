import { describe, expect, test } from "bun:test";
import { readConfig, type SettingName } from "../../src/config.ts";
import { isLoopback, refuseUnguarded, unguardedAddresses } from "../../src/http/open-addresses.ts";

const everywhere = {
  gatewayListen: "0.0.0.0:80",
  taskServiceListen: "0.0.0.0:81",
  grpcListen: "0.0.0.0:82",
  adminListen: "0.0.0.0:83",
  brokerListen: "0.0.0.0:86",
};

/** Of a process without a console. */
const taskRoles = "gateway,task-service,worker,dlq";

function configOf(flags: Partial<Record<SettingName, string>>, env: Record<string, string> = {}) {
  return readConfig({ handlers: "", ...flags }, env).config;
}

function whatOf(flags: Partial<Record<SettingName, string>>, env?: Record<string, string>): string[] {
  return unguardedAddresses(configOf(flags, env)).map(({ what }) => what);
}

describe("an address", () => {
  test.each(["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "::1", "::ffff:127.0.0.1"])(
    "%s is loopback",
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  test.each([
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "192.168.1.5",
    "127.0.0.1.example.com",
    "my-laptop",
    "128.0.0.1",
    "127.0.0.1111",
  ])("%s is not", (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe("addresses that ask nobody", () => {
  test("are none by default", () => {
    expect(whatOf({})).toEqual([]);
  });

  test("are all that others can reach, of the roles of the process", () => {
    expect(whatOf(everywhere)).toEqual(["gateway", "task service", "embedded queue", "gRPC", "admin"]);
    const consoles = { consoleListen: "0.0.0.0:84", otlpListen: "0.0.0.0:85" };
    expect(whatOf(consoles)).toEqual(["console", "OTLP"]);
    expect(whatOf({ ...consoles, role: taskRoles })).toEqual([]);
    const sqs = { role: "worker", queue: "sqs" };
    expect(whatOf({ ...everywhere, ...sqs }, { AWS_REGION: "elasticmq" })).toEqual(["admin"]);
    expect(whatOf({ ...everywhere, grpcListen: "" })).toEqual(["gateway", "task service", "embedded queue", "admin"]);
  });

  test("are not the gateway once it has keys", () => {
    expect(whatOf({ ...everywhere, apiKeysFile: "keys.json" })).toEqual([
      "task service",
      "embedded queue",
      "gRPC",
      "admin",
    ]);
  });
});

describe("a gateway that others can reach", () => {
  test("is refused without keys, with what to do", () => {
    expect(() => refuseUnguarded(configOf({ gatewayListen: "[::]:8080" }))).toThrow(
      '--gateway-listen: "[::]:8080": other machines can reach it without authentication; set --api-keys-file (throughline key create makes one), or --allow-unauthenticated=true where something else guards it',
    );
  });

  test("is refused as a console too", () => {
    expect(() => refuseUnguarded(configOf({ consoleListen: "0.0.0.0:8090" }))).toThrow(
      '--console-listen: "0.0.0.0:8090": other machines can reach it without authentication; set --api-keys-file (throughline key create makes one), or --allow-unauthenticated=true where something else guards it',
    );
  });

  test.each([{ apiKeysFile: "keys.json" }, { allowUnauthenticated: "true" }, { gatewayListen: "localhost:1" }])(
    "is not with %p",
    (flags) => {
      expect(refuseUnguarded(configOf({ ...everywhere, ...flags }))).toBeUndefined();
    },
  );
});
