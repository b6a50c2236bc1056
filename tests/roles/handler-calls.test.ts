/** The calls of handlers: how many there are at once, and what becomes of them when their attempt ends. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { fetchPlacesOfThread } from "../../src/http/fetch.ts";
import { type AttemptCalls, createHandlerCalls } from "../../src/worker/http/calls.ts";
import type { Fetch } from "../../src/worker/http/traced-fetch.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { rejectionOf } from "../support/rejection.ts";
import { largeBytes, startSlowServer } from "../support/slow-server.ts";
import { startTestSystem } from "../support/system.ts";

const startingMs = 60_000;

// As in a handlers' thread: the `fetch` of all finds its attempt by the context.
beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

function callsWith(places: number, waitLimitMs?: number) {
  return createHandlerCalls({ places, fetch, ...(waitLimitMs !== undefined && { waitLimitMs }) });
}

describe("calls at once", () => {
  test("are as many as the thread has places, half of them of one attempt; the others wait", async () => {
    await using server = await startSlowServer();
    const calls = callsWith(8);
    const [one, other, third] = [calls.startAttempt(), calls.startAttempt(), calls.startAttempt()];
    const ask = ({ fetch }: AttemptCalls, count: number): Promise<Response>[] =>
      Array.from({ length: count }, () => fetch(server.url));
    const first = ask(one, 20);
    await eventually(() => server.open() === 4);
    const second = ask(other, 3);
    await eventually(() => server.open() === 7);
    const rest = ask(third, 5);
    await eventually(() => server.open() === 8);
    server.letGo();
    const answers = await Promise.all([...first, ...second, ...rest]);
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(new Array(28).fill("ok"));
  });

  test("leave a line that is too long with what to do", async () => {
    await using server = await startSlowServer();
    const attempt = callsWith(2, 20).startAttempt();
    const held = attempt.fetch(server.url);
    expect(await rejectionOf(attempt.fetch(server.url))).toMatchObject({
      code: "resource_exhausted",
      message: expect.stringContaining("a handler thread has 2 calls under way at once, an attempt 1 of them"),
    });
    server.letGo();
    expect(await (await held).text()).toBe("ok");
  });

  test("leave the line with their signal, and for its reason", async () => {
    await using server = await startSlowServer();
    const attempt = callsWith(2).startAttempt();
    const held = attempt.fetch(server.url);
    const leaving = new AbortController();
    const waiting = rejectionOf(attempt.fetch(server.url, { signal: leaving.signal }));
    leaving.abort(new RangeError("enough"));
    expect(await waiting).toMatchObject({ message: "enough" });
    server.letGo();
    expect(await (await held).text()).toBe("ok");
  });

  test(
    "take no place of the roles, also when there are 300, by ctx.fetch or by the fetch of all",
    async () => {
      await using running = await startTestSystem({
        handlers: join(projectFolder, "tests/fixtures/call-handlers"),
        threads: "2",
      });
      for (const isGlobal of [false, true]) {
        await using server = await startSlowServer();
        const hog = await running.accept({ type: "hog", payload: { url: server.url, count: 300, isGlobal } });
        await eventually(() => server.open() >= Math.ceil(fetchPlacesOfThread(2) / 2));
        const echo = await running.accept({ type: "echo", payload: 1 });
        expect(await running.task(echo.id, "20s")).toMatchObject({ status: "succeeded" });
        server.letGo();
        expect(await running.task(hog.id, "20s")).toMatchObject({ status: "succeeded", result: 300 });
      }
    },
    startingMs,
  );
});

describe("an answer", () => {
  const kinds = ["/large", "/large?length"];

  const leavers: [what: string, leave: (ask: () => Promise<Response>) => Promise<unknown>][] = [
    ["is not read", (ask) => ask()],
    ["is read in part", async (ask) => (await ask()).body?.getReader().read()],
    ["is cloned, and neither is read", async (ask) => (await ask()).clone()],
    ["is read in part by a loop", async (ask) => void (await (await ask()).body?.values().next())],
  ];

  describe.each(kinds)("of %s", (path) => {
    test.each(leavers)("that %s is given up when the attempt ends", async (_, leave) => {
      await using server = await startSlowServer();
      const calls = callsWith(8);
      const own = calls.startAttempt();
      const byAll = calls.startAttempt();
      await leave(() => own.fetch(server.url + path));
      await context.with(byAll.within(ROOT_CONTEXT), () => leave(() => calls.fetch(server.url + path)));
      expect(server.open()).toBe(2);
      own.end(false);
      byAll.end(false);
      await eventually(() => server.open() === 0);
    });

    test("that comes after the attempt's end is given up too, unless it is read", async () => {
      await using server = await startSlowServer();
      const attempt = callsWith(8).startAttempt();
      const unread = attempt.fetch(server.url + path);
      const read = attempt.fetch(server.url + path).then((answer) => answer.bytes());
      attempt.end(false);
      expect([(await unread).status, (await read).byteLength]).toEqual([200, largeBytes]);
      await eventually(() => server.open() === 0);
    });

    test("frees its place once it is read, in whatever way", async () => {
      await using server = await startSlowServer();
      const { fetch } = callsWith(2).startAttempt();
      const ask = (): ReturnType<Fetch> => fetch(server.url + path);
      const sizes = [
        (await (await ask()).text()).length,
        (await (await ask()).arrayBuffer()).byteLength,
        (await (await ask()).blob()).size,
        (await (await ask()).clone().bytes()).byteLength,
        (await Bun.readableStreamToBytes((await ask()).body ?? new ReadableStream())).byteLength,
      ];
      expect(sizes).toEqual(new Array(5).fill(largeBytes));
      await (await ask()).body?.cancel();
      expect((await ask()).url).toBe(server.url + path);
    });
  });

  test("that is still waited for ends with an attempt that has failed", async () => {
    await using server = await startSlowServer();
    const attempt = callsWith(8).startAttempt();
    const asked = [attempt.fetch(server.url), attempt.fetch(new Request(server.url)), attempt.fetch(`${server.url}/`)];
    const rejections = Promise.all(asked.map(rejectionOf));
    await eventually(() => server.open() === 3);
    attempt.end(true);
    expect(await rejections).toMatchObject(new Array(3).fill({ name: "AbortError" }));
    await eventually(() => server.open() === 0);
  });
});
