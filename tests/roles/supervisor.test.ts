/** Threads that end, starts that fail, and stops: what was accepted is never lost. */

import { describe, expect, test } from "bun:test";
import { TaskError } from "../../src/words/errors.ts";
import { freePort } from "../parts/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { startGate } from "../support/gate.ts";
import { rejectionOf } from "../support/rejection.ts";
import { type HttpTask, startTestSystem, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 90_000;

/** Submits until `count` tasks are accepted, four callers at a time, each trying again when it is refused. */
async function acceptMany(running: TestSystem, count: number, bodyOf: (n: number) => unknown): Promise<HttpTask[]> {
  const accepted: HttpTask[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) {
      const body = bodyOf(next++);
      accepted.push(await eventually(() => running.accept(body), { timeoutMs: 30_000 }));
    }
  };
  await Promise.all(Array.from({ length: 4 }, caller));
  return accepted;
}

async function endsOf(running: TestSystem, tasks: readonly HttpTask[]): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  for (const { id } of tasks) {
    const { type, status } = await running.task(id, "60s");
    ends.set(`${type} ${status}`, (ends.get(`${type} ${status}`) ?? 0) + 1);
  }
  return ends;
}

function rolesEnded({ lines }: TestSystem): number {
  return lines.filter(({ msg }) => msg === "a role's thread ended, it is started again").length;
}

describe("a role's thread that dies", () => {
  test.each(["gateway", "task-service", "worker", "dlq"] as const)(
    "is started again at its address, and nothing accepted is lost: %s",
    async (role) => {
      await using running = await startTestSystem({ visibilityTimeout: "2s" });
      const { system } = running;
      const addresses = { ...system.addresses };
      expect(await system.state.isReady()).toBe(true);

      const accepting = acceptMany(running, 60, (n) =>
        n % 3 === 0 ? { type: "fail", payload: { fatal: true } } : { type: "echo", payload: n },
      );
      // Some are done by now, some run, some wait.
      await eventually(() => running.rows("SELECT id FROM tasks WHERE status = 'dead'").length >= 5);
      system.crash(role);
      expect(await system.state.isReady()).toBe(false);
      expect(await system.state.health()).toMatchObject({ status: "unhealthy" });

      const accepted = await accepting;
      await eventually(() => system.state.isReady());
      expect(system.addresses).toEqual(addresses);
      // An answer of health is kept for a second, which a start may be shorter than.
      await eventually(async () => (await system.state.health()).status === "healthy");
      expect(await endsOf(running, accepted)).toEqual(
        new Map([
          ["fail dead", 20],
          ["echo succeeded", 40],
        ]),
      );
    },
    limitMs,
  );

  test(
    "again and again, while it is being started, is there once in the end",
    async () => {
      await using running = await startTestSystem();
      const { system } = running;
      await eventually(() => {
        system.crash("gateway");
        return rolesEnded(running) >= 3;
      });
      await eventually(() => system.state.isReady());
      const ended = rolesEnded(running);
      // A second one beside it would find the address taken by the first, well before this task ends.
      const { id } = await running.accept({ type: "echo", delay: "2s" });
      expect(await running.task(id, "30s")).toMatchObject({ status: "succeeded" });
      expect(rolesEnded(running)).toBe(ended);
      expect(running.lines.filter(({ msg }) => msg === "the role runs again")).toHaveLength(1);
    },
    limitMs,
  );

  test(
    "takes the handler threads it had along: what ran there runs once more, and only that",
    async () => {
      await using running = await startTestSystem({ visibilityTimeout: "2s" });
      await using gate = startGate();
      const { id } = await running.accept(gate.task());
      await gate.held(1);
      running.system.crash("worker");
      await gate.left(1);
      await gate.held(2);
      gate.open();
      const task = await running.task(id, "30s");
      expect(task).toMatchObject({ status: "succeeded", attempt: 2 });
      expect(task.attempts.map(({ outcome }) => outcome)).toEqual(["crashed", "succeeded"]);
      expect(gate.asked()).toBe(2);
    },
    limitMs,
  );
});

describe("a start", () => {
  test(
    "on a data folder whose broker another system runs is refused, and that one goes on",
    async () => {
      await using running = await startTestSystem();
      const { dataDir } = running;
      const second = startTestSystem({ dataDir });
      const error = new TaskError("unavailable", `the embedded queue of "${dataDir}" is run by another process`);
      expect(await rejectionOf(second)).toEqual(error);
      const { id } = await running.accept({ type: "echo" });
      expect(await running.task(id, "30s")).toMatchObject({ status: "succeeded" });
    },
    limitMs,
  );

  test.each(["gatewayListen", "taskServiceListen", "grpcListen", "adminListen"] as const)(
    "on an address that is taken says so and leaves nothing behind: %s",
    async (taken) => {
      await using folder = await tempFolder();
      const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
      const addresses = {
        gatewayListen: `127.0.0.1:${await freePort()}`,
        taskServiceListen: `127.0.0.1:${await freePort()}`,
        grpcListen: `127.0.0.1:${await freePort()}`,
        adminListen: `127.0.0.1:${await freePort()}`,
      };
      const flags = { ...addresses, dataDir: folder.path };
      const start = startTestSystem({ ...flags, [taken]: `127.0.0.1:${other.port}` });
      expect(String(await rejectionOf(start))).toContain(`could not listen on 127.0.0.1:${other.port}`);
      other.stop(true);
      // A thread that is ended lets go of its socket a moment later.
      for (const address of Object.values(addresses)) await eventually(() => isRefused(`http://${address}`));

      await using running = await startTestSystem(flags);
      const { id } = await running.accept({ type: "echo" });
      expect(await running.task(id, "30s")).toMatchObject({ status: "succeeded" });
    },
    limitMs,
  );
});

function isRefused(url: string): Promise<boolean> {
  return fetch(url).then(
    () => false,
    () => true,
  );
}

describe("a drain", () => {
  test(
    "under load loses nothing: what was accepted has ended or is stored, and the next system finishes it",
    async () => {
      await using folder = await tempFolder();
      await using gate = startGate();
      const accepted: HttpTask[] = [];
      {
        await using first = await startTestSystem({ dataDir: folder.path, drainTimeout: "3s" });
        const held = await first.accept(gate.task());
        await gate.held(1);
        const later = await first.accept({ type: "echo", delay: "1s" });
        accepted.push(held, later);
        const isOver = { value: false };
        const callers = Array.from({ length: 4 }, async () => {
          while (!isOver.value) {
            const answer = await first
              .submit({ type: "flaky", payload: { failures: accepted.length % 2 } })
              .catch(() => undefined);
            if (answer?.status === 202) accepted.push(await answer.json());
            else isOver.value = true;
          }
        });
        await eventually(() => accepted.length >= 100);
        const drained = first.system.drain();
        expect(await first.system.state.isReady()).toBe(false);
        await Promise.all([drained, ...callers]);
        expect(await isRefused(first.url)).toBe(true);
        const states = first.rows("SELECT status, count(*) AS count FROM tasks GROUP BY status");
        expect(states.reduce((sum, { count }) => sum + Number(count), 0)).toBeGreaterThanOrEqual(accepted.length);
        expect(first.rows("SELECT id FROM tasks WHERE status = 'running'")).toEqual([]);
      }

      gate.open();
      await using second = await startTestSystem({ dataDir: folder.path });
      expect(await endsOf(second, accepted)).toEqual(
        new Map([
          ["http succeeded", 1],
          ["echo succeeded", 1],
          ["flaky succeeded", accepted.length - 2],
        ]),
      );
      const { attempts } = await second.task(accepted[0]?.id ?? "");
      expect(attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
        [1, "interrupted"],
        [1, "succeeded"],
      ]);
    },
    limitMs,
  );

  test(
    "lets what runs finish and takes nothing new; a caller who waits for an end is told how it stands",
    async () => {
      await using running = await startTestSystem({ threads: "1", threadConcurrency: "1" });
      await using gate = startGate();
      const held = await running.accept(gate.task());
      await gate.held(1);
      for (let n = 0; n < 3; n++) await running.accept({ type: "echo" });
      const later = await running.accept({ type: "echo", delay: "1h" });
      const waiting = running.task(later.id, "60s");
      // A later request is answered: by then this one has come to the gateway.
      await running.task(later.id);
      const drained = running.system.drain();
      expect((await waiting).status).toBe("scheduled");
      gate.open();
      await drained;
      expect(running.rows(`SELECT status FROM tasks WHERE id = '${held.id}'`)).toEqual([{ status: "succeeded" }]);
      // The worker may have taken one task ahead of the thread that is to run it.
      expect(running.rows("SELECT id FROM tasks WHERE status = 'queued'").length).toBeGreaterThanOrEqual(2);
    },
    limitMs,
  );

  test(
    "that is cut short gives back what runs, and its attempt does not count",
    async () => {
      await using running = await startTestSystem();
      await using gate = startGate();
      const { id } = await running.accept(gate.task());
      await gate.held(1);
      const drained = running.system.drain();
      running.system.abort();
      await drained;
      expect(running.rows("SELECT id, status, attempt FROM tasks")).toEqual([{ id, status: "queued", attempt: 0 }]);
    },
    limitMs,
  );
});
