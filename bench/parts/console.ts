/** What the console costs the tasks beside it, whether its file stays within its limit, and how it finds a task in much. */

import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { fallbackOf, readConfig } from "../../src/config.ts";
import { takeSpans } from "../../src/console/batch.ts";
import { telemetryFileName } from "../../src/console/telemetry-database.ts";
import { TelemetryFile } from "../../src/console/telemetry-file.ts";
import { createConsole } from "../../src/console.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { parseByteSize } from "../../src/settings/parsers.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { ownKey } from "../../src/telemetry/names.ts";
import { freePort } from "../../tests/parts/free-port.ts";
import { toTraceRequest } from "../../tests/support/otlp-requests.ts";
import { tempFolder } from "../../tests/support/temp-folder.ts";
import { throughlineWith } from "../contestants.ts";
import { interleave, usualConnections } from "../line-up.ts";
import type { Plan } from "../plan.ts";
import { type Ready, type Round, runRound, startContestant } from "../round.ts";
import type { Context, Part } from "../section.ts";
import { figure, quantile, ratios, summary } from "../statistics.ts";
import { judge } from "../targets.ts";

const askEveryMs = 250;
/** What `--trace-limit` is by default. */
const limitBytes = parseByteSize(fallbackOf("traceLimit"));

const [off, on] = ["console off", "console on"];
const questions = 200;

/** Telemetry goes nowhere but to the console. */
const noEndpoint = (): Record<string, string> => ({});

export const consolePart: Part = {
  name: "console",
  run: async (context) => {
    const { plan } = context;
    const load = await measureLoad(context);
    const searchMs = await measureSearch(context);
    const toOff = (name: string): string => summary(ratios(load.rates.get(name), load.rates.get(off)));
    return {
      title: "The console",
      how: `${plan.consoleTasks} tasks a round by ${usualConnections} connections, with the console as the only receiver of telemetry, and without it. While it is there the newest traces are asked for four times a second. Then a file of ${plan.consoleSpans} spans, ten for each task: the traces of ${questions} tasks of all ages are searched by id, over the console's query API.`,
      tables: [
        {
          columns: ["", "tasks/s", "to off", "CPU µs a task"],
          rows: [off, on].map((name) => [
            name,
            summary(load.rates.get(name) ?? []),
            toOff(name),
            summary(load.cpuMicros.get(name) ?? []),
          ]),
        },
        {
          columns: ["", "measured"],
          rows: [
            ["answers under load, p99 ms", figure(quantile(load.answersMs, 0.99))],
            ["file, MB", figure(load.fileBytes / 1e6)],
            ["search by task id, p50 ms", figure(quantile(searchMs, 0.5))],
            ["search by task id, p99 ms", figure(quantile(searchMs, 0.99))],
          ],
        },
      ],
      targets: [
        judge("consoleRate", ratios(load.rates.get(on), load.rates.get(off))),
        judge("consoleAnswer", [quantile(load.answersMs, 0.99)]),
        {
          target: "the console's file",
          wanted: `≤ ${figure(limitBytes / 1e6)} MB`,
          measured: `${figure(load.fileBytes / 1e6)} MB`,
          isMet: load.fileBytes <= limitBytes,
        },
        judge("search", [quantile(searchMs, 0.99)]),
      ],
    };
  },
};

interface Load {
  rates: Map<string, number[]>;
  cpuMicros: Map<string, number[]>;
  /** Ascending. */
  answersMs: number[];
  fileBytes: number;
}

async function measureLoad({ plan, say }: Context): Promise<Load> {
  await using stack = new AsyncDisposableStack();
  const port = await freePort();
  const listen = [`--console-listen=127.0.0.1:${port}`, "--otlp-listen=127.0.0.1:0"];
  const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
  const all: Ready[] = [];
  for (const contestant of [
    throughlineWith(off, [], noEndpoint),
    throughlineWith(on, ["--role=all", ...listen], noEndpoint),
  ]) {
    all.push(stack.use(await startContestant(contestant, false, warmUp)));
  }
  say(`${plan.consoleTasks} tasks with the console and without`);
  const answersMs: number[] = [];
  const results = await interleave(all, plan.rounds, async (ready): Promise<Round> => {
    const asking = ready.name === on ? startAsking(`http://127.0.0.1:${port}/v1/traces`, answersMs) : undefined;
    const round = await runRound(ready, { tasks: plan.consoleTasks, connections: usualConnections });
    await asking?.stop();
    return round;
  });
  const folder = dirname(all.at(-1)?.running.database ?? "");
  return {
    rates: pick(results, ({ tasksPerSecond }) => tasksPerSecond),
    cpuMicros: pick(results, ({ cpuMicros }) => cpuMicros),
    answersMs: answersMs.sort((a, b) => a - b),
    // With what is not moved from its log yet.
    fileBytes: sizeOf(join(folder, telemetryFileName)) + sizeOf(join(folder, `${telemetryFileName}-wal`)),
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function pick(results: Map<string, Round[]>, value: (round: Round) => number): Map<string, number[]> {
  return new Map([...results].map(([name, rounds]) => [name, rounds.map(value)]));
}

/** One question after the other, each answer's time noted; rejects at the stop when one was none. */
function startAsking(url: string, answersMs: number[]): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const ask = async (): Promise<void> => {
    do {
      const startMs = performance.now();
      const answer = await fetch(url);
      await answer.text();
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
      answersMs.push(performance.now() - startMs);
      await systemClock.sleep(askEveryMs, stopping.signal);
    } while (!stopping.signal.aborted);
  };
  const asking = ask();
  // Told at the stop.
  asking.catch(() => {});
  return {
    stop: () => {
      stopping.abort();
      return asking;
    },
  };
}

const spansOfTask = 10;
/** Their spans come in a request of each service, as large as an exporter's. */
const tasksAtOnce = 200;

/** Milliseconds of each search, ascending. */
async function measureSearch({ plan, say }: Context): Promise<number[]> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  say(`a file of ${plan.consoleSpans} spans`);
  const tasks = fill(folder.path, plan);
  const levels = { base: "error", modules: {} } as const;
  const log = createLogger({ service: "bench", levels, writeLine: () => {}, otlp: undefined, context: ROOT_CONTEXT });
  const limits = { retentionMs: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };
  const telemetry = { log, startContext: ROOT_CONTEXT };
  const { config } = readConfig({}, {});
  const own = createConsole({ folder: folder.path, limits, clock: systemClock, config, telemetry });
  stack.defer(() => own.stop());
  const tookMs: number[] = [];
  for (let question = 0; question < questions; question++) {
    const id = taskIdOf(Math.floor((question / questions) * tasks));
    const startMs = performance.now();
    const answer = await own.query(new Request(`http://console/v1/traces?task_id=${id}`), { address: "127.0.0.1" });
    const { items }: { items: { spans: number }[] } = await answer.json();
    tookMs.push(performance.now() - startMs);
    if (items[0]?.spans !== spansOfTask) throw new Error(`the task ${id} was not found: ${JSON.stringify(items)}`);
  }
  return tookMs.sort((a, b) => a - b);
}

/** Gives how many tasks there are. */
function fill(folder: string, plan: Plan): number {
  const file = new TelemetryFile(folder);
  const tasks = Math.ceil(plan.consoleSpans / spansOfTask);
  for (let first = 0; first < tasks; first += tasksAtOnce) {
    const count = Math.min(tasksAtOnce, tasks - first);
    const spans = Array.from({ length: count }, (_, n) => spansOf(first + n)).flat();
    const requests = [...Map.groupBy(spans, ({ service }) => service).values()].map(toTraceRequest);
    file.add(
      requests.map((request) => takeSpans(request).batch),
      Date.now(),
    );
  }
  file.close();
  return tasks;
}

function taskIdOf(n: number): string {
  return `01a1fdf4-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

/** Of about the size and the variety that a task's have. */
function spansOf(n: number): ReceivedSpan[] {
  const traceId = `b${n.toString(16).padStart(31, "0")}`;
  return Array.from({ length: spansOfTask }, (_, index): ReceivedSpan => {
    const isOfTask = index % 3 === 0;
    return {
      traceId,
      spanId: (n * spansOfTask + index + 1).toString(16).padStart(16, "0"),
      parentSpanId: index === 0 ? undefined : (n * spansOfTask + 1).toString(16).padStart(16, "0"),
      traceState: "",
      flags: 1,
      name: `operation ${index}`,
      kind: "INTERNAL",
      service: `service-${index % 4}`,
      resource: { "service.name": `service-${index % 4}`, "service.version": "1.0.0", "host.name": "bench" },
      startMs: 1_700_000_000_000 + n + index,
      endMs: 1_700_000_000_001 + n + index,
      status: { code: "UNSET", message: "" },
      attributes: { ...(isOfTask && { [ownKey.taskId]: taskIdOf(n) }), "messaging.system.name": "aws.sqs", index },
      links: [],
      events: [],
    };
  });
}
