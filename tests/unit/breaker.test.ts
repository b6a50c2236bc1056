/** The circuit breaker, with a clock that the tests own. */

import { beforeEach, describe, expect, test } from "bun:test";
import { type Breaker, createBreaker } from "../../src/limits/breaker.ts";
import { TaskError } from "../../src/words/errors.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { rejectionOf } from "../support/rejection.ts";

let clock: FakeClock;
beforeEach(() => {
  clock = createFakeClock();
});

const away = new TaskError("unavailable", "nobody listens");
const refusal = { code: "unavailable", message: "the shop does not answer, calls to it are refused for now" };

interface Guarded {
  breaker: Breaker;
  /** What it told of itself. */
  told: string[];
  /** How many calls were made. */
  made(): number;
  /** Calls that come to this, once `until` is there; resolves to what the caller gets. */
  fail(error?: unknown, until?: Promise<unknown>): Promise<unknown>;
  succeed(until?: Promise<unknown>): Promise<unknown>;
}

function startGuarded(): Guarded {
  const told: string[] = [];
  let made = 0;
  const breaker = createBreaker({
    name: "shop",
    side: "the shop",
    onOpened: (error) => told.push(`opened: ${error instanceof Error ? error.message : error}`),
    onClosed: () => told.push("closed"),
    clock,
  });
  const call = (end: () => Promise<unknown>): Promise<unknown> =>
    breaker.call(() => {
      made += 1;
      return end();
    });
  return {
    breaker,
    told,
    made: () => made,
    fail: (error = away, until) => {
      const end = async (): Promise<void> => {
        await until;
        throw error;
      };
      return rejectionOf(call(end));
    },
    succeed: (until) =>
      call(async () => {
        await until;
        return "sold";
      }),
  };
}

async function open({ breaker, fail }: Guarded): Promise<void> {
  for (let n = 0; n < 5; n++) await fail();
  expect(breaker.state()).toBe("open");
}

describe("a breaker that is closed", () => {
  test("gives what the calls give, and lets their errors through as they are", async () => {
    const { breaker, succeed, fail, told } = startGuarded();
    expect(await succeed()).toBe("sold");
    const error = new Error("mine");
    expect(await fail(error)).toBe(error);
    expect(await fail()).toBe(away);
    expect([breaker.name, breaker.state(), told]).toEqual(["shop", "closed", []]);
  });

  test("opens with the fifth failure in a row", async () => {
    const { breaker, succeed, fail, told } = startGuarded();
    for (const _ of [1, 2, 3, 4]) await fail();
    await succeed();
    for (const _ of [1, 2, 3, 4]) expect(await fail()).toBe(away);
    expect(breaker.state()).toBe("closed");
    const last = new TaskError("deadline_exceeded", "the fifth");
    expect(await fail(last)).toBe(last);
    expect([breaker.state(), told]).toEqual(["open", ["opened: the fifth"]]);
  });

  test.each(["invalid_argument", "not_found", "conflict", "resource_exhausted", "canceled", "internal"] as const)(
    "takes the error %s for an answer",
    async (code) => {
      const { breaker, fail } = startGuarded();
      for (const _ of [1, 2, 3, 4]) await fail();
      for (const _ of [1, 2, 3, 4, 5, 6]) await fail(new TaskError(code, "no"));
      for (const _ of [1, 2, 3, 4]) await fail();
      expect(breaker.state()).toBe("closed");
    },
  );

  test("takes the caller's word for what means that the other side is away", async () => {
    const { breaker } = startGuarded();
    const isAway = (error: unknown): boolean => error instanceof RangeError;
    const fail = (error: Error): Promise<unknown> => rejectionOf(breaker.call(() => Promise.reject(error), { isAway }));
    for (const _ of [1, 2, 3, 4, 5]) await fail(away);
    expect(breaker.state()).toBe("closed");
    for (const _ of [1, 2, 3, 4, 5]) await fail(new RangeError("too far"));
    expect(breaker.state()).toBe("open");
  });
});

describe("a breaker that is open", () => {
  test("refuses at once, says who is away and when to come back, and makes no call", async () => {
    const guarded = startGuarded();
    await open(guarded);
    await clock.advance(400);
    expect(await rejectionOf(guarded.succeed())).toMatchObject({ ...refusal, retryAfterMs: 600, cause: away });
    expect(guarded.made()).toBe(5);
  });

  test("closes when the trial after its pause succeeds", async () => {
    const { breaker, told, succeed, ...guarded } = startGuarded();
    await open({ breaker, told, succeed, ...guarded });
    await clock.advance(1000);
    expect(await succeed()).toBe("sold");
    expect([breaker.state(), told]).toEqual(["closed", ["opened: nobody listens", "closed"]]);
  });

  test("closes as well when the trial is answered with an error that is the caller's fault", async () => {
    const guarded = startGuarded();
    await open(guarded);
    await clock.advance(1000);
    const error = new TaskError("not_found", "no such thing");
    expect(await guarded.fail(error)).toBe(error);
    expect(guarded.breaker.state()).toBe("closed");
  });

  test("pauses twice as long after each trial that fails, up to two seconds, and tells it once", async () => {
    const guarded = startGuarded();
    await open(guarded);
    const pauses: unknown[] = [];
    for (let n = 0; n < 4; n++) {
      const { retryAfterMs } = (await guarded.fail()) as TaskError;
      pauses.push(retryAfterMs);
      await clock.advance(Number(retryAfterMs) - 1);
      expect(await guarded.fail()).toMatchObject({ ...refusal, retryAfterMs: 1 });
      await clock.advance(1);
      expect(await guarded.fail()).toBe(away);
    }
    expect(pauses).toEqual([1000, 2000, 2000, 2000]);
    expect(guarded.told).toEqual(["opened: nobody listens"]);
    expect(guarded.made()).toBe(5 + 4);
  });

  test.each([-365 * 86_400_000, -3_600_000, -10_000, 10_000, 3_600_000])(
    "keeps its pause when the wall clock is set by %i ms",
    async (byMs) => {
      const guarded = startGuarded();
      await open(guarded);
      clock.set(byMs);
      await clock.advance(999);
      expect(await guarded.fail()).toMatchObject({ ...refusal, retryAfterMs: 1 });
      await clock.advance(1);
      expect(await guarded.succeed()).toBe("sold");
    },
  );

  test("begins with the shortest pause again once it was closed", async () => {
    const guarded = startGuarded();
    await open(guarded);
    await clock.advance(1000);
    await guarded.fail();
    await clock.advance(2000);
    await guarded.succeed();
    await open(guarded);
    expect(await guarded.fail()).toMatchObject({ retryAfterMs: 1000 });
    expect(guarded.told).toEqual(["opened: nobody listens", "closed", "opened: nobody listens"]);
  });

  test("closes when the other side was seen to answer elsewhere, and counts from nothing", async () => {
    const guarded = startGuarded();
    await open(guarded);
    guarded.breaker.answered();
    expect([guarded.breaker.state(), guarded.told]).toEqual(["closed", ["opened: nobody listens", "closed"]]);
    for (const _ of [1, 2, 3, 4]) expect(await guarded.fail()).toBe(away);
    expect(guarded.breaker.state()).toBe("closed");
    await guarded.fail();
    expect(guarded.breaker.state()).toBe("open");
  });
});

describe("a breaker on trial", () => {
  test("makes one call and refuses the others, who need not wait for it", async () => {
    const guarded = startGuarded();
    await open(guarded);
    await clock.advance(1000);
    const held = Promise.withResolvers<void>();
    const trial = guarded.succeed(held.promise);
    expect(guarded.breaker.state()).toBe("half_open");
    expect(await rejectionOf(guarded.succeed())).toMatchObject({ ...refusal, retryAfterMs: 1000 });
    expect(guarded.made()).toBe(6);
    held.resolve();
    expect(await trial).toBe("sold");
    expect(guarded.breaker.state()).toBe("closed");
  });

  test("does not listen to calls that began before it opened", async () => {
    const guarded = startGuarded();
    const held = Promise.withResolvers<void>();
    const late = [guarded.fail(away, held.promise), guarded.succeed(held.promise)];
    await open(guarded);
    await clock.advance(1000);
    const trialHeld = Promise.withResolvers<void>();
    const trial = guarded.succeed(trialHeld.promise);
    held.resolve();
    expect(await Promise.all(late)).toEqual([away, "sold"]);
    expect(guarded.breaker.state()).toBe("half_open");
    trialHeld.resolve();
    await trial;
    expect(guarded.breaker.state()).toBe("closed");
  });
});

describe("a call that is held on purpose", () => {
  test("is not the trial: a short one is made before it", async () => {
    const guarded = startGuarded();
    const { breaker } = guarded;
    await open(guarded);
    await clock.advance(1000);
    const held = Promise.withResolvers<string>();
    const made: string[] = [];
    const waiting = breaker.call(
      () => {
        made.push("held");
        return held.promise;
      },
      { probe: async () => made.push("probe") },
    );
    expect(await guarded.succeed().catch((error: unknown) => error)).toMatchObject(refusal);
    while (breaker.state() !== "closed") await Promise.resolve();
    expect(await guarded.succeed()).toBe("sold");
    held.resolve("ended");
    expect([await waiting, made]).toEqual(["ended", ["probe", "held"]]);
  });

  test("is refused with the error of the short one that finds nobody", async () => {
    const guarded = startGuarded();
    await open(guarded);
    const probe = async (): Promise<void> => {
      throw new TaskError("unavailable", "still nobody");
    };
    const hold = (): Promise<unknown> => rejectionOf(guarded.breaker.call(async () => "never", { probe }));
    expect(await hold()).toMatchObject(refusal);
    await clock.advance(1000);
    expect(await hold()).toMatchObject({ message: "still nobody" });
    expect(await hold()).toMatchObject({ ...refusal, retryAfterMs: 2000 });
  });

  test("makes no other call while the breaker is closed", async () => {
    const { breaker } = startGuarded();
    const made: string[] = [];
    await breaker.call(async () => made.push("held"), { probe: async () => made.push("probe") });
    expect(made).toEqual(["held"]);
  });
});
