import type { AddCommand } from "../commands.ts";
import { withExamples } from "../flags.ts";
import type { KeyFlags, NewKeyFlags } from "../key/key-file.ts";

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
  ).action(async (flags: NewKeyFlags) => {
    const { createKey } = await import("../key/create.ts");
    await createKey(flags);
  });

  withExamples(
    key
      .command("list")
      .description("the keys of a file")
      .option("--file <path>", "the file (THROUGHLINE_API_KEYS_FILE)")
      .option("--json", "as JSON"),
    ["throughline key list --file keys.json", "their names and scopes; nobody can print the keys"],
  ).action(async (flags: KeyFlags & { json?: boolean }) => {
    const { listKeys } = await import("../key/list.ts");
    await listKeys(flags);
  });

  withExamples(
    key
      .command("revoke <id>")
      .description("take a key out of a file; gateways refuse it within some seconds")
      .option("--file <path>", "the file (THROUGHLINE_API_KEYS_FILE)"),
    ["throughline key revoke shop --file keys.json", "the shop has lost it"],
  ).action(async (id: string, flags: KeyFlags) => {
    const { revokeKey } = await import("../key/revoke.ts");
    await revokeKey(id, flags);
  });
};
