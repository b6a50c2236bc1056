/** `throughline dlq redrive`: brings dead tasks back, those that are named or all that fit. */

import { ConfigError } from "../../config.ts";
import { printResult, talkScreen } from "../../terminal/screen.ts";
import type { RedriveAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { followRedrive, showRedrive } from "./follow.ts";
import { deadLettersPath } from "./path.ts";
import { dryRunText } from "./redrive-text.ts";
import { type SelectionFlags, toFilter } from "./selection.ts";

export interface RedriveFlags extends ApiFlags, SelectionFlags {
  all?: boolean;
  rate?: number;
  dryRun?: boolean;
  force?: boolean;
  reason?: string;
  wait?: boolean;
  quiet?: boolean;
}

export async function redrive(ids: readonly string[], flags: RedriveFlags): Promise<number> {
  const selection = toSelection(ids, flags);
  const api = connectApi(flags.url);
  const { rate, dryRun, force, reason } = flags;
  const body = { ...selection, rate_per_second: rate, dry_run: dryRun, force, reason };
  const ordered = await api.call<RedriveAnswer>("POST", `${deadLettersPath}/redrive`, { body });
  const { id } = ordered.body;
  if (id === null) {
    printResult(flags, { json: ordered.text, ids: [], forPeople: () => [dryRunText(ordered.body)] });
    return exitCodes.done;
  }
  if (flags.wait) return followRedrive(api, id, flags);
  showRedrive(ordered, flags);
  talkScreen().suggest(flags, `throughline dlq redrives ${id} --wait`);
  return exitCodes.done;
}

/** Throws `ConfigError` unless it is said, once, what is meant: nobody means all by saying nothing. */
function toSelection(ids: readonly string[], flags: RedriveFlags): { ids: readonly string[] } | { filter: object } {
  const filter = toFilter(flags);
  const hasFilter = Object.values(filter).some((value) => value !== undefined);
  const said = [ids.length > 0, hasFilter, flags.all ?? false].filter((isSaid) => isSaid).length;
  if (said === 1) return ids.length > 0 ? { ids } : { filter };
  const which = "expected ids, or a filter (--type, --error, --group, --cause, --since), or --all";
  throw new ConfigError([said === 0 ? `which dead letters? ${which}` : `${which}, not several of these`]);
}
