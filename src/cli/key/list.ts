/** `throughline key list`: who may do what. The hashes are left out: nobody needs them. */

import type { KeyEntry } from "../../access/api-key-file.ts";
import { TaskError } from "../../words/errors.ts";
import { type KeyFlags, keysPath, readKeys } from "./key-file.ts";

export async function listKeys(flags: KeyFlags & { json?: boolean }): Promise<void> {
  const path = keysPath(flags);
  const keys = await readKeys(path);
  if (!keys) throw new TaskError("not_found", `there is no file "${path}"; throughline key create makes it`);
  const shown = keys.map(({ sha256: _, ...entry }) => entry);
  process.stdout.write(flags.json ? `${JSON.stringify(shown)}\n` : toTable(shown));
}

function toTable(keys: readonly Omit<KeyEntry, "sha256">[]): string {
  const rows = [["ID", "SCOPES", "EXPIRES", "RATE"], ...keys.map(toRow)];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function toRow({ id, scopes, expires_at: expiresAt, rate }: Omit<KeyEntry, "sha256">): string[] {
  const isOver = expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
  return [id, scopes.join(","), `${expiresAt ?? "never"}${isOver ? " (over)" : ""}`, rate ?? "-"];
}
