/**
 * A steady load over several connections, that goes on while nobody answers. A task counts as accepted only with an
 * answer 202 or 200 that names it; what got no answer is given up, unless it has an `Idempotency-Key`: then it is
 * submitted again after the next start, and must be the same task.
 */

import { setTimeout as pause } from "node:timers/promises";
import { createRandom } from "./random.ts";
import { nextSubmission, type Submission } from "./scripts.ts";

export interface Accepted {
  id: string;
  submission: Submission;
  atMs: number;
}

/** What was answered to one key, in the order of the answers. */
export interface KeyUse {
  key: string;
  ids: string[];
}

interface LoadFigures {
  /** Submissions that got no answer, or another one than accepted. */
  refused: number;
  /** Accepted submissions of a key that had been submitted before. */
  replays: number;
}

export interface Load {
  accepted: readonly Accepted[];
  keys(): KeyUse[];
  figures: LoadFigures;
  /** What was submitted with a key, and not again since, is submitted again from now on. */
  replayKeys(): void;
  /** Ends the load, with every key of it submitted once more. */
  finish(): Promise<void>;
}

export interface LoadOptions {
  seed: number;
  connections: number;
  /** Of all connections together. */
  tasksPerSecond: number;
  gatewayUrl(): string | undefined;
}

const answerLimitMs = 15_000;
const downPauseMs = 50;
const finishLimitMs = 60_000;

export function startLoad({ seed, connections, tasksPerSecond, gatewayUrl }: LoadOptions): Load {
  const accepted: Accepted[] = [];
  const answers = new Map<string, string[]>();
  const keyed: Submission[] = [];
  const toReplay: Submission[] = [];
  let replayed = 0;
  const figures: LoadFigures = { refused: 0, replays: 0 };
  let endMs = Number.POSITIVE_INFINITY;
  let count = 0;

  /** The accepted task's id; undefined when it was not accepted. */
  const submit = async (submission: Submission): Promise<string | undefined> => {
    const id = await post(gatewayUrl(), submission);
    if (id === undefined) {
      figures.refused += 1;
      return undefined;
    }
    accepted.push({ id, submission, atMs: Date.now() });
    const { key } = submission.payload;
    if (key !== undefined) answers.set(key, [...(answers.get(key) ?? []), id]);
    return id;
  };

  const submitNew = async (random: ReturnType<typeof createRandom>): Promise<void> => {
    const submission = nextSubmission(random, String(seed), ++count);
    if (submission.payload.key !== undefined) keyed.push(submission);
    if ((await submit(submission)) === undefined) await pause(downPauseMs);
  };

  const replay = async (submission: Submission): Promise<void> => {
    if ((await submit(submission)) !== undefined) {
      figures.replays += 1;
      return;
    }
    toReplay.push(submission);
    await pause(downPauseMs);
  };

  const replayAll = async (): Promise<void> => {
    for (let next = toReplay.shift(); next && Date.now() < endMs; next = toReplay.shift()) await replay(next);
  };

  const connection = async (random: ReturnType<typeof createRandom>): Promise<void> => {
    while (Date.now() < endMs) {
      const again = toReplay.shift();
      if (again) {
        await replay(again);
        continue;
      }
      if (Number.isFinite(endMs)) return;
      await submitNew(random);
      // A pace, not a wait for something: evenly around the rate that was asked for.
      await pause((2 * random.next() * 1000 * connections) / tasksPerSecond);
    }
  };

  const running = Array.from({ length: connections }, (_, n) => connection(createRandom(seed + n)));
  return {
    accepted,
    figures,
    keys: () => [...answers].map(([key, ids]) => ({ key, ids })),
    replayKeys: () => {
      toReplay.push(...keyed.slice(replayed));
      replayed = keyed.length;
    },
    finish: async () => {
      endMs = Date.now() + finishLimitMs;
      await Promise.all(running);
      toReplay.push(...keyed);
      await Promise.all(Array.from({ length: connections }, replayAll));
    },
  };
}

async function post(url: string | undefined, submission: Submission): Promise<string | undefined> {
  if (url === undefined) return undefined;
  const { key } = submission.payload;
  try {
    const answer = await fetch(`${url}/v1/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) },
      body: JSON.stringify(submission),
      signal: AbortSignal.timeout(answerLimitMs),
    });
    const task: { id?: string } = await answer.json();
    return answer.status === 202 || answer.status === 200 ? task.id : undefined;
  } catch {
    // Killed before it could answer: whether the task was made, nobody was told.
    return undefined;
  }
}
