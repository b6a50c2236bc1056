import { describe, expect, test } from "bun:test";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import fc from "fast-check";
import { type KeyEntry, parseKeyFile, readEntries, toFileText } from "../../src/access/api-key-file.ts";
import { watchKeyFile } from "../../src/access/api-key-watch.ts";
import { createApiKeys, hashApiKey, isApiKey, newApiKey } from "../../src/access/api-keys.ts";
import { logLevelsOf } from "../../src/settings/parsers.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { createRedaction } from "../../src/telemetry/logs/redact.ts";
import { TaskError } from "../../src/words/errors.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { rejectionOf } from "../support/rejection.ts";
import { tempFolder } from "../support/temp-folder.ts";

const key = newApiKey();

function entryOf(text: string, more: Partial<KeyEntry> = {}): KeyEntry {
  return { id: "shop", sha256: hashApiKey(text).toString("hex"), scopes: ["submit"], ...more };
}

function problemsOf(text: string): string[] {
  try {
    parseKeyFile(text, "keys.json");
  } catch (error) {
    if (error instanceof TaskError && error.code === "invalid_argument") return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("an API key", () => {
  test("is told from a text that only looks like one", () => {
    expect(isApiKey(key)).toBe(true);
    expect(key).toMatch(/^tl_[0-9a-f]{48}$/);
    const wrong = ["", "tl_", key.slice(0, -1), `${key}0`, ` ${key}`, `${key}\n`, key.toUpperCase(), key.slice(3)];
    expect(wrong.filter(isApiKey)).toEqual([]);
  });

  test("with one slip is none", () => {
    const digit = fc.constantFrom(..."0123456789abcdef");
    fc.assert(
      fc.property(fc.integer({ min: 3, max: key.length - 1 }), digit, (at, wrong) => {
        fc.pre(key[at] !== wrong);
        expect(isApiKey(`${key.slice(0, at)}${wrong}${key.slice(at + 1)}`)).toBe(false);
      }),
    );
  });

  test("is never made twice", () => {
    expect(new Set(Array.from({ length: 1000 }, newApiKey)).size).toBe(1000);
  });
});

describe("the keys of a file", () => {
  const entries: KeyEntry[] = [
    entryOf(key, { expires_at: "2027-01-01T00:00:00Z", rate: "600/m", trust_trace_context: false }),
    entryOf(newApiKey(), { id: "ops", scopes: ["submit", "read", "operate"] }),
  ];
  const keys = createApiKeys(parseKeyFile(toFileText(entries), "keys.json"));

  test("are found by the key, with all that the file says of it", () => {
    expect(keys.find(key)).toEqual({
      id: "shop",
      scopes: new Set(["submit"]),
      rate: { count: 600, windowSeconds: 60 },
      trustTraceContext: false,
      expiresAtMs: Date.parse("2027-01-01T00:00:00Z"),
    });
  });

  test("are found by nothing else, not by their own hash either", () => {
    const others = [
      newApiKey(),
      "",
      "shop",
      entries[0]?.sha256 ?? "",
      hashApiKey(key).toString("latin1"),
      `tl_${"0".repeat(48)}`,
    ];
    expect(others.map((text) => keys.find(text))).toEqual(others.map(() => undefined));
  });

  test("stand there without the key", () => {
    expect(toFileText(entries)).not.toContain(key.slice(3, 43));
    expect(readEntries(toFileText(entries), "keys.json")).toEqual(entries);
  });

  const bad: [what: string, text: string, problems: string[]][] = [
    ["no JSON", `{"keys": [${key}`, ["it is not JSON"]],
    ["no object", "[]", ["/: Invalid input: expected object, received array"]],
    ["a word too many", '{"keys":[],"key":[]}', ['/: Unrecognized key: "key"']],
    [
      "an entry with all wrong",
      JSON.stringify({ keys: [{ id: "a b", sha256: "00", scopes: [], rate: "1", expires_at: "soon", key: "x" }] }),
      [
        "/keys/0/id: expected 1 to 64 letters, digits or . _ -",
        "/keys/0/sha256: expected 64 hexadecimal digits in small letters",
        "/keys/0/scopes: Too small: expected array to have >=1 items",
        "/keys/0/expires_at: Invalid ISO datetime",
        "/keys/0/rate: expected a rate such as 100/s, 6000/m or 10000/h",
        '/keys/0: Unrecognized key: "key"',
      ],
    ],
    [
      "the same twice",
      toFileText([entryOf(key), entryOf(key)]),
      ["/keys/1/id: the same as that of another key", "/keys/1/sha256: the same as that of another key"],
    ],
  ];
  test.each(bad)("with %s are refused, with all that is wrong", (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems.map((problem) => `the API keys of "keys.json": ${problem}`));
  });
});

describe("a file that is watched", () => {
  async function watched(text: string) {
    const folder = await tempFolder();
    const path = join(folder.path, "keys.json");
    await writeFile(path, text);
    const clock = createFakeClock();
    const ended = new AbortController();
    const lines: { msg: string; level: string }[] = [];
    const log = createLogger({
      service: "api-gateway",
      levels: logLevelsOf("info"),
      writeLine: (line) => lines.push(JSON.parse(line)),
      otlp: undefined,
      context: ROOT_CONTEXT,
      redaction: createRedaction(),
    });
    const watch = await watchKeyFile(path, { clock, log, signal: ended.signal });
    return {
      watch,
      path,
      lines,
      /** Two more seconds; resolves when `isSo`. */
      later: (isSo: () => boolean) =>
        eventually(async () => {
          await clock.advance(2000);
          return isSo();
        }),
      replace: async (next: string): Promise<void> => {
        await writeFile(`${path}.new`, next);
        await rename(`${path}.new`, path);
      },
      async [Symbol.asyncDispose]() {
        ended.abort();
        await folder[Symbol.asyncDispose]();
      },
    };
  }

  test("gives and takes keys without a start", async () => {
    await using file = await watched(toFileText([entryOf(key)]));
    expect(file.watch.keys().find(key)?.id).toBe("shop");
    const other = newApiKey();
    await file.replace(toFileText([entryOf(other, { id: "other" })]));
    await file.later(() => file.watch.keys().find(key) === undefined);
    expect(file.watch.keys().find(other)?.id).toBe("other");
  });

  test("keeps its keys while it is broken or gone, tells each once, and goes on", async () => {
    await using file = await watched(toFileText([entryOf(key)]));
    const failures = (): number => file.lines.filter(({ level }) => level === "error").length;
    await file.replace("{");
    await file.later(() => failures() === 1);
    await rm(file.path);
    await file.later(() => failures() === 2);
    expect(file.watch.keys().find(key)?.id).toBe("shop");
    await file.replace(toFileText([]));
    await file.later(() => file.watch.keys().size === 0);
    expect(failures()).toBe(2);
  });

  test("is refused at first when it does not fit", async () => {
    expect(await rejectionOf(watched("{}"))).toMatchObject({ code: "invalid_argument" });
  });
});
