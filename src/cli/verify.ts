/** `throughline verify`: a probe through every hop of a running system, and what became of its trace context at each. */

import { printResult } from "../terminal/screen.ts";
import { connectApi } from "./api-client.ts";
import { exitCodes } from "./exit-codes.ts";
import { readClocks } from "./verify/clocks.ts";
import { readDropped } from "./verify/dropped.ts";
import { gatherSpans } from "./verify/evidence.ts";
import { findPlaces, judgeHops } from "./verify/hops.ts";
import { runProbe } from "./verify/probe.ts";
import { isGreen, renderVerify, toVerifyJson, type VerifyReport } from "./verify/report.ts";

export interface VerifyFlags {
  url?: string;
  json?: boolean;
  consoleUrl?: string;
  adminUrl?: string[];
  deadLetter?: boolean;
  /** Milliseconds for all of it. */
  waitLimit: number;
}

export async function verifySystem(flags: VerifyFlags): Promise<number> {
  const { consoleUrl, adminUrl: adminUrls = [], deadLetter: isToDie = false, waitLimit } = flags;
  const api = connectApi(flags.url);
  const limit = AbortSignal.timeout(waitLimit);
  const deadlineMs = performance.now() + waitLimit;
  // Without a console nothing could be said of a probe: so it is asked before there is one.
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
