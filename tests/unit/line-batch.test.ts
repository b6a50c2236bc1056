import { describe, expect, test } from "bun:test";
import { createLineBatch } from "../../src/threads/line-batch.ts";

function line(level: string, msg: string): string {
  return `${JSON.stringify({ level, msg })}\n`;
}

describe("lines on their way to the main thread", () => {
  test("of one turn are one message, in their order", async () => {
    const posted: string[] = [];
    const batch = createLineBatch((lines) => posted.push(lines));
    batch.write(line("info", "a"));
    await Promise.resolve();
    batch.write(line("debug", "b"));
    expect(posted).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    batch.write(line("info", "c"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(posted).toEqual([line("info", "a") + line("debug", "b"), line("info", "c")]);
  });

  test.each(["warn", "error"])("do not wait when one of them is a %s", (level) => {
    const posted: string[] = [];
    const batch = createLineBatch((lines) => posted.push(lines));
    batch.write(line("info", "a"));
    batch.write(line(level, "b"));
    expect(posted).toEqual([line("info", "a") + line(level, "b")]);
  });

  test("are posted once, also when they were flushed before their turn was over", async () => {
    const posted: string[] = [];
    const batch = createLineBatch((lines) => posted.push(lines));
    batch.write(line("info", "a"));
    batch.flush();
    await new Promise((resolve) => setImmediate(resolve));
    expect(posted).toEqual([line("info", "a")]);
  });
});
