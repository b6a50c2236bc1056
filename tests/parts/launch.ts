/**
 * Starts a real server as a child process and owns it until `stop`.
 * Promises that it does not outlive the tests, however they end: a small shell beside each one holds the other end of
 * a pipe and kills the server when the pipe closes. `bun test` fires no exit event, and nothing fires on SIGKILL.
 */

import { PortTakenError } from "./free-port.ts";

/** A real server that runs: `await using` it, or stop it. */
export interface Part extends AsyncDisposable {
  /** `http://host:port` of what it is there for. */
  url: string;
  /** Its process, for faults: pause it, kill it. */
  readonly pid: number;
  /** Kills it and waits until it is gone; does nothing the second time. */
  stop(): Promise<void>;
}

/** What to start and how to know that it is up. */
export interface Launch {
  /** As it is called in errors. */
  name: string;
  command: readonly string[];
  /** Its whole environment: nothing of ours that it might read comes along. */
  env: Record<string, string>;
  /** The line it prints when it listens. Asking its port is not enough: another server may answer there. */
  readyLine: string;
  /** Whether it answers as it should; throwing means not yet. */
  answers(): Promise<boolean>;
}

/** A process that answers. */
export type Launched = Pick<Part, "pid" | "stop">;

const startTimeoutMs = 60_000;
const pollIntervalMs = 20;
const mostOutputChars = 64 * 1024;
const portTaken = /address already in use/i;

/** Starts it and waits until it answers; rejects with `PortTakenError`, or with the end of what it printed. */
export async function launch(part: Launch): Promise<Launched> {
  const child = Bun.spawn([...part.command], { env: part.env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const guard = startGuard(child.pid);
  const output = { text: "" };
  const read = Promise.all([collect(child.stdout, output), collect(child.stderr, output)]);
  const stop = async () => {
    child.kill("SIGKILL");
    await Promise.all([child.exited, read]);
    guard.kill("SIGKILL");
    await guard.exited;
  };
  try {
    await untilReady(part, child, output);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid, stop };
}

async function untilReady(part: Launch, child: Bun.Subprocess, output: { text: string }): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  while (!(output.text.includes(part.readyLine) && (await part.answers().catch(() => false)))) {
    if (portTaken.test(output.text)) {
      throw new PortTakenError(`starting ${part.name}: a port was taken`);
    }
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${part.name} ended while it started; it printed:\n${output.text}`);
    }
    if (Date.now() > deadline) {
      throw new Error(`${part.name} did not answer within ${startTimeoutMs} ms; it printed:\n${output.text}`);
    }
    await Bun.sleep(pollIntervalMs);
  }
}

/** Kills the process `pid` when this one ends, however it ends. Kill the guard first when the process is gone. */
export function startGuard(pid: number): Bun.Subprocess<"pipe", "ignore", "ignore"> {
  const script = 'trap "" INT TERM HUP; read -r _; kill -9 "$1"';
  return Bun.spawn(["sh", "-c", script, "guard", String(pid)], { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
}

/** Keeps the pipe empty, so that the server never waits for us, and the end of what it said. */
async function collect(stream: ReadableStream<Uint8Array>, output: { text: string }): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    output.text = (output.text + decoder.decode(chunk, { stream: true })).slice(-mostOutputChars);
  }
}
