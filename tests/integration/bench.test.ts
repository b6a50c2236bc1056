/** The benchmark counts what it measures: what it checks in each round is held here, its figures never are. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Contestant } from "../../bench/contestants.ts";
import { runRound, startContestant } from "../../bench/round.ts";
import { projectFolder } from "../support/executable.ts";
import { describeWith } from "../support/requires.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** It takes a minute or two alone, and more beside other tests. */
const limitMs = 900_000;

/** Takes tasks, and tells at once that it has run those that `runs` gives: the real thing, but for the waiting. */
function contestantThat(name: string, runs: (n: number) => number[], status: (n: number) => number): Contestant {
  return {
    name,
    needs: [],
    canTrace: false,
    start: async ({ doneUrl }) => {
      const server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: async (request) => {
          const { payload }: { payload: { n: number } } = await request.json();
          const now = performance.timeOrigin + performance.now();
          const told = runs(payload.n).flatMap((n) => [n, now, 1]);
          await fetch(doneUrl, { method: "POST", body: JSON.stringify(told) });
          return new Response("", { status: status(payload.n) });
        },
      });
      return {
        url: `${server.url}tasks`,
        pids: [process.pid],
        startMs: 0,
        [Symbol.asyncDispose]: () => server.stop(true),
      };
    },
  };
}

const each = (n: number): number[] => [n];
const accepted = (): number => 202;

async function roundOf(contestant: Contestant, perSecond?: number) {
  await using ready = await startContestant(contestant, false, { tasks: 0, connections: 1 });
  const pace = perSecond === undefined ? {} : { perSecond };
  return await runRound(ready, { tasks: 50, connections: 4, stillMs: 500, ...pace });
}

describe("a round", () => {
  test.each([
    ["a closed loop", undefined],
    ["an open loop", 200],
  ])("in %s counts each task", async (_, perSecond) => {
    const { waitsMs, tasksPerSecond, samples } = await roundOf(contestantThat("honest", each, accepted), perSecond);
    expect([...waitsMs]).toEqual(Array.from({ length: 50 }, () => 1));
    expect(tasksPerSecond).toBeGreaterThan(0);
    expect(samples.length).toBeGreaterThan(0);
  });

  test.each<[string, Contestant, string]>([
    [
      "a task that is lost",
      contestantThat("loser", (n) => (n === 7 ? [] : [n]), accepted),
      "loser: of 50 tasks 1 were not run",
    ],
    [
      "a task that is run twice",
      contestantThat("twice", (n) => (n === 7 ? [n, n] : [n]), accepted),
      "twice: 1 of 50 tasks were run again",
    ],
    [
      "a task that is refused",
      contestantThat("refuser", each, (n) => (n === 7 ? 503 : 202)),
      'refuser: of 50 tasks some were not accepted: {"503":1}',
    ],
  ])("does not stand with %s", async (_, contestant, message) => {
    expect(
      await roundOf(contestant).then(
        () => "stands",
        (error: Error) => error.message,
      ),
    ).toBe(message);
  });
});

async function bench(...words: string[]) {
  const command = [process.execPath, join(projectFolder, "bench/main.ts"), ...words];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, errors };
}

describe("bun run bench", () => {
  test.each([
    [["no-such-part"], 'no such part: "no-such-part"'],
    [["--soak=1h"], '--soak: "1h": expected a whole number from 1 on'],
    [["--fast"], "Unknown option '--fast'"],
  ])("tells what is wrong with %j, and measures nothing", async (words, message) => {
    const { code, out, errors } = await bench(...words);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(errors).toContain(message);
  });
});

describeWith(
  "nodePeers",
  "redis",
  "postgres",
  "elasticmq",
)("bun run bench -- --quick", () => {
  test(
    "delivers every accepted task once in every part, by every contestant",
    async () => {
      await using folder = await tempFolder();
      const file = join(folder.path, "results.md");
      const { code, out, errors } = await bench("--quick", `--out=${file}`);
      expect({ code, troubles: errors.match(/^(FAILED|LEFT OUT).*$/gm) }).toEqual({ code: 0, troubles: null });
      expect(await Bun.file(file).text()).toBe(out);
      expect([...out.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual([
        "Targets",
        "The whole path",
        "Durable accepts",
        "What telemetry costs",
        "Where a task's microseconds go",
        "The pieces of the path",
        "Submit to handler start",
        "A backlog",
        "Handler threads",
        "Payloads",
        "Start, and nothing to do",
        "Overload",
        "Soak",
        "The console",
      ]);
      const rows = [...out.matchAll(/^\| ([^|]+) \| 32 \| 200 \| \d/gm)].map(([, name]) => name);
      const traced = [
        "Throughline",
        "BullMQ, appendfsync everysec",
        "BullMQ, appendfsync always",
        "pg-boss",
        "sqs-consumer on the embedded broker",
        "sqs-consumer on ElasticMQ",
      ];
      const untraced = traced.toSpliced(3, 0, "bunqueue, durable", "graphile-worker");
      expect(rows).toEqual([...traced, ...untraced]);
      expect(out).toMatch(/accepted tasks that were run \| all \| (\d+) of \1 \| yes/);
      expect(out).not.toContain("not measured");
    },
    limitMs,
  );
});
