/**
 * Who is measured: each takes tasks by `POST` over HTTP, and runs a handler that only tells so. Throughline, and the
 * least that a durable server does, stand here; what people use today in peers.ts.
 */

import { join } from "node:path";
import { taskRoles } from "../src/config.ts";
import { databaseFile } from "../src/store/sqlite/schema.ts";
import type { PartName } from "../tests/parts/parts.ts";
import { compiledExecutable } from "../tests/support/executable.ts";
import { tempFolder } from "../tests/support/temp-folder.ts";
import { type Child, startChild } from "./child.ts";

export interface ContestantOptions {
  /** Where handlers tell what they have run. */
  doneUrl: string;
  /** Where telemetry goes; undefined: it is off. */
  otlpUrl: string | undefined;
}

/** It runs. */
export interface Running extends AsyncDisposable {
  /** Where tasks are submitted. */
  url: string;
  pids: readonly number[];
  /** From its start until it listened. */
  startMs: number;
  /** Where its tasks are kept, of those who use SQLite. */
  database?: string;
}

export interface Contestant {
  name: string;
  /** Besides this project itself. */
  needs: readonly PartName[];
  /** Whether it has spans of its own; who has none is never among those that are traced. */
  canTrace: boolean;
  start(options: ContestantOptions): Promise<Running>;
}

const here = import.meta.dir;

/**
 * The compiled executable with its default settings, durable, with the roles that tasks need: what the console costs is
 * a part of its own. `more` is on its command line.
 */
export function throughlineWith(name: string, more: readonly string[] = [], env: Environment = otlpOf): Contestant {
  return {
    name,
    needs: [],
    canTrace: true,
    start: async (options) => {
      await using stack = new AsyncDisposableStack();
      const data = stack.use(await tempFolder());
      const listen = ["gateway", "task-service", "admin", "console", "otlp"];
      const command = [
        await compiledExecutable(),
        ...listen.map((name) => `--${name}-listen=127.0.0.1:0`),
        `--data-dir=${data.path}`,
        `--handlers=${join(here, "handlers")}`,
        ...(more.some((flag) => flag.startsWith("--role=")) ? [] : [`--role=${taskRoles.join(",")}`]),
        ...more,
      ];
      const child = stack.use(await startChild(command, { BENCH_DONE_URL: options.doneUrl, ...env(options.otlpUrl) }));
      const running = toRunning(stack.move(), child, [child.pid], "/v1/tasks");
      return { ...running, database: join(data.path, databaseFile) };
    },
  };
}

/** The variables that say what telemetry there is. */
export type Environment = (otlpUrl: string | undefined) => Record<string, string>;

const otlpOf: Environment = (otlpUrl) =>
  otlpUrl === undefined ? { OTEL_SDK_DISABLED: "true" } : { OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl };

export const throughline = throughlineWith("Throughline");

/** A server in a process of its own. */
export type Server = AsyncDisposable & { url: string; pid: number };

/** The broker that Throughline embeds, in a process of its own. */
export async function startEmbeddedBroker(): Promise<Server> {
  const child = await startChild([process.execPath, join(here, "broker.ts")]);
  return { ...child, url: `http://127.0.0.1:${child.port}` };
}

/** Where telemetry goes. */
export async function startOtlpSink(): Promise<Server> {
  const child = await startChild([process.execPath, join(here, "otlp-sink.ts")]);
  return { ...child, url: `http://127.0.0.1:${child.port}` };
}

/** `front` takes the tasks at `path`; `owned` is all that ends with it. */
export function toRunning(owned: AsyncDisposableStack, front: Child, pids: readonly number[], path: string): Running {
  const url = `http://127.0.0.1:${front.port}${path}`;
  return { url, pids, startMs: front.startMs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** One commit for each request: the least that a durable server without a trick does. */
export const commitPerRequest: Contestant = {
  name: "one commit per request",
  needs: [],
  canTrace: false,
  start: async () => {
    await using stack = new AsyncDisposableStack();
    const data = stack.use(await tempFolder());
    const database = join(data.path, "tasks.db");
    const child = stack.use(await startChild([process.execPath, join(here, "peers/commit-each.ts"), database]));
    return { ...toRunning(stack.move(), child, [child.pid], "/tasks"), database };
  },
};
