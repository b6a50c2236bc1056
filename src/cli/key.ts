/** `throughline key`: makes, lists and revokes the API keys of a file. A key is printed once; the file has its hash. */

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { KeyEntry, Scope } from "../access/api-key-file.ts";
import { readKeysPath } from "../config.ts";
import { listOf, oneOf, parseDuration } from "../settings/parsers.ts";
import { type Column, renderTable } from "../terminal/table.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { type AddCommand, withExamples } from "./flags.ts";

export const addKey: AddCommand = (program) => {
  const key = program.command("key").description("make, list and revoke the API keys of a gateway (--api-keys-file)");

  withExamples(
    key
      .command("create")
      .description("make a key: it is printed once, the file keeps its hash")
      .requiredOption("--id <name>", "what it is called in logs and traces")
      .requiredOption("--scope <list>", "what it may do: submit, read, operate")
      .option("--file <path>", "file to add it to; without one its entry is printed (THROUGHLINE_API_KEYS_FILE)")
      .option("--expires-in <duration>", "until it is refused (720h, 90d)")
      .option("--rate <rate>", "in place of --rate-limit (100/s, 6000/m)")
      .option("--distrust-trace-context", "start traces of its own, linked to the caller's"),
    ["throughline key create --id shop --scope submit,read --file keys.json", "a key for the shop"],
    ["throughline key create --id ops --scope submit,read,operate --expires-in 90d --file keys.json", "for 90 days"],
  ).action((flags: NewKeyFlags) => createKey(flags));

  withExamples(
    key
      .command("list")
      .description("the keys of a file")
      .option("--file <path>", "the file (THROUGHLINE_API_KEYS_FILE)")
      .option("--json", "as JSON"),
    ["throughline key list --file keys.json", "their names and scopes; the keys themselves are not in the file"],
  ).action((flags: ListFlags) => listKeys(flags));

  withExamples(
    key
      .command("revoke <id>")
      .description("take a key out of a file; gateways refuse it within some seconds")
      .option("--file <path>", "the file (THROUGHLINE_API_KEYS_FILE)"),
    ["throughline key revoke shop --file keys.json", "the shop has lost it"],
  ).action((id: string, flags: KeyFlags) => revokeKey(id, flags));
};

interface KeyFlags {
  file?: string;
}

interface NewKeyFlags extends KeyFlags {
  id: string;
  scope: string;
  expiresIn?: string;
  rate?: string;
  distrustTraceContext?: boolean;
}

async function createKey(flags: NewKeyFlags): Promise<void> {
  const [{ hashApiKey, newApiKey }, { parseKeyFile, scopes, toFileText }] = await Promise.all([
    import("../access/api-keys.ts"),
    import("../access/api-key-file.ts"),
  ]);
  const path = readKeysPath(flags.file);
  const key = newApiKey();
  const entry = toEntry(flags, hashApiKey(key).toString("hex"), scopes);
  const before = path === undefined ? [] : ((await readKeys(path)) ?? []);
  if (before.some(({ id }) => id === entry.id)) {
    throw new TaskError("invalid_argument", `--id: "${entry.id}": there is a key of that name, revoke it first`);
  }
  const keys = [...before, entry];
  // The gateway parses it alike: what it would refuse is not written.
  parseKeyFile(toFileText(keys), path ?? "the new key");
  if (path === undefined) {
    process.stderr.write(`Its entry, for "keys" of a file:\n${JSON.stringify(entry)}\n`);
  } else {
    await writeKeys(path, keys);
    process.stderr.write(`Added to ${path}. `);
  }
  process.stderr.write(`This is the key "${entry.id}". It is shown this once:\n`);
  process.stdout.write(`${key}\n`);
}

function toEntry(
  { id, scope, expiresIn, rate, distrustTraceContext }: NewKeyFlags,
  sha256: string,
  known: readonly Scope[],
): KeyEntry {
  const nowMs = Date.now();
  return {
    id,
    sha256,
    scopes: [...new Set(parseFlag("--scope", scope, listOf(oneOf(...known))))],
    created_at: new Date(nowMs).toISOString(),
    ...(expiresIn !== undefined && {
      expires_at: new Date(nowMs + parseFlag("--expires-in", expiresIn, parseDuration)).toISOString(),
    }),
    ...(rate !== undefined && { rate }),
    ...(distrustTraceContext && { trust_trace_context: false }),
  };
}

function parseFlag<T>(flag: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TaskError("invalid_argument", `${flag}: "${text}": ${why}`);
  }
}

interface ListFlags extends KeyFlags {
  json?: boolean;
}

/** The hashes are left out. */
async function listKeys(flags: ListFlags): Promise<void> {
  const path = keysPath(flags);
  const keys = await readKeys(path);
  if (!keys) throw new TaskError("not_found", `there is no file "${path}"; throughline key create makes it`);
  const shown = keys.map(({ sha256: _, ...entry }) => entry);
  const lines = flags.json ? [JSON.stringify(shown)] : renderTable(columns, shown, { width: undefined, color: false });
  process.stdout.write(`${lines.join("\n")}\n`);
}

const columns: readonly Column<Omit<KeyEntry, "sha256">>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "SCOPES", cell: ({ scopes }) => scopes.join(",") },
  {
    title: "EXPIRES",
    cell: ({ expires_at: at }) =>
      `${at ?? "never"}${at !== undefined && Date.parse(at) <= Date.now() ? " (over)" : ""}`,
  },
  { title: "RATE", cell: ({ rate }) => rate ?? "-" },
];

/** Without its entry a key opens nothing. */
async function revokeKey(id: string, flags: KeyFlags): Promise<void> {
  const path = keysPath(flags);
  const keys = (await readKeys(path)) ?? [];
  const left = keys.filter((key) => key.id !== id);
  if (left.length === keys.length) {
    throw new TaskError("not_found", `there is no key "${id}" in "${path}"; throughline key list shows which are`);
  }
  await writeKeys(path, left);
  process.stderr.write(`Revoked. Running gateways refuse the key "${id}" within some seconds.\n`);
}

/** The flag's file, or the setting's; throws when there is neither. */
function keysPath({ file }: KeyFlags): string {
  const path = readKeysPath(file);
  if (path === undefined) {
    throw new TaskError("invalid_argument", "which file? Give --file PATH, or set THROUGHLINE_API_KEYS_FILE");
  }
  return path;
}

/** undefined: there is no such file. */
async function readKeys(path: string): Promise<KeyEntry[] | undefined> {
  const { readEntries } = await import("../access/api-key-file.ts");
  try {
    return readEntries(await readFile(path, "utf8"), path);
  } catch (error) {
    if (error instanceof TaskError) throw error;
    if (toFailure(error).type === "ENOENT") return undefined;
    throw cannot("read", path, error);
  }
}

/** Readable by its owner alone; in one step, so that a gateway never reads half of it. */
async function writeKeys(path: string, keys: readonly KeyEntry[]): Promise<void> {
  const { toFileText } = await import("../access/api-key-file.ts");
  const beside = `${path}.${process.pid}`;
  try {
    await writeFile(beside, toFileText(keys), { mode: 0o600, flag: "wx" });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw cannot("write", path, error);
  }
}

function cannot(what: string, path: string, cause: unknown): TaskError {
  return new TaskError("unavailable", `could not ${what} "${path}": ${toFailure(cause).message}`, { cause });
}
