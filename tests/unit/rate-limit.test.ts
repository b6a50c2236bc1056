import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Caller } from "../../src/access/caller.ts";
import { createRateLimits, networkOf, refuseSpent, setRateLimitHeaders } from "../../src/access/rate-limit.ts";
import type { Rate } from "../../src/settings/parsers.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const anybody: Caller = { kind: "anybody" };
const hourly: Rate = { count: 3, windowSeconds: 3600 };

function keyed(id: string, rate?: Rate): Caller {
  const expiresAtMs = Number.POSITIVE_INFINITY;
  return { kind: "known", key: { id, scopes: new Set(), rate, trustTraceContext: undefined, expiresAtMs } };
}

/** Takes `count` again and again, and gives what was left each time; `spent` where there was not enough. */
async function takeAll(usual: Rate | undefined, asks: [caller: Caller, address: string, count: number][]) {
  const limits = createRateLimits(usual, createFakeClock());
  const left: unknown[] = [];
  for (const [caller, address, count] of asks) {
    const allowance = await limits.take(caller, address, count);
    left.push(allowance?.isSpent ? "spent" : allowance?.remaining);
  }
  return left;
}

describe("what a caller may ask", () => {
  test("is without a limit when nobody sets one", async () => {
    expect(
      await takeAll(undefined, [
        [anybody, "192.0.2.1", 1],
        [keyed("a"), "192.0.2.1", 1000],
      ]),
    ).toEqual([undefined, undefined]);
  });

  test("is counted for each key, from wherever it comes", async () => {
    const asks: [Caller, string, number][] = [
      [keyed("a"), "192.0.2.1", 1],
      [keyed("a"), "192.0.2.2", 2],
      [keyed("a"), "192.0.2.3", 1],
      [keyed("b"), "192.0.2.1", 1],
      [keyed("c", { count: 10, windowSeconds: 60 }), "192.0.2.1", 1],
    ];
    expect(await takeAll(hourly, asks)).toEqual([2, 0, "spent", 2, 9]);
  });

  test("is counted for each address of who has no key, or none that is good", async () => {
    const asks: [Caller, string, number][] = [
      [anybody, "192.0.2.1", 3],
      [{ kind: "unknown", why: "" }, "192.0.2.1", 1],
      [anybody, "192.0.2.2", 1],
      [anybody, "2001:db8:0:1::1", 3],
      [anybody, "2001:db8:0:1:ffff::2", 1],
      [anybody, "2001:db8:0:2::1", 1],
    ];
    expect(await takeAll(hourly, asks)).toEqual([0, "spent", 2, 0, "spent", 2]);
  });

  test("is not used up by much that is refused at once", async () => {
    const asks: [Caller, string, number][] = [
      [keyed("a"), "", 1],
      [keyed("a"), "", 1000],
      [keyed("a"), "", 2],
    ];
    expect(await takeAll(hourly, asks)).toEqual([2, "spent", 0]);
  });

  test("is bounded in what is remembered: whoever comes with many addresses shares one name with others", async () => {
    const limits = createRateLimits(hourly, createFakeClock());
    for (let at = 0; at < 50_000; at++) await limits.take(anybody, `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`, 1);
    const later = await Promise.all(
      ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((each) => limits.take(anybody, each, 1)),
    );
    expect(later.map((allowance) => allowance?.remaining)).toEqual([2, 1, 0]);
    expect((await limits.take(anybody, "10.0.0.1", 1))?.remaining).toBe(1);
  });
});

describe("one who asks too often", () => {
  const spent = { policy: "key", rate: hourly, remaining: 0, resetMs: 1500, isSpent: true } as const;

  test("is told how much is allowed, and when to come back", () => {
    expect(() => refuseSpent(spent, 1)).toThrow("too many requests: allowed are 3 in 3600 s for each API key");
    expect(() => refuseSpent({ ...spent, policy: "address" }, 4)).toThrow(
      "allowed are 3 in 3600 s for each client address; so many at once are never allowed, ask for fewer",
    );
    expect(refuseSpent({ ...spent, isSpent: false }, 1)).toBeUndefined();
  });

  test("reads it in the headers of the draft, in whole seconds", () => {
    const headers = new Headers();
    setRateLimitHeaders(headers, spent);
    expect(Object.fromEntries(headers)).toEqual({ "ratelimit-policy": '"key";q=3;w=3600', ratelimit: '"key";r=0;t=2' });
  });
});

describe("the network of an address", () => {
  const networks: [address: string, network: string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::1", "0:0:0:0::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["2001:0db8:0000:0001:0:0:0:1", "2001:db8:0:1::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["", ""],
  ];
  test.each(networks)("%s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test("is the same however an address is written", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        // That form is for IPv4 in IPv6 clothes, which is not the network's business.
        fc.pre(!address.includes("."));
        // The URL parser writes an address in the one way of RFC 5952.
        expect(networkOf(new URL(`http://[${address}]/`).hostname.slice(1, -1))).toBe(networkOf(address));
      }),
    );
  });
});
