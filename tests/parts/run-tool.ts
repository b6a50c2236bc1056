/** Runs a tool that checks something to its end. */

export interface ToolAnswer {
  exitCode: number;
  /** Stdout, then stderr. */
  output: string;
}

export interface ToolOptions {
  stdin?: string;
  /** Its whole environment. */
  env?: Record<string, string>;
}

export async function runTool(
  command: readonly string[],
  { stdin = "", env = {} }: ToolOptions = {},
): Promise<ToolAnswer> {
  const run = Bun.spawn([...command], { env, stdin: new Blob([stdin]), stdout: "pipe", stderr: "pipe" });
  const { readableStreamToText: toText } = Bun;
  const [out, err, exitCode] = await Promise.all([toText(run.stdout), toText(run.stderr), run.exited]);
  return { exitCode, output: `${out}${err}` };
}
