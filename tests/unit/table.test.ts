/** Tables and lists of facts for people: they fit the terminal, and cut nothing where there is none. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { styles, textWidth } from "../../src/terminal/style.ts";
import { type Column, jsonText, renderFacts, renderTable } from "../../src/terminal/table.ts";
import { JsonText } from "../../src/words/json-text.ts";

interface Fruit {
  id: string;
  count: number;
  note: string;
  hue: string;
}

const columns: Column<Fruit>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "HUE", cell: ({ hue }) => hue, style: ({ hue }) => (hue === "red" ? styles.red : undefined) },
  { title: "COUNT", cell: ({ count }) => String(count), isFigure: true, spare: 1 },
  { title: "NOTE", cell: ({ note }) => note, least: 6, spare: 2 },
];

const rows: Fruit[] = [
  { id: "apple", hue: "red", count: 7, note: "keeps for a long winter" },
  { id: "梨", hue: "green", count: 1200, note: "soft\nsoon" },
];

const tables: [width: number | undefined, lines: string[]][] = [
  [
    undefined,
    ["ID     HUE    COUNT  NOTE", "apple  red        7  keeps for a long winter", "梨     green   1200  soft soon"],
  ],
  [44, ["ID     HUE    COUNT  NOTE", "apple  red        7  keeps for a long winter", "梨     green   1200  soft soon"]],
  [30, ["ID     HUE    COUNT  NOTE", "apple  red        7  keeps fo…", "梨     green   1200  soft soon"]],
  [26, ["ID     HUE    COUNT", "apple  red        7", "梨     green   1200"]],
  [16, ["ID     HUE", "apple  red", "梨     green"]],
  [11, ["apple", "  red  7  …", "梨", "  green  1…"]],
];

describe("a table", () => {
  test.each(tables)("of %p cells", (width, lines) => {
    expect(renderTable(columns, rows, { width, color: false })).toEqual(lines);
  });

  test("leaves out a column with nothing in it, on a terminal", () => {
    const bare = rows.map((row) => ({ ...row, hue: "" }));
    expect(renderTable(columns, bare, { width: 80, color: false })[0]).toBe("ID     COUNT  NOTE");
    expect(renderTable(columns, bare, { width: undefined, color: false })[0]).toBe("ID     HUE  COUNT  NOTE");
  });

  test("has its colours on a terminal only", () => {
    const [head, apple] = renderTable(columns, rows.slice(0, 1), { width: undefined, color: true });
    expect(head).toContain("\x1b[2m");
    expect(apple).toBe("apple  \x1b[31mred\x1b[0m      7  keeps for a long winter");
  });

  test("lets nothing reach the terminal that is not text", () => {
    const evil = { id: "a\x1b[2J", hue: "\x9b31m", count: 1, note: "\u202Eback\r\n" };
    const [, row] = renderTable(columns, [evil], { width: undefined, color: false });
    expect(row).toBe("a[2J  31m      1  back");
  });

  test("never has a line that is longer than the terminal", () => {
    const fruit = fc.record({
      id: fc.string({ maxLength: 40, unit: "grapheme" }),
      hue: fc.string({ maxLength: 10 }),
      count: fc.nat(),
      note: fc.string({ maxLength: 80, unit: "grapheme" }),
    });
    fc.assert(
      fc.property(fc.array(fruit, { maxLength: 5 }), fc.integer({ min: 1, max: 120 }), (fruits, width) => {
        const wide = renderTable(columns, fruits, { width, color: false }).filter((line) => textWidth(line) > width);
        expect(wide).toEqual([]);
      }),
    );
  });
});

describe("facts", () => {
  const noTerminal = { width: undefined, color: false };

  test("values stand in one column, what is not there is left out", () => {
    const facts = [
      ["id", "1"],
      ["error", null],
      ["correlation", "c-1"],
      ["payload", '{\n  "n": 1\n}'],
      ["note", ""],
    ] as const;
    expect(renderFacts(facts, noTerminal)).toEqual([
      "id           1",
      "correlation  c-1",
      "payload      {",
      '               "n": 1',
      "             }",
    ]);
  });

  test("a long value goes on in its column, on a terminal", () => {
    const facts = [["error", "the card was declined by the bank"]] as const;
    expect(renderFacts(facts, { width: 29, color: false })).toEqual([
      "error  the card was declined",
      "       by the bank",
    ]);
    expect(renderFacts(facts, noTerminal)).toEqual(["error  the card was declined by the bank"]);
  });

  test("nothing but text reaches the terminal; a style is ours", () => {
    expect(renderFacts([["type", "a\x1b[31mb", styles.red]], { width: undefined, color: true })).toEqual([
      "\x1b[2mtype\x1b[0m  \x1b[31ma[31mb\x1b[0m",
    ]);
  });

  test("JSON is indented when it is too long for a line", () => {
    expect(jsonText({ a: [1, 2] }, { width: 40, color: false })).toBe('{"a":[1,2]}');
    expect(jsonText({ a: "x".repeat(40) }, { width: 40, color: false })).toContain('\n  "a": ');
    expect(jsonText({ a: "x".repeat(400) }, noTerminal)).not.toContain("\n");
  });

  test("JSON of a payload has its own numbers, and our spaces", () => {
    const payload = new JsonText('{ "a":\n[1.50, 9007199254740993, 1e400],"b": "x  y" }');
    expect(jsonText(payload, noTerminal)).toBe('{"a":[1.50,9007199254740993,1e400],"b":"x  y"}');
    expect(jsonText(payload, { width: 40, color: false })).toContain("\n    9007199254740993,\n");
  });
});
