/** `throughline verify`: a probe through every hop of a running system, and what became of its trace context at each. */

import { defaultConsoleUrl } from "../config.ts";
import { printResult } from "../terminal/screen.ts";
import { connectApi } from "./api-client.ts";
import { exitCodes } from "./exit.ts";
import { type AddCommand, type ApiFlags, durationMs, httpAddress, withApi, withExamples } from "./flags.ts";
import type { VerifyReport } from "./verify/report.ts";

export const addVerify: AddCommand = (program, end) => {
  const command = program
    .command("verify")
    .description(
      "sends a probe through every hop of a running system, and says which hop lost the trace context, how long each took, whether the clocks agree and what telemetry was dropped; exit code 1 unless every hop passed it on",
    )
    .option("--dead-letter", "the probe dies, is brought back, dies again and is discarded (scope operate)")
    .option("--console-url <url>", `where the console is (THROUGHLINE_CONSOLE_URL, ${defaultConsoleUrl})`)
    .option("--admin-url <url>", "where a process tells its metrics; may be given again", httpAddress)
    .option("--wait-limit <duration>", "for the probe and its telemetry to come through (30s)", durationMs, 30_000)
    .action(async (flags: VerifyFlags) => end(await verifySystem(flags)));
  withExamples(
    withApi(command),
    ["throughline verify --admin-url http://127.0.0.1:9464", "the system on this machine"],
    ["throughline verify --dead-letter --json", "to the dead letters and back, for a script"],
  );
};

interface VerifyFlags extends ApiFlags {
  consoleUrl?: string;
  adminUrl?: string[];
  deadLetter?: boolean;
  /** Milliseconds for all of it. */
  waitLimit: number;
}

async function verifySystem(flags: VerifyFlags): Promise<number> {
  const { consoleUrl, adminUrl: adminUrls = [], deadLetter: isToDie = false, waitLimit } = flags;
  const api = connectApi(flags.url);
  const limit = AbortSignal.timeout(waitLimit);
  const deadlineMs = performance.now() + waitLimit;
  const [
    { gatherSpans, readDropped, runProbe },
    { findPlaces, judgeHops, readClocks },
    { isGreen, renderVerify, toVerifyJson },
  ] = await Promise.all([import("./verify/evidence.ts"), import("./verify/hops.ts"), import("./verify/report.ts")]);
  // A probe is of no use without a console: a console that is away fails the command before there is a probe.
  await readDropped(consoleUrl, []);
  const run = await runProbe(api, { isToDie, limit, deadlineMs });
  const spans = await gatherSpans(run, consoleUrl, limit);
  const { facts, times } = run;
  const report: VerifyReport = {
    ...run,
    traceId: facts.traceId,
    hops: judgeHops(facts, spans),
    clocks: readClocks(times, findPlaces(spans)),
    dropped: await readDropped(consoleUrl, adminUrls),
  };
  printResult(flags, {
    json: JSON.stringify(toVerifyJson(report)),
    ids: [run.taskId],
    forPeople: ({ canvas }) => renderVerify(report, canvas),
  });
  return isGreen(report) ? exitCodes.done : exitCodes.failed;
}
