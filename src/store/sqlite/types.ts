/** Task types on SQLite, as workers register them. */

import type { TaskType } from "../../words/task.ts";
import type { SqliteTable } from "./tasks.ts";

export function typeSql(table: string) {
  return {
    registerType: `INSERT INTO ${table}_types (type, max_attempts, timeout_ms, isolation, payload_schema) VALUES (?, ?, ?, ?, ?) ON CONFLICT (type) DO UPDATE SET max_attempts = excluded.max_attempts, timeout_ms = excluded.timeout_ms, isolation = excluded.isolation, payload_schema = excluded.payload_schema`,
    types: `SELECT * FROM ${table}_types ORDER BY type`,
  };
}

interface TypeRow {
  type: string;
  max_attempts: number | null;
  timeout_ms: number | null;
  isolation: string;
  payload_schema: string | null;
}

export function createTypeOperations({ db, name }: SqliteTable) {
  const sql = typeSql(name);

  const registerTypes = (types: readonly TaskType[]): void => {
    for (const { type, maxAttempts, timeoutMs, isolation, payloadSchema } of types) {
      db.run(sql.registerType, type, maxAttempts, timeoutMs, isolation, payloadSchema);
    }
  };

  const listTypes = (): TaskType[] =>
    db
      .all<TypeRow>(sql.types)
      .map(({ type, max_attempts: maxAttempts, timeout_ms: timeoutMs, isolation, payload_schema: payloadSchema }) => ({
        type,
        maxAttempts,
        timeoutMs,
        isolation: isolation === "exclusive" ? "exclusive" : "shared",
        payloadSchema,
      }));

  return { registerTypes, listTypes };
}
