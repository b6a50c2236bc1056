/** A command line as a person types it, in a process group of its own, so that it can be interrupted as by Ctrl-C. */

import { startGuard } from "../parts/launch.ts";
import { projectFolder } from "./executable.ts";

export interface ShellOptions {
  /** The folder of the checkout when not given. */
  cwd?: string;
  /** Variables besides those that every program needs. */
  env?: Record<string, string>;
}

export interface ShellCommand extends AsyncDisposable {
  /** What it and all that it started have printed so far, on stdout and stderr. */
  output(): string;
  /** Sends SIGINT to all of it, as a terminal does. */
  interrupt(): void;
  /** Sends SIGHUP to all of it, as a terminal does that closes. */
  hangUp(): void;
  /** Resolves to the exit code once nothing of it holds its output any more; null when a signal ended it. */
  exited: Promise<number | null>;
}

/** Variables that would change what Throughline does. */
const ownVariable = /^(THROUGHLINE|OTEL|AWS)_/;

export function startShell(commandLine: string, { cwd = projectFolder, env = {} }: ShellOptions = {}): ShellCommand {
  const inherited = Object.entries(process.env).filter(([name]) => !ownVariable.test(name));
  const child = Bun.spawn(["sh", "-c", commandLine], {
    cwd,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  // The group has the number of its first process.
  const group = -child.pid;
  const guard = startGuard(group);
  let text = "";
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const exited = Promise.all([child.exited, collect(child.stdout), collect(child.stderr)]).then(() => child.exitCode);
  return {
    output: () => text,
    interrupt: () => process.kill(group, "SIGINT"),
    hangUp: () => process.kill(group, "SIGHUP"),
    exited,
    [Symbol.asyncDispose]: async () => {
      killIfThere(group);
      await exited;
      guard.kill("SIGKILL");
      await guard.exited;
    },
  };
}

function killIfThere(group: number): void {
  try {
    process.kill(group, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
