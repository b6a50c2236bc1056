/** Rounds of all in turn, A B A B, so that what the machine does meanwhile meets all alike. */

/** Of each, by name, what `run` gave in its rounds. */
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
