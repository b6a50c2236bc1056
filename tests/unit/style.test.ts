import { describe, expect, test } from "bun:test";
import { assignColors, createPaint, fit, toJsonLine } from "../../src/terminal/style.ts";

describe("fit", () => {
  const cases: [what: string, text: string, width: number, expected: string][] = [
    ["fills up with spaces", "ab", 4, "ab  "],
    ["leaves what fits as it is", "abcd", 4, "abcd"],
    ["cuts with an ellipsis", "abcde", 4, "abc…"],
    ["counts wide characters twice", "日本", 5, "日本 "],
    ["does not cut a wide character in two", "日本語", 4, "日… "],
    ["leaves room for nothing", "abc", 0, ""],
    ["leaves room for the ellipsis alone", "abc", 1, "…"],
    ["drops escapes and line breaks", "a\x1b[31m\nb", 8, "a[31m b "],
  ];
  test.each(cases)("%s", (_, text, width, expected) => {
    expect(fit(text, width)).toBe(expected);
  });
});

test("paint wraps what is seen and leaves the spaces after it outside", () => {
  expect(createPaint(true)("31", " a  ")).toBe("\x1b[31m a\x1b[0m  ");
  expect(createPaint(true)("31", "   ")).toBe("   ");
  expect(createPaint(false)("31", "a")).toBe("a");
});

describe("colours", () => {
  const roles = ["api-gateway", "task-service", "worker", "dlq-processor"];

  test("differ for all roles, and each role alone has the one it has among the others", () => {
    const together = assignColors(roles);
    expect(new Set(together.values()).size).toBe(roles.length);
    for (const role of roles) expect(assignColors([role]).get(role)).toBe(together.get(role) ?? "");
  });

  test("do not depend on the order, and differ as long as there are enough", () => {
    const names = Array.from({ length: 8 }, (_, index) => `service-${index}`);
    const assigned = assignColors(names);
    expect(new Set(assigned.values()).size).toBe(8);
    expect(assignColors(names.toReversed())).toEqual(assigned);
    expect(assignColors([...names, "one more"]).size).toBe(9);
  });
});

test("JSON is printed as one line, with nothing that a terminal obeys", () => {
  const json = '{"payload":{\r\n\t"a": "b\\n\u009b"},\n"result":1.50}';
  const line = toJsonLine(json);
  expect(line).toBe('{"payload":{  \t"a": "b\\n\\u009b"}, "result":1.50}');
  expect(JSON.parse(line)).toEqual(JSON.parse(json));
});
