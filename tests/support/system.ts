/**
 * The whole system in the test's own process: every role in its real thread, the embedded store and broker, free ports,
 * a data folder of its own.
 */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readConfig, type SettingName, taskRoles } from "../../src/config.ts";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { type System, startSystem } from "../../src/supervisor.ts";
import { holdToDocument } from "./openapi.ts";
import { tempFolder } from "./temp-folder.ts";

/** A setting by its field name, as the text that its flag would have. */
export type TestFlags = Partial<Record<SettingName, string>>;

/** A task as the HTTP API shows it. */
export interface HttpTask {
  id: string;
  type: string;
  status: string;
  payload: unknown;
  result: unknown;
  error: { type: string; message: string } | null;
  attempt: number;
  max_attempts: number;
  correlation_id: string;
  trace_id: string;
  metadata: Record<string, string>;
  created_at: string;
  run_at: string;
  started_at: string | null;
  ended_at: string | null;
  progress: number | null;
  attempts: HttpAttempt[];
}

interface HttpAttempt {
  number: number;
  started_at: string;
  ended_at: string | null;
  outcome: string | null;
  error: { type: string; message: string } | null;
  trace_id: string;
  worker: string | null;
}

export interface TestSystem extends AsyncDisposable {
  system: System;
  /** Of the gateway. */
  url: string;
  adminUrl: string;
  dataDir: string;
  /** Every log line so far, parsed. */
  lines: LogLine[];
  /** `POST /v1/tasks`; an object is sent as JSON. */
  submit(body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Submits and gives the accepted task; throws unless the answer is 202. */
  accept(body: unknown, headers?: Record<string, string>): Promise<HttpTask>;
  /** The task; with `wait` (`20s`) once it has ended. */
  task(id: string, wait?: string): Promise<HttpTask>;
  /** Asks the store's file itself; a statement that reads. */
  rows(sql: string): Record<string, unknown>[];
  /** Changes the store's file itself, as another process could. */
  write(sql: string): void;
}

export interface LogLine {
  msg: string;
  service: string;
  [field: string]: unknown;
}

const quiet: TestFlags = {
  // A test of the console asks for it; the others need not pay for it.
  role: taskRoles.join(","),
  gatewayListen: "127.0.0.1:0",
  taskServiceListen: "127.0.0.1:0",
  adminListen: "127.0.0.1:0",
  consoleListen: "127.0.0.1:0",
  otlpListen: "127.0.0.1:0",
  handlers: "",
  threads: "2",
};

/** A thread posts what it logs in one turn as one text. */
function parseLines(text: string): LogLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Starts on a fresh data folder, unless `flags` name one; the end removes only its own. `env`: the whole environment. */
export async function startTestSystem(flags: TestFlags = {}, env: Record<string, string> = {}): Promise<TestSystem> {
  const folder = flags.dataDir === undefined ? await tempFolder() : undefined;
  const dataDir = flags.dataDir ?? folder?.path ?? "";
  const lines: LogLine[] = [];
  const grpc = flags.rpc === "grpc" ? { grpcListen: "127.0.0.1:0" } : {};
  const { config } = readConfig({ ...quiet, ...grpc, ...flags, dataDir }, env);
  const system = await startSystem(config, (text) => lines.push(...parseLines(text)));
  const { gateway_url: url = "", admin_url: adminUrl = "" } = system.addresses;
  if (url !== "") holdToDocument(url);

  const submit: TestSystem["submit"] = (body, headers = {}) =>
    fetch(`${url}/v1/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });

  return {
    system,
    url,
    adminUrl,
    dataDir,
    lines,
    submit,
    accept: async (body, headers) => {
      const answer = await submit(body, headers);
      if (answer.status !== 202) throw new Error(`not accepted: ${answer.status} ${await answer.text()}`);
      return answer.json();
    },
    task: async (id, wait) => {
      const answer = await fetch(`${url}/v1/tasks/${id}${wait === undefined ? "" : `?wait=${wait}`}`);
      if (answer.status !== 200) throw new Error(`no task: ${answer.status} ${await answer.text()}`);
      return answer.json();
    },
    rows: (sql) => {
      const db = new DatabaseSync(join(dataDir, databaseFile), { readOnly: true });
      try {
        return db.prepare(sql).all();
      } finally {
        db.close();
      }
    },
    write: (sql) => {
      const db = new DatabaseSync(join(dataDir, databaseFile));
      try {
        db.exec(`PRAGMA busy_timeout = 5000; ${sql}`);
      } finally {
        db.close();
      }
    },
    [Symbol.asyncDispose]: async () => {
      const drained = system.drain();
      system.abort();
      await drained;
      await folder?.[Symbol.asyncDispose]();
    },
  };
}
