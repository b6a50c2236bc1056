/** The file of API keys: JSON, one entry for each key, in the order in which they were made. Nothing in it opens a door. */

import { z } from "zod";
import { type Rate, rate } from "../settings/parsers.ts";
import { TaskError } from "../words/errors.ts";
import { toPointer } from "../words/json-text.ts";

/** What a caller may do: hand in tasks; look at anything; change what others have handed in. */
export const scopes = ["submit", "read", "operate"] as const;
export type Scope = (typeof scopes)[number];

/** A file with more is a mistake. */
const maxKeys = 1000;

/** Names that are safe in a log, a span and a shell. */
const keyIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const parsedRate = z.string().transform((text, context): Rate => {
  try {
    return rate(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

const keyEntry = z.strictObject({
  id: z.string().regex(keyIdPattern, "expected 1 to 64 letters, digits or . _ -"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits in small letters"),
  scopes: z.array(z.enum(scopes)).min(1),
  created_at: z.iso.datetime({ offset: true }).optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
  /** In place of `--rate-limit`. */
  rate: parsedRate.optional(),
  /** In place of `--trust-trace-context`. */
  trust_trace_context: z.boolean().optional(),
});

const keyFile = z.strictObject({ keys: z.array(keyEntry).max(maxKeys, `expected at most ${maxKeys} keys`) });

/** An entry as it stands in the file. */
export type KeyEntry = z.input<typeof keyEntry>;
/** The same, with its rate as numbers. */
export type ParsedKeyEntry = z.output<typeof keyEntry>;

/** Throws `invalid_argument` with a line for each problem; `path` is where the text was read. */
export function parseKeyFile(text: string, path: string): ParsedKeyEntry[] {
  const parsed = keyFile.safeParse(parseJson(text, path));
  if (!parsed.success) {
    throw refusal(
      path,
      parsed.error.issues.map((issue) => `${toPointer(issue.path) || "/"}: ${issue.message}`),
    );
  }
  const { keys } = parsed.data;
  const problems = [...twice(keys, "id"), ...twice(keys, "sha256")];
  if (problems.length > 0) throw refusal(path, problems);
  return keys;
}

/** The entries of a text that `parseKeyFile` takes, as they stand there. */
export function readEntries(text: string, path: string): KeyEntry[] {
  parseKeyFile(text, path);
  const { keys }: { keys: KeyEntry[] } = JSON.parse(text);
  return keys;
}

export function toFileText(keys: readonly KeyEntry[]): string {
  return `${JSON.stringify({ keys }, null, 2)}\n`;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words would quote the file.
    throw refusal(path, ["it is not JSON"]);
  }
}

function twice(keys: readonly ParsedKeyEntry[], field: "id" | "sha256"): string[] {
  const seen = new Set<string>();
  return keys.flatMap((key, index) => {
    if (!seen.has(key[field])) {
      seen.add(key[field]);
      return [];
    }
    return [`/keys/${index}/${field}: the same as that of another key`];
  });
}

function refusal(path: string, problems: readonly string[]): TaskError {
  const lines = problems.map((problem) => `the API keys of "${path}": ${problem}`);
  return new TaskError("invalid_argument", lines.join("\n"));
}
