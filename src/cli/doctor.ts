/** `throughline doctor`: looks at everything that the roles need, reports what is wrong and how to mend it. */

import { type Config, readConfig } from "../config.ts";
import { takeStdout } from "../host/stdout.ts";
import { keepSettingsOffProxies } from "../http/fetch.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import type { Finding, FindingStatus } from "./doctor/finding.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";

export const addDoctor: AddCommand = (program, end) => {
  const command = program
    .command("doctor")
    .description("looks at everything that these settings need, and says what is wrong and how to mend it")
    .option("--json", "as JSON");
  withSettings(command).action(async ({ json, ...flags }: SettingFlags & { json?: boolean }) => {
    end(await runDoctor(readConfig(flags).config, json ?? false));
  });
  withExamples(
    command,
    ["throughline doctor", "before the start"],
    ["throughline doctor --queue=sqs --json", "for a script"],
  );
};

/** Gives the exit code: 1 when something will not work. */
async function runDoctor(config: Config, asJson: boolean): Promise<number> {
  keepSettingsOffProxies(config);
  // Before the handlers are loaded, which may print.
  const stdout = await takeStdout();
  const findings = await examine(config);
  try {
    await stdout.write(asJson ? `${JSON.stringify(findings)}\n` : toText(findings));
  } catch (cause) {
    const { type, message } = toFailure(cause);
    // As in `throughline doctor | head -1`, which is no failure.
    if (type !== "EPIPE") throw new TaskError("unavailable", `cannot write to stdout: ${message}`, { cause });
  }
  return findings.some(({ status }) => status === "failed") ? 1 : 0;
}

/** Changes nothing. */
async function examine(config: Config): Promise<Finding[]> {
  const [processes, dependencies] = await Promise.all([
    import("./doctor/process.ts"),
    import("./doctor/dependencies.ts"),
  ]);
  const runsHandlers = config.role.includes("worker");
  const keepsTasks = config.role.some((role) => role !== "gateway");
  const found = await Promise.all([
    keepsTasks ? dependencies.lookAtStore(config) : [],
    dependencies.lookAtQueues(config),
    dependencies.lookAtCollector(config),
    runsHandlers ? processes.lookAtHandlers(config) : [],
    processes.lookAtAddresses(config),
    processes.lookAtGuards(config),
    processes.lookAtOpenFiles(),
  ]);
  return found.flat();
}

const marks: Record<FindingStatus, string> = { ok: "ok    ", warn: "warn  ", failed: "FAILED" };

function toText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, status, detail, mend }) => [
    `${marks[status]}  ${check.padEnd(width)}  ${detail}`,
    ...(mend === undefined ? [] : [`        ${" ".repeat(width)}  → ${mend}`]),
  ]);
  return `${lines.join("\n")}\n`;
}
