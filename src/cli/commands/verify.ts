import { defaultConsoleUrl } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { withApi, withExamples } from "../flags.ts";
import { durationMs, httpAddress } from "../values.ts";
import type { VerifyFlags } from "../verify.ts";

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
    .action(async (flags: VerifyFlags) => {
      const { verifySystem } = await import("../verify.ts");
      end(await verifySystem(flags));
    });
  withExamples(
    withApi(command),
    ["throughline verify --admin-url http://127.0.0.1:9464", "the system on this machine"],
    ["throughline verify --dead-letter --json", "to the dead letters and back, for a script"],
  );
};
