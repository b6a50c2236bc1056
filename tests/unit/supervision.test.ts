/** What the supervisor's parts share: back-off between starts, a limit for each start, questions to a thread that has gone. */

import { describe, expect, test } from "bun:test";
import { RestartDelay, startedWithin } from "../../src/supervisor/supervision.ts";
import { createLink, startLinkedThread } from "../../src/threads/thread-link.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { rejectionOf } from "../support/rejection.ts";

describe("a part that ends again and again", () => {
  test("waits twice as long before each start, ten seconds at most, and begins anew once it has lived for a minute", async () => {
    const clock = createFakeClock();
    const delay = new RestartDelay(clock);
    const ends = async (livedMs: number): Promise<number> => {
      delay.started();
      await clock.advance(livedMs);
      return delay.nextMs();
    };
    const delays: number[] = [];
    for (const livedMs of [0, 50, 59_000, 1000, 0, 0, 0, 0, 0, 61_000, 0]) delays.push(await ends(livedMs));
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 100, 200]);
  });
});

describe("a part's start", () => {
  test("that is never answered fails with the part's name", async () => {
    const never = new Promise<void>(() => {});
    expect(await rejectionOf(startedWithin(10, "the role worker", never))).toMatchObject({
      code: "deadline_exceeded",
      message: "the role worker has not started within 0.01 s",
    });
  });

  test("that ends in time gives what it gave, undefined too, or its error", async () => {
    expect(await startedWithin(10_000, "the store", Promise.resolve(undefined))).toBeUndefined();
    expect(await startedWithin(10_000, "the store", Promise.resolve(7))).toBe(7);
    const failing = startedWithin(10_000, "the store", Promise.reject(new Error("no disk")));
    expect(await rejectionOf(failing)).toMatchObject({ message: "no disk" });
  });
});

describe("a question to a thread", () => {
  const gone = { code: "unavailable", message: "the thread store was ended" };

  test("that is ended before it answers is refused, and so is each that comes later", async () => {
    const thread = startLinkedThread("store", "store", {}, () => {});
    const open = thread.link.ask("open", { folder: "/no/such/folder", table: "tasks" });
    thread.terminate();
    expect(await rejectionOf(open)).toMatchObject(gone);
    expect(await rejectionOf(thread.link.ask("close"))).toMatchObject(gone);
  });

  test("is refused with the first reason for which its line was closed", async () => {
    const link = createLink(() => {}, {});
    const asked = link.ask("anything");
    link.close("it crashed");
    link.close("it was ended");
    expect(await rejectionOf(asked)).toMatchObject({ code: "unavailable", message: "it crashed" });
    expect(await rejectionOf(link.ask("anything"))).toMatchObject({ message: "it crashed" });
  });
});
