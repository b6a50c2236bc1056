/** JSON text that stays text: what is read, what is kept as it is, and when two texts mean the same. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  canonicalJson,
  compact,
  isNull,
  JsonError,
  JsonText,
  layOut,
  readable,
  readJson,
  toPointer,
  writeJson,
} from "../../src/words/json-text.ts";

/** Spaces wherever JSON allows them. */
const spaced = (value: unknown): string => ` \r\n${JSON.stringify(value, null, "\t ")}\n`;

/** undefined: it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe("a text that is read", () => {
  test("gives what JSON.parse gives, where it has no payload", () => {
    const anyValue = fc.jsonValue({ maxDepth: 6 }).filter((value) => !/"(payload|result)"/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(readJson(JSON.stringify(value), 64)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(readJson(spaced(value), 64)).toEqual(JSON.parse(spaced(value)));
      }),
    );
  });

  test("is refused exactly where JSON.parse refuses it, inside a payload too", () => {
    const parts = [
      '"',
      "\\",
      "\\u00e4",
      "\\u00",
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      " ",
      "1",
      "-",
      "0",
      ".5",
      "e1",
      "true",
      "nul",
    ];
    const anyText = fc.array(fc.constantFrom(...parts, '"a"', "null", "\t", "\u0001", "é"), { maxLength: 12 });
    fc.assert(
      fc.property(anyText, fc.boolean(), (chosen, isPayload) => {
        const text = isPayload ? `{"payload":${chosen.join("")}}` : chosen.join("");
        if (parsed(text) !== undefined) expect(() => readJson(text, 64)).not.toThrow();
        else expect(() => readJson(text, 64)).toThrow(new JsonError("not_json"));
      }),
      { numRuns: 2000 },
    );
  });

  test("is refused for what no string may have, wherever it stands in a long one", () => {
    const anyPart = fc.constantFrom(
      "\u0000",
      "\n",
      "\u001f",
      "\u007f",
      "\u0085",
      "\\n",
      "\\u00e4",
      "\\x",
      '\\"',
      '"',
      "é",
      "☃",
    );
    fc.assert(
      fc.property(
        fc.nat(100),
        anyPart,
        fc.nat(100),
        fc.constantFrom("payload", "metadata", "a"),
        (before, part, behind, name) => {
          const string = `"${"x".repeat(before)}${part}${"y".repeat(behind)}"`;
          const text = `{"${name}":${string},${string}:1}`;
          const built = parsed(text);
          if (built === undefined) expect(() => readJson(text, 64)).toThrow(new JsonError("not_json"));
          else expect(JSON.parse(writeJson(readJson(text, 64)))).toEqual(built);
        },
      ),
    );
  });

  test("is refused when it nests too deep, however deep, before it is built", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(() => readJson(nested(64), 64)).not.toThrow();
    for (const text of [nested(65), nested(200_000), `{"payload":${nested(64)}}`, '{"a":'.repeat(65)]) {
      expect(() => readJson(text, 64)).toThrow(new JsonError("too_deep"));
    }
  });
});

describe("a payload", () => {
  const places: [place: (payload: string) => string, at: (root: unknown) => unknown][] = [
    [(payload) => `{"payload":${payload}}`, (root) => Object(root).payload],
    [
      (payload) => ` { "type":"a" , "payload" : ${payload} , "metadata":{"payload":"s"} } `,
      (root) => Object(root).payload,
    ],
    [(payload) => `[{"a":[]},{"payload":${payload}}]`, (root) => Object(root)[1].payload],
    [(payload) => `{"task":{"b":{"payload":1},"pay\\u006coad":${payload}}}`, (root) => Object(root).task.payload],
    [(payload) => `{"payload":0,"payload":${payload}}`, (root) => Object(root).payload],
    [(payload) => `{"items":[[],{"result":${payload}}]}`, (root) => Object(root).items[1].result],
  ];

  test.each(places)("is the text that was sent, in its place %#", (place, at) => {
    const fixed = ["1e400", "1970670598291982290", "-0", '"\\ud800"', '{ "payload": [1.50] }', "[]", "null", '"\\"}"'];
    for (const payload of fixed) expect(at(readJson(place(payload), 64))).toEqual(new JsonText(payload));
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (payload) => {
        expect(at(readJson(place(payload), 64))).toEqual(new JsonText(payload));
      }),
    );
  });

  test("is written as it was sent", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.json({ maxDepth: 3 }), (one, other) => {
        const text = `{"items":[{"type":"a","payload":${one}},{"result":${other},"n":null}]}`;
        expect(writeJson(readJson(text, 64))).toBe(text);
      }),
    );
  });

  test("is no member of metadata or of another payload", () => {
    expect(readJson('{"metadata":{"payload":"a"},"payload":{"payload":1}}', 64)).toEqual({
      metadata: { payload: "a" },
      payload: new JsonText('{"payload":1}'),
    });
  });
});

describe("a name that stands twice", () => {
  const texts = [
    '{"task":{"type":"a","payload":1},"task":{"type":"b"}}',
    '{"task":{"payload":1},"task":5}',
    '{"a":[{"payload":1}],"a":[]}',
    '{"a":{"__proto__":{"payload":1}},"a":{}}',
    '{"a":{"constructor":{"prototype":{"result":1}}},"a":{}}',
  ];

  test.each(texts)("holds what stands last, and no payload of what stood before: %s", (text) => {
    expect(readJson(text, 64)).toEqual(JSON.parse(text));
    expect([Reflect.has({}, "payload"), Reflect.has({}, "result")]).toEqual([false, false]);
  });

  test("may be the name that objects inherit", () => {
    const text = '{"__proto__":{"payload":1},"__proto__":{"payload":2}}';
    expect(writeJson(readJson(text, 64))).toBe('{"__proto__":{"payload":2}}');
  });
});

test("what is undefined is left out, as JSON.stringify does", () => {
  fc.assert(
    fc.property(fc.object({ maxDepth: 3, withNullPrototype: false }), (value) => {
      expect(writeJson(value)).toBe(JSON.stringify(value));
    }),
  );
});

describe("the canonical text", () => {
  const groups = [
    ['{"b":1.50,"a":[]}', ' { "a" : [ ] , "b" : 15e-1 } ', '{"a":[],"b":1.5}'],
    ["1970670598291982290", "1970670598291982290.0"],
    ["1970670598291982291"],
    ["1e400", "10e399", "1E+400"],
    ["1e401"],
    ["-1e400"],
    ["1e0000000000000000000400000000000", "10E+399999999999"],
    [`1e${"9".repeat(20)}`],
    [`1e${"9".repeat(21)}`],
    [`1e-${"9".repeat(21)}`],
    ["0", "-0", "0.0", "0e7", `0e${"9".repeat(21)}`],
    ['"\\u00e4"', '"ä"'],
    ['"\\ud800"'],
    ['"\\ud801"'],
    ['{"1":1,"a":2}', '{"a":2,"1":1}'],
  ];

  test("is one for texts that mean the same, and another for every other", () => {
    const canonical = groups.map((texts) => new Set(texts.map(canonicalJson)));
    expect(canonical.map(({ size }) => size)).toEqual(groups.map(() => 1));
    expect(new Set(canonical.flatMap((texts) => [...texts])).size).toBe(groups.length);
  });

  test("takes no longer for digits of an exponent than for others", () => {
    const digits = "9".repeat(1024 * 1024);
    const fastest = (text: string): number => {
      const runs = [1, 2, 3].map(() => {
        const startedMs = performance.now();
        canonicalJson(text);
        return performance.now() - startedMs;
      });
      return Math.min(...runs);
    };
    expect(fastest(`1e${digits}`)).toBeLessThan(50 * fastest(`0.${digits}`));
  });

  test("does not depend on spaces", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(spaced(value))).toBe(canonicalJson(JSON.stringify(value)));
      }),
    );
  });
});

test("a payload is null as a value and as text", () => {
  const { payload, result } = Object(readJson('{ "payload" : null , "result": [null] }', 64));
  expect([null, undefined, payload, result, 0, ""].map(isNull)).toEqual([true, true, true, false, false, false]);
});

describe("a text for people", () => {
  test.each([
    ['"M\\u00fcller \\uD83D\\uDE00 \\u0041"', '"Müller 😀 A"'],
    ['"\\\\u00fc \\\\\\u00fc"', '"\\\\u00fc \\\\ü"'],
    ['"\\u0022 \\u005c \\u0000 \\u202e \\ud800 \\ufeff\\u00e4"', '"\\u0022 \\u005c \\u0000 \\u202e \\ud800 \\ufeffä"'],
  ])("has letters in place of escapes, but nothing that is not seen: %s", (text, shown) => {
    expect(readable(text)).toBe(shown);
    expect([compact(text), layOut(text)]).toEqual([shown, shown]);
  });

  test("means the same", () => {
    const anyEscape = fc.constantFrom(
      "\\u00fc",
      "\\ud83d",
      "\\ude00",
      "\\\\",
      '\\"',
      "\\n",
      "\\u0000",
      "\\u005C",
      "u00fc",
      "a",
    );
    fc.assert(
      fc.property(fc.array(anyEscape), (parts) => {
        const text = `"${parts.join("")}"`;
        expect(JSON.parse(readable(text))).toBe(JSON.parse(text));
      }),
    );
  });
});

test("a text is compact as JSON.stringify makes it, with its own numbers", () => {
  expect(compact(' { "id" : 1970670598291982290 ,\n"n": [ 1e400 ] , "a b": "c  d" } ')).toBe(
    '{"id":1970670598291982290,"n":[1e400],"a b":"c  d"}',
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(compact(spaced(value))).toBe(JSON.stringify(JSON.parse(spaced(value))));
    }),
  );
});

test("a text is laid out as JSON.stringify does, with its own numbers", () => {
  expect(layOut('{"id":1970670598291982290,"n":[1e400]}')).toBe(
    '{\n  "id": 1970670598291982290,\n  "n": [\n    1e400\n  ]\n}',
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(layOut(text)).toBe(JSON.stringify(JSON.parse(text), null, 2));
    }),
  );
});

test("a pointer escapes names as RFC 6901 has it", () => {
  expect(toPointer(["a/b", "m~n", 0, ""])).toBe("/a~1b/m~0n/0/");
});

test("a text of megabytes is compared, laid out and shown as a short one is", () => {
  for (const part of ["x", "\\n", "\\u00fc", "\\ud83d\\ude00"]) {
    const text = `{"a":"${part.repeat(500_000)}"}`;
    const value: unknown = JSON.parse(text);
    expect(canonicalJson(text) === JSON.stringify(value)).toBe(true);
    expect(layOut(text) === JSON.stringify(value, null, 2)).toBe(true);
  }
});
