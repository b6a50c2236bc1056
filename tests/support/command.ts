/** A command of the compiled executable that ends by itself. */

import { startGuard } from "../parts/launch.ts";
import { compiledExecutable } from "./executable.ts";
import { tempFolder } from "./temp-folder.ts";

export interface EndedCommand {
  exitCode: number;
  stdout: string;
  /** Line by line. */
  errors: string[];
}

/** Variables that would change what it does. */
const ownVariable = /^(THROUGHLINE|OTEL|AWS)_/;

/** Runs it in a fresh folder, with no variable of the test's own that it might read, and waits for its end. */
export async function runThroughline(
  args: readonly string[],
  env: Record<string, string> = {},
  stdin?: string,
): Promise<EndedCommand> {
  await using folder = await tempFolder();
  const inherited = Object.entries(process.env).filter(([name]) => !ownVariable.test(name));
  const child = Bun.spawn([await compiledExecutable(), ...args], {
    cwd: folder.path,
    env: { ...Object.fromEntries(inherited), ...env },
    stdin: stdin === undefined ? "ignore" : new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const guard = startGuard(child.pid);
  const [stdout, stderr] = await Promise.all([child.stdout, child.stderr].map((stream) => new Response(stream).text()));
  const exitCode = await child.exited;
  guard.kill("SIGKILL");
  await guard.exited;
  return { exitCode, stdout: stdout ?? "", errors: (stderr ?? "").split("\n").filter((line) => line !== "") };
}
