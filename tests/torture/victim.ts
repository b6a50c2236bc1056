/**
 * A process that is killed and started again, over and over, with the same command. Keeps what each of its lives said,
 * so that a claim found in the store can be traced to the life that made it.
 */

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type LogLine, type SpawnedProcess, spawnThroughline } from "../support/process.ts";
import { noteKill } from "./journal.ts";

/** One life of a process. */
export interface Life {
  victim: string;
  pid: number;
  /** Ids under which it claimed. */
  workers: string[];
  spawnedAtMs: number;
  /** How long it took to be ready; undefined when it was killed before. */
  startMs: number | undefined;
  /** When the killed process was gone; undefined when it was not killed. */
  killedAtMs: number | undefined;
}

export interface Victim extends AsyncDisposable {
  name: string;
  /** Its lives so far, the present one included. */
  lives: Life[];
  /** Lines of level warn and error of the lives that are over, by their sentence. */
  complaints: Map<string, number>;
  /** As on the ready line; undefined while it is not ready. */
  addresses(): Record<string, string> | undefined;
  /** Resolves once it is ready. */
  start(): Promise<void>;
  /** Starts it, and kills it that much later, ready or not. */
  startAndKill(afterMs: number): Promise<void>;
  /** SIGKILL; resolves when it is gone and noted in the journal. */
  kill(): Promise<void>;
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number>;
}

export interface VictimOptions {
  name: string;
  args: readonly string[];
  env: Record<string, string>;
  journal: string;
  /** Where the output of its lives is kept. */
  logFolder: string;
}

export function createVictim({ name, args, env, journal, logFolder }: VictimOptions): Victim {
  const lives: Life[] = [];
  const complaints = new Map<string, number>();
  let child: SpawnedProcess | undefined;
  let addresses: Record<string, string> | undefined;

  const spawn = async (): Promise<{ spawned: SpawnedProcess; life: Life }> => {
    const spawned = await spawnThroughline(args, { env, cwd: logFolder });
    child = spawned;
    const life: Life = {
      victim: name,
      pid: spawned.pid,
      workers: [],
      spawnedAtMs: Date.now(),
      startMs: undefined,
      killedAtMs: undefined,
    };
    lives.push(life);
    return { spawned, life };
  };

  const start = async (): Promise<void> => {
    const { spawned, life } = await spawn();
    addresses = await spawned.ready;
    life.startMs = Date.now() - life.spawnedAtMs;
  };

  const kill = async (): Promise<void> => {
    const life = lives.at(-1);
    if (!child || !life) return;
    child.kill("SIGKILL");
    await child.exited;
    life.killedAtMs = Date.now();
    noteKill(journal, { pid: child.pid, victim: name, atMs: life.killedAtMs });
    await bringIn();
  };

  const stop = async (): Promise<number> => {
    const exitCode = (await child?.stop()) ?? 0;
    await bringIn();
    return exitCode;
  };

  /** Reads and keeps what a life that is over has said. */
  const bringIn = async (): Promise<void> => {
    if (!child) return;
    const logs = child.lines.flatMap(toLogLine);
    lives.at(-1)?.workers.push(...workersIn(logs));
    for (const { level, service, msg } of logs) {
      if (level !== "warn" && level !== "error") continue;
      const sentence = `${level} ${service}: ${msg}`;
      complaints.set(sentence, (complaints.get(sentence) ?? 0) + 1);
    }
    for (const line of child.errors().split("\n").filter(Boolean)) {
      complaints.set(`stderr: ${line}`, (complaints.get(`stderr: ${line}`) ?? 0) + 1);
    }
    appendFileSync(
      join(logFolder, `${name}.log`),
      [`--- pid ${child.pid}`, ...child.lines, child.errors(), ""].join("\n"),
    );
    await child[Symbol.asyncDispose]();
    child = undefined;
    addresses = undefined;
  };

  return {
    name,
    lives,
    complaints,
    addresses: () => addresses,
    start,
    startAndKill: async (afterMs) => {
      await spawn();
      await pause(afterMs);
      await kill();
    },
    kill,
    stop,
    [Symbol.asyncDispose]: async () => {
      await child?.[Symbol.asyncDispose]();
    },
  };
}

/** The last line of a killed process may be cut. */
function toLogLine(line: string): LogLine[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

function workersIn(logs: readonly LogLine[]): string[] {
  return logs.filter(({ msg }) => msg === "worker receives").map(({ worker }) => String(worker));
}
