/**
 * `throughline demo`: the whole system on embedded parts in a temporary folder. Submits ten real tasks over HTTP, prints
 * how each ended, and draws two traces from the spans as they arrived over OTLP at a receiver in this process.
 */

import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultRemoteUrl, isColorWanted, readConfig, withOtlpEndpoint } from "../config.ts";
import type { System } from "../supervisor.ts";
import { TaskError } from "../words/errors.ts";
import type { TaskAnswer } from "./api-answers.ts";
import {
  type DemoOutcome,
  demoScript,
  isAsScripted,
  renderFates,
  renderPlaces,
  type ScriptedTask,
} from "./demo-tasks.ts";
import { stopSignal } from "./exit.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";
import { ownCommand } from "./init.ts";
import { onFreePorts } from "./serve.ts";

export const addDemo: AddCommand = (program, end) => {
  const command = program
    .command("demo")
    .description("all roles on embedded parts in a temporary folder; submits ten tasks and shows their traces")
    .option("--once", "exit when the ten tasks have ended; 0 only if all ended as scripted");
  withSettings(command).action(async ({ once, ...flags }: SettingFlags & { once?: boolean }) => {
    end(await runDemo(flags, once ?? false));
  });
  withExamples(
    command,
    ["throughline demo", "look around, then Ctrl-C"],
    ["throughline demo --once", "whether it works on this machine"],
  );
};

/** Short, so that the demo does not wait for a back-off. */
const demoDefaults: SettingFlags = { retryBase: "200ms" };

async function runDemo(flags: SettingFlags, once: boolean): Promise<number> {
  const [{ receiveSpans, drawTraces }, { startSystem }] = await Promise.all([
    import("./demo-spans.ts"),
    import("../supervisor.ts"),
  ]);
  // Human text: to the terminal, or to stderr when stdout leads elsewhere.
  const out = process.stdout.isTTY ? process.stdout : process.stderr;
  const isTerminal = out.isTTY ?? false;
  const show = { color: isColorWanted(isTerminal), width: Math.min(out.columns || 120, 160) };
  const print = (lines: readonly string[]): void => void out.write(`${lines.join("\n")}\n`);

  const folder = mkdtempSync(join(tmpdir(), "throughline-demo-"));
  const logFile = join(folder, "throughline.log");
  const log = createWriteStream(logFile);
  const { config, rows } = readConfig({ ...demoDefaults, dataDir: folder, ...flags });
  const { spans, receiver } = await receiveSpans(config.otel);
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
    await system?.drain();
    await receiver.stop(0);
    log.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Submits all ten, one after the other, then waits for each to end. */
async function runScript(system: System): Promise<DemoOutcome[]> {
  const { gateway_url: url = "" } = system.addresses;
  const submitted: TaskAnswer[] = [];
  for (const scripted of demoScript) submitted.push(await submit(url, scripted));
  const { startProgress } = await import("../terminal/progress.ts");
  using progress = startProgress();
  let ended = 0;
  const show = (): void => progress.show(ended, submitted.length, "tasks have ended");
  show();
  return await Promise.all(
    submitted.map(async ({ id }, index) => {
      const task = await ask(`${url}/v1/tasks/${id}?wait=60s`);
      ended += 1;
      show();
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
