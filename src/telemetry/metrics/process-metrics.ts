/** What the process as a whole uses: told once for each process, by its supervisor. */

import { residentBytes } from "../../host/memory.ts";
import { openFileCount, openFileLimit } from "../../host/open-files.ts";
import { instruments } from "./instruments.ts";
import type { Meter } from "./meter.ts";

export function observeProcess(meter: Meter): void {
  meter.observe(instruments.processCpuTime, (observe) => {
    const { user, system } = process.cpuUsage();
    observe(user / 1e6, "user");
    observe(system / 1e6, "system");
  });
  meter.observe(instruments.processMemory, (observe) => observe(residentBytes()));
  meter.observe(instruments.processOpenFiles, (observe) => observe(openFileCount()));
  meter.observe(instruments.processOpenFileLimit, (observe) => {
    if (Number.isFinite(openFileLimit())) observe(openFileLimit());
  });
  meter.observe(instruments.processUptime, (observe) => observe(process.uptime()));
}
