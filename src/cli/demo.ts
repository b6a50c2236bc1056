/**
 * `throughline demo`: the whole system on embedded parts in a temporary folder. Submits ten real tasks over HTTP, tells
 * what became of each, and draws two traces from the spans as they arrived over OTLP at a receiver in this process.
 */

import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultRemoteUrl, isColorWanted, readConfig, type SettingName, withOtlpEndpoint } from "../config.ts";
import { createReceiver, toSink } from "../console/receiver.ts";
import { type Listener, listen } from "../http/listen.ts";
import { systemClock } from "../limits/clock.ts";
import { type System, startSystem } from "../supervisor.ts";
import { startProgress } from "../terminal/progress.ts";
import { renderWaterfall } from "../terminal/waterfall.ts";
import { TaskError } from "../words/errors.ts";
import type { TaskAnswer } from "./api-answers.ts";
import { type DemoOutcome, renderFates, renderPlaces } from "./demo-report.ts";
import { demoScript, isAsScripted, type ScriptedTask } from "./demo-script.ts";
import { createDemoSpans, type DemoSpans, isWhole } from "./demo-spans.ts";
import { onFreePorts } from "./free-ports.ts";
import { ownCommand } from "./own-command.ts";
import { stopSignal } from "./stop-signal.ts";
import { teeOtlp } from "./tee-otlp.ts";

type Flags = Partial<Record<SettingName, string>>;

/** A demo should not keep anybody waiting for a back-off. */
const demoDefaults: Flags = { retryBase: "200ms" };

/** The spans of a task that has ended leave within two exports. */
const spansLimitMs = 10_000;

export async function runDemo(flags: Flags, once: boolean): Promise<number> {
  // Human text: to the terminal, or to stderr when stdout leads elsewhere.
  const out = process.stdout.isTTY ? process.stdout : process.stderr;
  const isTerminal = out.isTTY ?? false;
  const show = { color: isColorWanted(isTerminal), width: Math.min(out.columns || 120, 160) };
  const print = (lines: readonly string[]): void => void out.write(`${lines.join("\n")}\n`);

  const folder = mkdtempSync(join(tmpdir(), "throughline-demo-"));
  const logFile = join(folder, "throughline.log");
  const log = createWriteStream(logFile);
  const spans = createDemoSpans();
  const { config, rows } = readConfig({ ...demoDefaults, dataDir: folder, ...flags });
  const receiver = await listen(
    { host: "127.0.0.1", port: 0 },
    teeOtlp(config.otel, createReceiver(toSink({ spans: (received) => spans.add(received) }))),
  );
  let system: System | undefined;
  const again = (): void => system?.abort();
  const stopped = stopSignal(again);
  try {
    const settings = await onFreePorts(withOtlpEndpoint(config, receiver.url), rows);
    system = await startSystem(settings, (line) => log.write(line));
    const outcomes = await runScript(system);
    print(["", ...renderFates(outcomes, { ...show, width: isTerminal ? show.width : undefined }), ""]);
    for (const lines of await drawTraces(outcomes, spans, show)) print([...lines, ""]);
    const isRight = outcomes.every(({ scripted, task }) => isAsScripted(scripted, task));
    if (once) return isRight ? 0 : 1;
    const { gateway_url: gatewayUrl = "", admin_url: adminUrl = "", console_url: consoleUrl } = system.addresses;
    const isDefaultUrl = gatewayUrl === defaultRemoteUrl;
    const places = { gatewayUrl, adminUrl, logFile, command: ownCommand(), isDefaultUrl, consoleUrl };
    print(renderPlaces(outcomes, places, show.color));
    await stopped;
    return isRight ? 0 : 1;
  } finally {
    await stopAll(system, receiver);
    log.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Submits all ten, one after the other, then waits for each to end. */
async function runScript(system: System): Promise<DemoOutcome[]> {
  const { gateway_url: url = "" } = system.addresses;
  const submitted: TaskAnswer[] = [];
  for (const scripted of demoScript) submitted.push(await submit(url, scripted));
  using progress = startProgress();
  let ended = 0;
  const tell = (): void => progress.show(ended, submitted.length, "tasks have ended");
  tell();
  return await Promise.all(
    submitted.map(async ({ id }, index) => {
      const task = await ask(`${url}/v1/tasks/${id}?wait=60s`);
      ended += 1;
      tell();
      const scripted = demoScript[index];
      if (!scripted) throw new TaskError("internal", "the demo's script has changed while it ran");
      return { scripted, task };
    }),
  );
}

function submit(url: string, { type, payload, maxAttempts }: ScriptedTask): Promise<TaskAnswer> {
  const body = JSON.stringify({ type, payload, ...(maxAttempts !== undefined && { max_attempts: maxAttempts }) });
  return ask(`${url}/v1/tasks`, { method: "POST", headers: { "content-type": "application/json" }, body });
}

async function ask(url: string, init: RequestInit = {}): Promise<TaskAnswer> {
  const answer = await fetch(url, init);
  if (!answer.ok) throw new TaskError("unavailable", `${url} answered ${answer.status}: ${await answer.text()}`);
  // The gateway of this same program.
  return (await answer.json()) as TaskAnswer;
}

/** The last success (the first ones warm the threads up) and the dead task, each once all its spans have arrived. */
async function drawTraces(
  outcomes: readonly DemoOutcome[],
  spans: DemoSpans,
  show: { color: boolean; width: number },
): Promise<string[][]> {
  const drawn: string[][] = [];
  const success = outcomes.findLast(({ task }) => task.status === "succeeded")?.task;
  const dead = outcomes.find(({ task }) => task.status === "dead")?.task;
  // The last span of a success is its outcome, the second update; of a death, the dead-letter processor's.
  if (success) drawn.push(await draw(success, "UPDATE tasks", 2));
  if (dead) drawn.push(await draw(dead, "process task-events-dlq", 1));
  return drawn;

  async function draw(task: TaskAnswer, lastName: string, lastCount: number): Promise<string[]> {
    const limit = AbortSignal.timeout(spansLimitMs);
    while (!limit.aborted && !isWhole(spans.of(task.trace_id), lastName, lastCount)) await systemClock.sleep(50, limit);
    const title = `${task.type} ${task.status}: task ${task.id}`;
    return renderWaterfall(spans.of(task.trace_id), { ...show, title });
  }
}

async function stopAll(system: System | undefined, receiver: Listener): Promise<void> {
  await system?.drain();
  await receiver.stop(0);
}
