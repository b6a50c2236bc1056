import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Batch, createBatchedPost, createLineBatch, readBatch } from "../../src/threads/batched-post.ts";

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
    const posted: Batch[] = [];
    const post = createBatchedPost<number>((batch) => posted.push(batch));
    await Promise.all([1, 2, 3].map(async (n) => post(await Promise.resolve(n))));
    await new Promise((resolve) => setImmediate(resolve));
    post(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(posted.map((batch) => readBatch<number>(batch))).toEqual([[1, 2, 3], [4]]);
  });

  test("that are made while a turn is posted are of the next", async () => {
    const posted: Batch[] = [];
    const post = createBatchedPost<string>((batch) => {
      posted.push(batch);
      if (posted.length === 1) post("answer");
    });
    post("question");
    while (posted.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(posted).toEqual([['["question"]'], ['["answer"]']]);
  });

  test("have long payloads and results beside the JSON, and arrive as they were made", async () => {
    const anyText = fc.oneof(fc.string(), fc.string({ minLength: 129, maxLength: 200 }));
    const anyMessage = fc.record({
      payload: anyText,
      number: fc.nat(),
      value: fc.array(fc.record({ result: fc.option(anyText), error: fc.option(anyText) })),
      metadata: fc.dictionary(fc.constantFrom("payload", "result", "shop"), anyText),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(anyMessage, { minLength: 1, maxLength: 4 }), async (messages) => {
        const before = structuredClone(messages);
        const posted = Promise.withResolvers<Batch>();
        const post = createBatchedPost<unknown>(posted.resolve);
        for (const message of messages) post(message);
        const batch = await posted.promise;
        expect(readBatch<unknown>(structuredClone(batch))).toEqual(JSON.parse(JSON.stringify(before)));
        expect(messages).toEqual(before);
        for (const text of batch.slice(1)) expect(text.length).toBeGreaterThan(128);
        expect(batch[0]).not.toMatch(/"(payload|result)":"[^"\\]{129}/);
      }),
    );
  });
});
