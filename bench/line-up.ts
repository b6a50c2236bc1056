/** Contestants side by side: those that this machine can start, warm. */

import { mustHaveParts, whyMissing } from "../tests/parts/parts.ts";
import type { Contestant } from "./contestants.ts";
import { type Ready, type RoundOptions, startContestant } from "./round.ts";
import type { Context } from "./section.ts";

export interface LineUp extends AsyncDisposable {
  all: readonly Ready[];
}

/** At this many connections all are warm, and most are compared. */
export const usualConnections = 32;

/**
 * Starts them one after the other, traced those that can be. Who needs what is not here is left out, loudly; under CI
 * that is a failure.
 */
export async function startLineUp(
  contestants: readonly Contestant[],
  isTraced: boolean,
  { plan, say }: Context,
): Promise<LineUp> {
  await using stack = new AsyncDisposableStack();
  const warmUp: RoundOptions = { tasks: plan.warmUpTasks, connections: usualConnections };
  const all: Ready[] = [];
  for (const contestant of contestants.filter(({ canTrace }) => canTrace || !isTraced)) {
    const why = contestant.needs.map(whyMissing).find((missing) => missing !== undefined);
    if (why === undefined) {
      say(`${contestant.name}${isTraced ? ", traced" : ""}: starts and warms up`);
      all.push(stack.use(await startContestant(contestant, isTraced, warmUp)));
    } else if (mustHaveParts()) throw new Error(`${contestant.name}: ${why}`);
    else say(`LEFT OUT: ${contestant.name}: ${why}`);
  }
  const owned = stack.move();
  return { all, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Rounds of all in turn, A B A B, so that what the machine does meanwhile meets all alike. Of each, by name, what `run`
 * gave in its rounds.
 */
export async function interleave<T extends { name: string }, V>(
  all: readonly T[],
  rounds: number,
  run: (each: T) => Promise<V>,
): Promise<Map<string, V[]>> {
  const results = new Map(all.map(({ name }): [string, V[]] => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const each of all) results.get(each.name)?.push(await run(each));
  }
  return results;
}
