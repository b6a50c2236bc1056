/** All parts of the benchmark, in the order in which they run. */

import { accept } from "./parts/accept.ts";
import { backlog } from "./parts/backlog.ts";
import { consolePart } from "./parts/console.ts";
import { microseconds } from "./parts/microseconds.ts";
import { overload } from "./parts/overload.ts";
import { payload } from "./parts/payload.ts";
import { pickup } from "./parts/pickup.ts";
import { pieces } from "./parts/pieces.ts";
import { soak } from "./parts/soak.ts";
import { start } from "./parts/start.ts";
import { tax } from "./parts/tax.ts";
import { threads } from "./parts/threads.ts";
import { wholePath } from "./parts/whole-path.ts";
import type { Part } from "./section.ts";

export const parts: readonly Part[] = [
  wholePath,
  accept,
  tax,
  microseconds,
  pieces,
  pickup,
  backlog,
  threads,
  payload,
  start,
  overload,
  soak,
  consolePart,
];
