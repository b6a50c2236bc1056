/** Kills and starts again, at moments that chance chooses. */

import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "./random.ts";
import type { Broker, TorturedSystem } from "./systems.ts";

export interface KillPlan {
  kills: number;
  /** Before these kills, counted from 1, the broker is emptied. */
  wipesBefore: readonly number[];
}

/** Kills that come while the process still starts. */
const whileStartingShare = 0.12;

/** Resolves after the last kill, when everything runs again. `onKill` is told of each, counted from 1. */
export async function killOften(
  system: TorturedSystem,
  { kills, wipesBefore }: KillPlan,
  random: Random,
  onKill: (kill: number) => void,
): Promise<void> {
  let killed = 0;
  let wipes = 0;
  const count = (): void => onKill(++killed);
  while (killed < kills) {
    await pause(upMs(random));
    if (system.broker && killed + 1 >= (wipesBefore[wipes] ?? Number.POSITIVE_INFINITY)) {
      wipes += 1;
      await wipe(system.broker, count);
      continue;
    }
    const victim = random.pick(system.victims);
    await victim.kill();
    count();
    // With others that go on, what happens while one is away is worth a while.
    if (system.victims.length > 1) await pause(random.between(0, 500));
    while (killed < kills && random.chance(whileStartingShare)) {
      await victim.startAndKill(random.between(0, 600));
      count();
    }
    await victim.start();
  }
}

/** Empties the broker while nobody takes from it, so that it loses messages that nobody has seen. */
async function wipe({ takers, restartEmpty }: Broker, count: () => void): Promise<void> {
  for (const taker of takers) {
    await taker.kill();
    count();
  }
  await pause(unseenMs);
  await restartEmpty();
  await Promise.all(takers.map((taker) => taker.start()));
}

/** Of load that no worker sees before the broker is emptied. */
const unseenMs = 700;

/** Often too short to get far, sometimes long enough for a task that outlives its visibility timeout. */
function upMs(random: Random): number {
  const drawn = random.next();
  if (drawn < 0.2) return random.between(0, 100);
  return drawn < 0.75 ? random.between(100, 1200) : random.between(1200, 4500);
}
