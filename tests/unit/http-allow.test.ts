import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  allowedAddresses,
  ForbiddenTarget,
  kindOf,
  type Resolve,
  resolveBySystem,
} from "../../src/worker/http/allow.ts";
import { rejectionOf } from "../support/rejection.ts";

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

  const metadata = [
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
  ];

  test.each(metadata)("where a cloud keeps its credentials is of no kind that can be allowed: %s", (address) => {
    expect(kindOf(address)).toBe("reserved");
  });

  const tunnels = [
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::1",
    "2001:0:7f00:1::1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
  ];

  test.each(tunnels)("that a translator would turn into another one is not public: %s", (address) => {
    expect(kindOf(address)).toBe("reserved");
  });

  test.each(["192.88.99.1", "100::1", "2001:2::1", "2001:db8::1", "fec0::1", "3fff::1", "5f00::1"])(
    "that is nobody's is not public: %s",
    (address) => {
      expect(kindOf(address)).toBe("reserved");
    },
  );
});

/** A name server of the test's own, which counts how often it was asked. */
function resolver(...answers: string[][]): { resolve: Resolve; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    resolve: async (host) => {
      asked.push(host);
      return answers.shift() ?? [];
    },
  };
}

const never: Resolve = (host) => Promise.reject(new Error(`"${host}" was looked up`));

describe("a call of the http task", () => {
  const allowed: [url: string, allow: string[], addresses: string[]][] = [
    ["http://127.0.0.1:8080/", ["loopback"], ["127.0.0.1"]],
    ["http://[::1]/", ["loopback"], ["::1"]],
    ["http://10.0.0.1/", ["public", "private"], ["10.0.0.1"]],
    ["https://8.8.8.8/", ["public"], ["8.8.8.8"]],
    ["http://169.254.169.254/", ["169.254.169.254"], ["169.254.169.254"]],
  ];

  test.each(allowed)("to %s goes out under %p, to %p", async (url, allow, addresses) => {
    expect(await allowedAddresses(new URL(url), allow, never)).toEqual(addresses);
  });

  const named: [url: string, allow: string[], answer: string[]][] = [
    ["http://shop.example/", ["public"], ["8.8.8.8", "2606:4700::1111"]],
    ["http://shop.example./", ["public"], ["8.8.8.8"]],
    ["http://hooks.internal.example/", ["*.internal.example"], ["10.0.0.1"]],
    ["http://hooks.example./", ["hooks.example"], ["127.0.0.1"]],
    ["http://HOOKS.example/", ["hooks.example"], ["127.0.0.1"]],
  ];

  test.each(named)("to the name %s goes out under %p, to what it was resolved to once", async (url, allow, answer) => {
    const { resolve, asked } = resolver(answer, ["127.0.0.1"]);
    expect(await allowedAddresses(new URL(url), allow, resolve)).toEqual(answer);
    expect(asked).toEqual([new URL(url).hostname.replace(/\.$/, "")]);
  });

  const refused: [url: string, allow: string[], kind: string][] = [
    ["http://127.0.0.1/", ["public", "private"], "loopback"],
    ["http://127.0.0.1./", ["public"], "loopback"],
    ["http://2130706433/", ["public"], "loopback"],
    ["http://0x7f000001/", ["public"], "loopback"],
    ["http://0177.0.0.1/", ["public"], "loopback"],
    ["http://127.1/", ["public"], "loopback"],
    ["http://%31%32%37.0.0.1/", ["public"], "loopback"],
    ["http://\uff11\uff12\uff17\u3002\uff10\u3002\uff10\u3002\uff11/", ["public"], "loopback"],
    ["http://[::ffff:127.0.0.1]/", ["public"], "loopback"],
    ["http://192.168.1.1/", ["public", "loopback"], "private"],
    ["http://8.8.8.8/", ["loopback"], "public"],
    ["http://8.8.8.8/", [], "public"],
    ["http://169.254.169.254/latest/meta-data", ["public", "loopback", "private", "*.example.com"], "reserved"],
    ["http://[::ffff:169.254.169.254]/", ["public", "loopback", "private"], "reserved"],
    ["http://[64:ff9b::a9fe:a9fe]/", ["public", "loopback", "private"], "reserved"],
    ["http://[fd00:ec2::254]/", ["public", "loopback", "private"], "reserved"],
    ["http://[fe80::1]/", ["public", "loopback", "private"], "reserved"],
    ["http://0.0.0.0/", ["public", "loopback", "private"], "reserved"],
  ];

  test.each(refused)("to %s is refused for good under %p: %s", async (url, allow, kind) => {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
    const message = `calls to ${kind} addresses are not allowed (${host}); --http-allow says which are`;
    expect(await rejectionOf(allowedAddresses(new URL(url), allow, never))).toEqual(new ForbiddenTarget(message));
  });

  test("to a name with one forbidden address among others is refused", async () => {
    const { resolve } = resolver(["8.8.8.8", "::ffff:10.0.0.1"]);
    const refusal = await rejectionOf(allowedAddresses(new URL("http://shop.example/"), ["public"], resolve));
    expect(refusal).toBeInstanceOf(ForbiddenTarget);
  });

  test("to this machine by its name is refused, whatever the system says that it is", async () => {
    const refusal = await rejectionOf(allowedAddresses(new URL("http://localhost/"), ["public"], resolveBySystem));
    expect(refusal).toBeInstanceOf(ForbiddenTarget);
  });

  test.each(["http://me@8.8.8.8/", "http://:secret@8.8.8.8/", "https://example.com@8.8.8.8/", "ftp://8.8.8.8/"])(
    "to %s is refused for its form",
    async (url) => {
      const refusal = await rejectionOf(allowedAddresses(new URL(url), ["public"], never));
      expect(refusal).toBeInstanceOf(ForbiddenTarget);
    },
  );

  test("under a pattern goes to names below it, not to those that only look so", async () => {
    for (const url of ["http://127.0.0.1/", "http://xlocalhost/"]) {
      const rules = ["*.0.0.1x", "27.0.0.1", "*.localhost", "*localhost"];
      const { resolve } = resolver(["127.0.0.1"]);
      expect(await rejectionOf(allowedAddresses(new URL(url), rules, resolve))).toBeInstanceOf(ForbiddenTarget);
    }
  });

  test("to a name that does not resolve fails, and may be tried again", async () => {
    /** Too long for a label: refused without asking anybody. */
    const url = new URL(`http://${"a".repeat(64)}.invalid/`);
    for (const resolve of [resolveBySystem, resolver([]).resolve]) {
      expect(await rejectionOf(allowedAddresses(url, ["public"], resolve))).not.toBeInstanceOf(ForbiddenTarget);
    }
  });
});

describe("no spelling", () => {
  const byte = fc.nat(255);
  /** Loopback, private, link-local: what must never be reached under `public`. */
  const inner = fc.oneof(
    fc.tuple(fc.constant(127), byte, byte, byte),
    fc.tuple(fc.constant(10), byte, byte, byte),
    fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
    fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
    fc.tuple(fc.constant(0), byte, byte, byte),
  );
  type Quad = [number, number, number, number];
  const number = ([a, b, c, d]: Quad): number => a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  const groups = ([a, b, c, d]: Quad): string => `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  const spellings: ((quad: Quad) => string)[] = [
    (quad) => quad.join("."),
    (quad) => `${quad.join(".")}.`,
    (quad) => String(number(quad)),
    (quad) => `0x${number(quad).toString(16)}`,
    (quad) => `0${number(quad).toString(8)}`,
    (quad) => quad.map((part) => `0x${part.toString(16)}`).join("."),
    (quad) => quad.map((part) => `0${part.toString(8)}`).join("."),
    ([a, b, c, d]) => `${a}.${b}.${c * 256 + d}`,
    ([a, b, c, d]) => `${a}.${b * 65_536 + c * 256 + d}`,
    (quad) => `[::ffff:${quad.join(".")}]`,
    (quad) => `[::ffff:${groups(quad)}]`,
    (quad) => `[0:0:0:0:0:ffff:${groups(quad)}]`,
    (quad) => `[::${groups(quad)}]`,
    (quad) => `[64:ff9b::${groups(quad)}]`,
    (quad) => `[2002:${groups(quad)}::1]`,
    (quad) => `[::ffff:0:${groups(quad)}]`,
  ];

  test("of an inner address is taken for a public one", async () => {
    await fc.assert(
      fc.asyncProperty(inner, fc.constantFrom(...spellings), async (quad, spell) => {
        const url = new URL(`http://${spell(quad)}/`);
        expect(await rejectionOf(allowedAddresses(url, ["public"], never))).toBeInstanceOf(ForbiddenTarget);
      }),
      { numRuns: 2000 },
    );
  });

  test("of a host, however odd, leads to an address of another kind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 30 }), inner, async (host, quad) => {
        const url = URL.parse(`http://${host}/`);
        if (!url) return;
        const addresses = await allowedAddresses(url, ["public"], async () => [quad.join(".")]).catch(() => []);
        expect(addresses.map(kindOf)).toEqual(addresses.map(() => "public"));
      }),
      { numRuns: 2000 },
    );
  });
});
