import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  address,
  byteSize,
  duration,
  flag,
  httpUrl,
  integer,
  listOf,
  logLevelsOf,
  oneOf,
  openUrl,
  type Parse,
  parseByteSize,
  parseDuration,
  queueName,
  showByteSize,
  showDuration,
  tableName,
} from "../../src/settings/parsers.ts";

describe("a duration", () => {
  test("is a number and its unit", () => {
    const texts = ["0ms", "250ms", "30s", "1.5s", "10m", "2h", "7d", "0.5d"];
    expect(texts.map(parseDuration)).toEqual([0, 250, 30_000, 1500, 600_000, 7_200_000, 604_800_000, 43_200_000]);
  });

  test.each(["", "30", "s", "-1s", "1 s", " 1s", "1e3s", "1s2s", "1w", ".5s", "1.s", "1S", "Infinitys"])(
    "is not %p",
    (text) => {
      expect(() => parseDuration(text)).toThrow("expected a duration such as 250ms, 30s, 10m or 2h");
    },
  );

  test("longer than a number can hold is refused", () => {
    expect(() => parseDuration(`${"9".repeat(20)}d`)).toThrow("the duration is too long");
  });

  test("shown as text reads the same, in its longest whole unit", () => {
    fc.assert(fc.property(fc.nat({ max: 10 ** 12 }), (ms) => expect(parseDuration(showDuration(ms))).toBe(ms)));
    expect([0, 999, 1000, 90_000, 3_600_000, 172_800_000].map(showDuration)).toEqual([
      "0ms",
      "999ms",
      "1s",
      "90s",
      "1h",
      "2d",
    ]);
  });

  test("grows with its number in every unit", () => {
    const anyNumber = fc.nat({ max: 10_000 });
    fc.assert(
      fc.property(anyNumber, anyNumber, fc.constantFrom("ms", "s", "m", "h", "d"), (a, b, unit) => {
        expect(Math.sign(parseDuration(`${a}${unit}`) - parseDuration(`${b}${unit}`))).toBe(Math.sign(a - b));
      }),
    );
  });

  test("is taken within its limits, both included, and refused outside", () => {
    const parse = duration(2000, 60_000);
    expect([parse("2s"), parse("1m")]).toEqual([2000, 60_000]);
    expect(() => parse("1999ms")).toThrow("expected a duration from 2s to 1m");
    expect(() => parse("60001ms")).toThrow("expected a duration from 2s to 1m");
  });
});

describe("a size in bytes", () => {
  test("is a number and its unit, each 1024 times the one before", () => {
    const texts = ["0KB", "1KB", "512MB", "1.5GB", "2TB"];
    expect(texts.map(parseByteSize)).toEqual([0, 1024, 536_870_912, 1_610_612_736, 2_199_023_255_552]);
  });

  test.each(["", "512", "MB", "-1MB", "1 MB", " 1MB", "1e3MB", "1MiB", "1mb", ".5GB", "1.GB", "100%", "InfinityMB"])(
    "is not %p",
    (text) => {
      expect(() => parseByteSize(text)).toThrow("expected a size such as 512MB or 2GB");
    },
  );

  test("of whole kilobytes shown as text reads the same, in its longest whole unit", () => {
    const anyKilobytes = fc.nat({ max: 2 ** 40 });
    fc.assert(
      fc.property(anyKilobytes, (count) => expect(parseByteSize(showByteSize(count * 1024))).toBe(count * 1024)),
    );
    const sizes = [0, 1023, 1024, 1025, 1_572_864, 1_610_612_736, 1_073_741_824, 2_199_023_255_552];
    expect(sizes.map(showByteSize)).toEqual(["0KB", "0KB", "1KB", "1KB", "1536KB", "1536MB", "1GB", "2TB"]);
  });

  test("is taken within its limits, both included, and refused outside", () => {
    const parse = byteSize(64 * 1024 ** 2, 1024 ** 4);
    expect([parse("64MB"), parse("1TB")]).toEqual([67_108_864, 1_099_511_627_776]);
    for (const text of ["63.9MB", "1025GB"]) expect(() => parse(text)).toThrow("expected a size from 64MB to 1TB");
  });
});

describe("each kind of setting takes what fits", () => {
  const word = oneOf("all", "worker");
  const cases: [what: string, parse: Parse<unknown>, text: string, value: unknown][] = [
    ["a whole number", integer(1, 256), "256", 256],
    ["a word of its list", word, "worker", "worker"],
    ["words with space around them", listOf(word), "all, worker ,all", ["all", "worker", "all"]],
    ["true", flag, "true", true],
    ["false", flag, "false", false],
    ["a name and a port", address, "localhost:8080", { host: "localhost", port: 8080 }],
    ["an IPv6 address and a port", address, "[::1]:0", { host: "::1", port: 0 }],
    ["a queue name of 80 characters", queueName, "q".repeat(80), "q".repeat(80)],
    ["a table name", tableName, "_tasks_2", "_tasks_2"],
    ["a URL, without the slashes at its end", httpUrl, "https://example.com/api//", "https://example.com/api"],
    ["a URL that may be shown", openUrl, "http://jaeger:16686/base/", "http://jaeger:16686/base"],
    ["one level for all", logLevelsOf, "warn", { base: "warn", modules: {} }],
    [
      "levels of modules",
      logLevelsOf,
      "error, worker.pool=debug,queue=trace",
      { base: "error", modules: { "worker.pool": "debug", queue: "trace" } },
    ],
    ["levels of modules alone", logLevelsOf, "queue=trace", { base: "info", modules: { queue: "trace" } }],
  ];

  test.each(cases)("%s", (_, parse, text, value) => {
    expect(parse(text)).toEqual(value);
  });
});

describe("each kind of setting says what it expects when it gets something else", () => {
  const number = "expected a whole number from 1 to 256";
  const hostPort = "expected host:port, such as 127.0.0.1:8080";
  const queue = "expected up to 80 letters, digits, - or _";
  const table = "expected 3 to 60 letters, digits or _";
  const cases: [parse: Parse<unknown>, message: string, texts: string[]][] = [
    [integer(1, 256), number, ["0", "257", "", "1.5", "1e2", "-1", "0x10", " 1", "many", "9".repeat(400)]],
    [oneOf("all", "worker"), "expected all or worker", ["", "ALL", "all ", "worker,all"]],
    [listOf(oneOf("all", "worker")), "expected all or worker", ["", "all,", "all;worker"]],
    [flag, "expected true or false", ["", "yes", "1", "TRUE"]],
    [address, hostPort, ["", "8080", ":8080", "localhost", "localhost:", "a:65536", "a:-1", "::1:80", "a b:1", "a:1x"]],
    [queueName, queue, ["", "q".repeat(81), "a b", "a.fifo", "ä"]],
    [tableName, table, ["", "ab", "1ab", "a-b", "t; DROP TABLE t", "t".repeat(61)]],
    [httpUrl, "expected an http(s) URL", ["", "example.com", "example.com:80", "ftp://example.com", "http://"]],
    [openUrl, "expected a URL without a user and a password", ["http://me:secret@jaeger:16686", "http://me@jaeger"]],
    [logLevelsOf, "expected trace or debug or info or warn or error", ["", "loud", "queue=", "queue=loud", "info,"]],
  ];

  test.each(cases.flatMap(([parse, message, texts]) => texts.map((text) => [text, message, parse] as const)))(
    "%p: %s",
    (text, message, parse) => {
      expect(() => parse(text)).toThrow(message);
    },
  );
});
