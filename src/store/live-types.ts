/** Which task types have tasks that wait for an attempt, seen from outside of a running system: for `throughline doctor`. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { Config } from "../config.ts";
import { openStore } from "./open-store.ts";
import { openReadOnly } from "./sqlite/preview.ts";
import { databaseFile } from "./sqlite/sql.ts";

const waitingStatuses = ["scheduled", "queued", "retrying"] as const;
/** Types that are looked for on DynamoDB, each with a query for each of these states. */
const maxAsked = 50;

/** Those that `isOfInterest`. Changes nothing; rejects when the store cannot be asked. */
export async function findLiveTypes(config: Config, isOfInterest: (type: string) => boolean): Promise<string[]> {
  const types = config.store === "sqlite" ? liveInFile(config) : await liveInTable(config, isOfInterest);
  return types.filter(isOfInterest).sort();
}

function liveInFile({ dataDir, table }: Config): string[] {
  const path = join(dataDir, databaseFile);
  if (!existsSync(path)) return [];
  const db = openReadOnly(path);
  try {
    const statuses = waitingStatuses.map((status) => `'${status}'`).join(", ");
    const rows = db.prepare(`SELECT DISTINCT type FROM ${table} WHERE status IN (${statuses})`).all();
    return rows.map(({ type }) => String(type));
  } finally {
    db.close();
  }
}

async function liveInTable(config: Config, isOfInterest: (type: string) => boolean): Promise<string[]> {
  const { store, close } = await openStore(config, { port: undefined, tracer: trace.getTracer("doctor") });
  try {
    const types = (await store.listTypes(ROOT_CONTEXT)).map(({ type }) => type).filter(isOfInterest);
    const live = types.slice(0, maxAsked).map(async (type) => {
      const asked = waitingStatuses.map((status) => store.listTasks({ type, status }, 1, null, ROOT_CONTEXT));
      return (await Promise.all(asked)).some(({ tasks }) => tasks.length > 0) ? [type] : [];
    });
    return (await Promise.all(live)).flat();
  } finally {
    close();
  }
}
