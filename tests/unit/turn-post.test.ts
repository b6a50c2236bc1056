import { describe, expect, test } from "bun:test";
import { createTurnPost, readTurn } from "../../src/threads/turn-messages.ts";

describe("messages to another thread", () => {
  test("of one turn are one text, in their order, however deep in promises they are made", async () => {
    const posted: string[] = [];
    const post = createTurnPost<number>((text) => posted.push(text));
    await Promise.all([1, 2, 3].map(async (n) => post(await Promise.resolve(n))));
    await new Promise((resolve) => setImmediate(resolve));
    post(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(posted.map((text) => readTurn<number>(text))).toEqual([[1, 2, 3], [4]]);
  });

  test("that are made while a turn is posted are of the next", async () => {
    const posted: string[] = [];
    const post = createTurnPost<string>((text) => {
      posted.push(text);
      if (posted.length === 1) post("answer");
    });
    post("question");
    while (posted.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(posted).toEqual(['["question"]', '["answer"]']);
  });
});
