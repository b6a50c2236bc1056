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
  /** The folder it is started in, unless that is ours. */
  cwd?: string;
}

export async function runTool(
  command: readonly string[],
  { stdin = "", env = {}, cwd = process.cwd() }: ToolOptions = {},
): Promise<ToolAnswer> {
  const run = Bun.spawn([...command], { cwd, env, stdin: new Blob([stdin]), stdout: "pipe", stderr: "pipe" });
  const { readableStreamToText: toText } = Bun;
  const [out, err, exitCode] = await Promise.all([toText(run.stdout), toText(run.stderr), run.exited]);
  return { exitCode, output: `${out}${err}` };
}
