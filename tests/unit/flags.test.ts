/** What is typed as a flag's value, as it is read. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { payloadText, readPayload, timeText, toMoment } from "../../src/cli/flags.ts";
import { JsonText } from "../../src/words/json-text.ts";
import { tempFolder } from "../support/temp-folder.ts";

describe("a payload", () => {
  test("may be JSON, or a file with JSON", async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, "payload.json");
    await Bun.write(file, '\uFEFF{"n": 0.1}');
    expect(readPayload(payloadText('{"n": 1}'))).toEqual(new JsonText('{"n": 1}'));
    expect(readPayload(payloadText(`@${file}`))).toEqual(new JsonText('{"n": 0.1}'));
  });

  test("keeps every digit, typed or in a file", async () => {
    await using folder = await tempFolder();
    for (const number of ["1970670598291982290", "-9007199254740993", "1E400", "0.12345678901234567890"]) {
      const file = join(folder.path, `${number}.json`);
      await Bun.write(file, `{"a":[${number}]}`);
      for (const text of [`{"a":[${number}]}`, `@${file}`]) {
        expect(readPayload(payloadText(text))).toEqual(new JsonText(`{"a":[${number}]}`));
      }
    }
  });

  test("is refused when it is not JSON", () => {
    for (const text of ["{'a':1}", "[1,]", ""]) expect(() => payloadText(text)).toThrow("It is not JSON");
  });
});

describe("a time", () => {
  test("is left as it is typed when the API understands it", () => {
    for (const text of ["2026-01-31T10:00:00+02:00", "2026-01-31 08:00:00z"]) expect(timeText(text)).toBe(text);
    for (const text of ["2026-01-31", "2026-01-31T10:00:00", "2026-02-30T10:00:00Z", "1h"]) {
      expect(() => timeText(text)).toThrow(/Expected a time with a zone|There is no day/);
    }
  });

  test("to list from may also be how long ago", () => {
    expect(toMoment("2026-01-31T10:00:00+02:00")).toBe("2026-01-31T08:00:00.000Z");
    const moment = Date.parse(toMoment("1h"));
    expect(Date.now() - moment).toBeGreaterThanOrEqual(3_600_000);
    expect(() => toMoment("yesterday")).toThrow("expected a duration");
  });
});
