import { describe, expect, test } from "bun:test";
import { createBatchedPost, createLineBatch, readBatch } from "../../src/threads/batched-post.ts";

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

describe("messages to another thread", () => {
  test("of one turn are one text, in their order, however deep in promises they are made", async () => {
    const posted: string[] = [];
    const post = createBatchedPost<number>((text) => posted.push(text));
    await Promise.all([1, 2, 3].map(async (n) => post(await Promise.resolve(n))));
    await new Promise((resolve) => setImmediate(resolve));
    post(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(posted.map((text) => readBatch<number>(text))).toEqual([[1, 2, 3], [4]]);
  });

  test("that are made while a turn is posted are of the next", async () => {
    const posted: string[] = [];
    const post = createBatchedPost<string>((text) => {
      posted.push(text);
      if (posted.length === 1) post("answer");
    });
    post("question");
    while (posted.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(posted).toEqual(['["question"]', '["answer"]']);
  });
});
