/**
 * Throughline as a process of its own, as users start it. Promises that nothing of the test's own environment reaches
 * it, that all it prints is kept, and that it does not outlive the tests.
 */

import { taskRoles } from "../../src/config.ts";
import { startGuard } from "../parts/launch.ts";
import { compiledExecutable, projectFolder } from "./executable.ts";
import { tempFolder } from "./temp-folder.ts";

export interface StartOptions {
  /** Variables besides those that every program needs. */
  env?: Record<string, string>;
  /** Where it runs; a fresh folder, removed at the end, when not given. */
  cwd?: string;
  /** The compiled executable (default), the sources, the sources on Deno, or an executable somewhere else. */
  command?: "compiled" | "source" | "deno" | { executable: string };
}

/** One line of stdout, read. */
export interface LogLine extends Record<string, unknown> {
  msg: string;
  service: string;
}

/** It runs; whether it is ready or ever will be is another question. */
export interface SpawnedProcess extends AsyncDisposable {
  /** Stdout so far, line by line. */
  lines: readonly string[];
  /** The same, read; throws when a line is not a JSON object. */
  logs(): LogLine[];
  /** Stderr so far. */
  errors(): string;
  pid: number;
  /** Sends SIGTERM and waits; gives the exit code. */
  stop(): Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves to the exit code when it has ended and all its output was read. */
  exited: Promise<number>;
  /** Its addresses, once it is ready; rejects with all that it printed when it ends before. */
  ready: Promise<Record<string, string>>;
}

export interface ThroughlineProcess extends SpawnedProcess {
  /** As on the ready line: `gateway_url`, `task_service_url`, `grpc_url`, `admin_url`. */
  addresses: Record<string, string>;
}

/** Flags that let every listener take a free port. */
export const freePorts = [
  "--gateway-listen=127.0.0.1:0",
  "--task-service-listen=127.0.0.1:0",
  "--grpc-listen=127.0.0.1:0",
  "--admin-listen=127.0.0.1:0",
  "--console-listen=127.0.0.1:0",
  "--otlp-listen=127.0.0.1:0",
] as const;

/** Where no flag says otherwise: a test of the console asks for it; the others need not pay for it. */
const usualRoles = { THROUGHLINE_ROLE: taskRoles.join(",") };

/** Variables that would change what it does. */
const ownVariable = /^(THROUGHLINE|OTEL|AWS)_/;

/** Starts it and waits for its ready line; rejects with all that it printed when it ends before. */
export async function startThroughline(
  args: readonly string[],
  options: StartOptions = {},
): Promise<ThroughlineProcess> {
  const spawned = await spawnThroughline(args, options);
  try {
    return { ...spawned, addresses: await spawned.ready };
  } catch (error) {
    await spawned[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts it and waits for nothing. */
export async function spawnThroughline(args: readonly string[], options: StartOptions = {}): Promise<SpawnedProcess> {
  const command = await commandOf(options.command ?? "compiled");
  await using cleanup = new AsyncDisposableStack();
  const cwd = options.cwd ?? cleanup.use(await tempFolder()).path;
  const child = Bun.spawn([...command, ...args], {
    cwd,
    env: { ...cleanEnvironment(), ...usualRoles, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const guard = startGuard(child.pid);
  const lines: string[] = [];
  const errors: string[] = [];
  const told = Promise.withResolvers<LogLine>();
  const read = [
    readLines(child.stdout, (line) => {
      lines.push(line);
      if (line.includes('"msg":"ready"')) told.resolve(parseLine(line));
    }),
    readLines(child.stderr, (line) => errors.push(line)),
  ];
  const exited = Promise.all([child.exited, ...read]).then(async ([exitCode]) => {
    guard.kill("SIGKILL");
    await guard.exited;
    return exitCode;
  });
  cleanup.defer(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const early = exited.then((exitCode): never => {
    throw new Error(`throughline ended with ${exitCode} before it was ready:\n${[...lines, ...errors].join("\n")}`);
  });
  const ready = Promise.race([told.promise, early]).then(addressesOf);
  // Whoever does not ask is not told.
  early.catch(() => {});
  ready.catch(() => {});
  const owned = cleanup.move();
  return {
    ready,
    lines,
    logs: () => lines.map(parseLine),
    errors: () => errors.join("\n"),
    pid: child.pid,
    exited,
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function commandOf(command: NonNullable<StartOptions["command"]>): Promise<string[]> {
  if (command === "source") return [process.execPath, `${projectFolder}/src/main.ts`];
  if (command === "deno") return [await denoExecutable(), "run", "-A", `${projectFolder}/src/main.ts`];
  return [command === "compiled" ? await compiledExecutable() : command.executable];
}

/** Deno itself: the package's command is a program around it, which passes no signal on. */
async function denoExecutable(): Promise<string> {
  const wrapper = `${projectFolder}/node_modules/.bin/deno`;
  const asked = Bun.spawn([wrapper, "eval", "console.log(Deno.execPath())"], { stdout: "pipe" });
  return (await new Response(asked.stdout).text()).trim();
}

function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !ownVariable.test(name));
  return Object.fromEntries(kept.map(([name, value = ""]) => [name, value]));
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}

function parseLine(line: string): LogLine {
  const parsed: unknown = JSON.parse(line);
  if (!isLogLine(parsed)) throw new Error(`a line of stdout is no log line: ${line}`);
  return parsed;
}

function isLogLine(value: unknown): value is LogLine {
  return (
    typeof value === "object" &&
    value !== null &&
    "msg" in value &&
    typeof value.msg === "string" &&
    "service" in value &&
    typeof value.service === "string"
  );
}

/** Every text field whose name says that it is an address. */
function addressesOf(line: LogLine): Record<string, string> {
  const isAddress = (entry: [string, unknown]): entry is [string, string] =>
    /_(url|endpoint)$/.test(entry[0]) && typeof entry[1] === "string";
  return Object.fromEntries(Object.entries(line).filter(isAddress));
}
