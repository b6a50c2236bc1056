import { describe, expect, test } from "bun:test";
import type { HandlerContext } from "../../src/worker/handler.ts";
import { kindOf, refuseForbiddenUrl } from "../../src/worker/http-allow.ts";

describe("an address", () => {
  const addresses: [kind: ReturnType<typeof kindOf>, addresses: string[]][] = [
    ["public", ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]],
    ["loopback", ["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"]],
    ["private", ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1"]],
    ["reserved", ["169.254.169.254", "fe80::1", "fe80::a9fe:a9fe%eth0", "febf::1"]],
    ["reserved", ["0.0.0.0", "::", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "ff02::1"]],
  ];

  test.each(addresses.flatMap(([kind, list]) => list.map((address) => [kind, address] as const)))(
    "of the kind %s is %s",
    (kind, address) => {
      expect(kindOf(address)).toBe(kind);
    },
  );

  const disguised: [kind: ReturnType<typeof kindOf>, addresses: string[]][] = [
    ["loopback", ["::ffff:127.0.0.1", "::FFFF:7f00:1", "0:0:0:0:0:ffff:127.0.0.1"]],
    ["private", ["::ffff:10.1.2.3", "::ffff:a01:203", "::ffff:192.168.1.1"]],
    ["reserved", ["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:0.0.0.0"]],
    ["public", ["::ffff:8.8.8.8"]],
  ];

  test.each(disguised.flatMap(([kind, list]) => list.map((address) => [kind, address] as const)))(
    "that is IPv4 in IPv6 clothes is of that one's kind: %s %s",
    (kind, address) => {
      expect(kindOf(address)).toBe(kind);
    },
  );

  const tunnels = ["64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2001:0:7f00:1::1", "::127.0.0.1"];

  test.each(tunnels)("that a translator would turn into another one is not public: %s", (address) => {
    expect(kindOf(address)).toBe("reserved");
  });

  test.each(["100::1", "2001:db8::1", "3fff::1", "5f00::1"])("that is nobody's is not public: %s", (address) => {
    expect(kindOf(address)).toBe("reserved");
  });
});

describe("a call of the http task", () => {
  class Fatal extends Error {}
  // Of the whole context only this is asked for here.
  const ctx = { fatal: (message: string) => new Fatal(message) } as HandlerContext;
  const call = (url: string, ...allow: string[]) => refuseForbiddenUrl(new URL(url), allow, ctx);

  const allowed: [url: string, allow: string[]][] = [
    ["http://127.0.0.1:8080/", ["loopback"]],
    ["http://localhost/", ["loopback"]],
    ["http://[::1]/", ["loopback"]],
    ["http://10.0.0.1/", ["public", "private"]],
    ["https://8.8.8.8/", ["public"]],
    ["http://169.254.169.254/", ["169.254.169.254"]],
    ["http://hooks.internal.example.com/", ["*.example.com"]],
    ["http://never-looked-up.invalid/", ["never-looked-up.invalid"]],
  ];

  test.each(allowed)("to %s goes out under %p", async (url, allow) => {
    expect(await call(url, ...allow)).toBeUndefined();
  });

  const refused: [url: string, allow: string[], kind: string][] = [
    ["http://127.0.0.1/", ["public", "private"], "loopback"],
    ["http://localhost/", ["public"], "loopback"],
    ["http://2130706433/", ["public"], "loopback"],
    ["http://[::ffff:127.0.0.1]/", ["public"], "loopback"],
    ["http://192.168.1.1/", ["public", "loopback"], "private"],
    ["http://8.8.8.8/", ["loopback"], "public"],
    ["http://8.8.8.8/", [], "public"],
    ["http://169.254.169.254/latest/meta-data", ["public", "loopback", "private", "*.example.com"], "reserved"],
    ["http://[::ffff:169.254.169.254]/", ["public", "loopback", "private"], "reserved"],
    ["http://[fe80::1]/", ["public", "loopback", "private"], "reserved"],
    ["http://0.0.0.0/", ["public", "loopback", "private"], "reserved"],
  ];

  test.each(refused)("to %s is refused for good under %p: %s", async (url, allow, kind) => {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
    const message = `calls to ${kind} addresses are not allowed (${host}); --http-allow says which are`;
    await expect(call(url, ...allow)).rejects.toEqual(new Fatal(message));
  });

  test("under a pattern goes to names below it, not to those that only look so", async () => {
    await expect(call("http://127.0.0.1/", "*.0.0.1x", "27.0.0.1")).rejects.toBeInstanceOf(Fatal);
    await expect(call("http://localhost/", "*.localhost", "*localhost")).rejects.toBeInstanceOf(Fatal);
  });

  test("to a name that does not resolve fails, and may be tried again", async () => {
    /** Too long for a label: refused without asking anybody. */
    const host = `${"a".repeat(64)}.invalid`;
    await expect(call(`http://${host}/`, "public")).rejects.not.toBeInstanceOf(Fatal);
  });
});
