/** Runs one command of a part's build. */

const buildStepTimeoutMs = 20 * 60 * 1000;

/** Runs `command` in `folder`; rejects with the one line of its output that says most when it fails or takes too long. */
export async function runBuildStep(
  command: readonly string[],
  folder: string,
  env: Record<string, string> = {},
): Promise<void> {
  const step = Bun.spawn([...command], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: buildStepTimeoutMs,
    killSignal: "SIGKILL",
  });
  const { readableStreamToText: toText } = Bun;
  const [out, err] = await Promise.all([toText(step.stdout), toText(step.stderr), step.exited]);
  if (step.exitCode !== 0) {
    throw new Error(`"${command.slice(0, 2).join(" ")}" failed: ${tellingLine(`${out}\n${err}`)}`);
  }
}

/** Maven's first error comes before its advice; Go's comes last, after a list of what it downloads. */
function tellingLine(output: string): string {
  const lines = Bun.stripANSI(output)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const line = lines.find((each) => each.startsWith("[ERROR]")) ?? lines.at(-1) ?? "it said nothing";
  return line.slice(0, 300);
}
