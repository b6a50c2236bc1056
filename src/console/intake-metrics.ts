/** What became of what the console received, as metrics. */

import { consoleInstruments } from "../telemetry/metrics/instruments.ts";
import type { Meter } from "../telemetry/metrics/meter.ts";
import type { Intake } from "./intake.ts";

/** `otel.component.type`: a name of our own, as the conventions ask for components that are not the SDK's. */
const componentType = "console";

export function observeIntake(meter: Meter, intake: Pick<Intake, "counts">): void {
  for (const signal of ["spans", "logs"] as const) {
    meter.observe(consoleInstruments[signal], (observe) => {
      for (const each of intake.counts()) if (each.signal === signal) observe(each.count, componentType, each.reason);
    });
  }
}
