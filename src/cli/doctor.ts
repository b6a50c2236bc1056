/** `throughline doctor`: looks at everything that the roles will need, says what is wrong and how to mend it. */

import type { Config } from "../config.ts";
import { lowOpenFileLimit, openFileLimit } from "../host/open-files.ts";
import { takeStdout } from "../host/stdout.ts";
import { keepSettingsOffProxies } from "../http/fetch.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { lookAtAddresses } from "./doctor/addresses.ts";
import { lookAtCollector } from "./doctor/collector.ts";
import { type Finding, type FindingStatus, ok, warn } from "./doctor/finding.ts";
import { lookAtGuards } from "./doctor/guards.ts";
import { lookAtHandlers } from "./doctor/handlers.ts";
import { lookAtQueues } from "./doctor/queues.ts";
import { lookAtStore } from "./doctor/store.ts";

/** Gives the exit code: 1 when something will not work. */
export async function runDoctor(config: Config, asJson: boolean): Promise<number> {
  keepSettingsOffProxies(config);
  // Before the handlers are loaded, which may print.
  const stdout = await takeStdout();
  const findings = await examine(config);
  try {
    await stdout.write(asJson ? `${JSON.stringify(findings)}\n` : toText(findings));
  } catch (cause) {
    const { type, message } = toFailure(cause);
    // `throughline doctor | head -1` has what it wants.
    if (type !== "EPIPE") throw new TaskError("unavailable", `cannot write to stdout: ${message}`, { cause });
  }
  return findings.some(({ status }) => status === "failed") ? 1 : 0;
}

/** Changes nothing. */
async function examine(config: Config): Promise<Finding[]> {
  const runsHandlers = config.role.includes("worker");
  const keepsTasks = config.role.some((role) => role !== "gateway");
  const found = await Promise.all([
    keepsTasks ? lookAtStore(config) : [],
    lookAtQueues(config),
    lookAtCollector(config),
    runsHandlers ? lookAtHandlers(config) : [],
    lookAtAddresses(config),
    lookAtGuards(config),
    lookAtOpenFiles(),
  ]);
  return found.flat();
}

/** Nothing where the system does not tell. */
function lookAtOpenFiles(): Finding[] {
  const limit = openFileLimit();
  if (limit === Number.POSITIVE_INFINITY) return [];
  const detail = `${limit} may be open at once, among them each connection`;
  if (limit >= lowOpenFileLimit) return [ok("open files", detail)];
  const mend = `raise the limit to ${lowOpenFileLimit} or more: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker`;
  return [warn("open files", detail, mend)];
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
