/**
 * `throughline dlq redrive` brings dead tasks back, `dlq redrives` shows how far that is and pauses or cancels it. A
 * redrive goes on in the system when its command ends.
 */

import { type Command, Option } from "commander";
import { ConfigError } from "../config.ts";
import { type FormFlags, printResult, talkScreen } from "../terminal/screen.ts";
import { styles } from "../terminal/style.ts";
import { type Canvas, type Fact, renderFacts } from "../terminal/table.ts";
import { whenText } from "../terminal/times.ts";
import { taskReasons } from "../words/task.ts";
import type { RedriveAnswer } from "./api-answers.ts";
import { deadLettersPath, redrivePath } from "./api-calls.ts";
import { type ApiAnswer, type ApiClient, connectApi } from "./api-client.ts";
import { exitCodes, repeatUntilStopped } from "./exit.ts";
import { type ApiFlags, type End, momentText, rate, toMoment, withApi, withExamples } from "./flags.ts";

/** Of the examples. */
const id = "01a1fdf4-cd76-7699-a1ab-314869020050";

/** The flags that select dead letters. */
export function withSelection(command: Command): Command {
  return command
    .option("--type <type>", "only tasks of this type")
    .option("--error <type>", "only those whose last error is of this type, such as TimeoutError")
    .option("--group <group>", "only those of this group, as `dlq groups` names it")
    .addOption(new Option("--cause <cause>", "only those that died of this").choices(taskReasons))
    .option("--since <time>", "only those that died since then: a time, or how long ago, such as 1h", momentText);
}

export interface SelectionFlags {
  type?: string;
  /** The type of the last error. */
  error?: string;
  group?: string;
  /** Why it died. */
  cause?: string;
  /** A time, or how long ago. */
  since?: string;
}

/** The API's filter; an undefined member selects all. */
export function toFilter({ type, error, group, cause, since }: SelectionFlags): Record<string, string | undefined> {
  return { type, error, group, reason: cause, since: since === undefined ? undefined : toMoment(since) };
}

export function addRedrive(dlq: Command, end: End): void {
  const command = withSelection(
    dlq
      .command("redrive")
      .description("bring dead tasks back: they begin again at attempt 1, in a new trace linked to the old")
      .argument("[id...]", "the tasks' ids; else a filter, or --all"),
  )
    .option("--all", "every dead letter there is")
    .option("--rate <number>", "how many a second; else as fast as it goes", rate)
    .option("--dry-run", "say how many fit, and change nothing")
    .option("--force", "also those that have come back dead from three redrives")
    .option("--reason <text>", "shown in the task's history")
    .option("--wait", "until it is over; exit code 1 unless all of them came back")
    .option("-q, --quiet", "the redrive's id alone")
    .action(async (ids: string[], flags: RedriveFlags) => end(await redrive(ids, flags)));
  withExamples(
    withApi(command),
    [`throughline dlq redrive ${id}`, "one of them"],
    ["throughline dlq redrive --type send-email --error TimeoutError --dry-run", "how many would that be?"],
    ["throughline dlq redrive --all --rate 50 --wait", "all of them, not all at once"],
  );
}

interface RedriveFlags extends ApiFlags, SelectionFlags {
  all?: boolean;
  rate?: number;
  dryRun?: boolean;
  force?: boolean;
  reason?: string;
  wait?: boolean;
  quiet?: boolean;
}

async function redrive(ids: readonly string[], flags: RedriveFlags): Promise<number> {
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

/** Throws `ConfigError` unless exactly one of the three is given: no selection does not mean all. */
function toSelection(ids: readonly string[], flags: RedriveFlags): { ids: readonly string[] } | { filter: object } {
  const filter = toFilter(flags);
  const hasFilter = Object.values(filter).some((value) => value !== undefined);
  const given = [ids.length > 0, hasFilter, flags.all ?? false].filter((isGiven) => isGiven).length;
  if (given === 1) return ids.length > 0 ? { ids } : { filter };
  const which = "expected ids, or a filter (--type, --error, --group, --cause, --since), or --all";
  throw new ConfigError([given === 0 ? `which dead letters? ${which}` : `${which}, not several of these`]);
}

export function addRedrives(dlq: Command, end: End): void {
  const command = dlq
    .command("redrives")
    .description("how far a redrive is; pause it, let it go on, end it")
    .argument("<id>", "the redrive's id")
    .addArgument(dlq.createArgument("[command]", "what to do with it").choices(["pause", "resume", "cancel"]))
    .option("--wait", "until it is over; exit code 1 unless all of them came back")
    .action(async (redriveId: string, what: string | undefined, flags: RedrivesFlags) =>
      end(await lookAtRedrive(redriveId, what, flags)),
    );
  withExamples(
    withApi(command),
    [`throughline dlq redrives ${id}`, "how far it is"],
    [`throughline dlq redrives ${id} pause`, "stop it for now"],
  );
}

interface RedrivesFlags extends ApiFlags {
  wait?: boolean;
}

/** `command`: `pause`, `resume`, `cancel`. */
async function lookAtRedrive(id: string, command: string | undefined, flags: RedrivesFlags): Promise<number> {
  const api = connectApi(flags.url);
  const path = redrivePath(id);
  const answer =
    command === undefined
      ? await api.call<RedriveAnswer>("GET", path)
      : await api.call<RedriveAnswer>("POST", `${path}/${command}`);
  if (flags.wait) return followRedrive(api, id, flags);
  showRedrive(answer, flags);
  return exitCodes.done;
}

const everyMs = 250;

/** Gives the exit code: 0 when all that fitted has come back. */
async function followRedrive(api: ApiClient, id: string, flags: FormFlags): Promise<number> {
  const { startProgress } = await import("../terminal/progress.ts");
  let newest: ApiAnswer<RedriveAnswer> | undefined;
  {
    using progress = startProgress();
    await repeatUntilStopped(everyMs, async (signal) => {
      newest = await api.call<RedriveAnswer>("GET", redrivePath(id), { signal });
      const { moved, failed, matched, status } = newest.body;
      progress.show(moved + failed, matched, status === "running" ? "" : status);
      return isOver(newest.body);
    });
  }
  if (newest) showRedrive(newest, flags);
  if (newest && isOver(newest.body)) {
    return newest.body.status === "completed" && newest.body.failed === 0 ? exitCodes.done : exitCodes.failed;
  }
  talkScreen().print(`throughline: it goes on: \`throughline dlq redrives ${id}\` shows how far it is`);
  return exitCodes.failed;
}

function showRedrive({ body, text }: ApiAnswer<RedriveAnswer>, flags: FormFlags): void {
  printResult(flags, {
    json: text,
    ids: body.id === null ? [] : [body.id],
    forPeople: ({ canvas }) => renderRedrive(body, canvas, Date.now()),
  });
}

function renderRedrive(redrive: RedriveAnswer, canvas: Canvas, nowMs: number): string[] {
  const facts: Fact[] = [
    ["redrive", redrive.id, styles.bold],
    ["status", redrive.status, styleOf(redrive)],
    ["matched", String(redrive.matched)],
    ["moved", String(redrive.moved)],
    ["left", redrive.failed === 0 ? null : `${redrive.failed}: ${leftBecause}`, styles.yellow],
    ["rate", redrive.rate_per_second === null ? null : `${redrive.rate_per_second} a second`],
    ["reason", redrive.reason],
    ["created", redrive.created_at && whenText(redrive.created_at, canvas, nowMs)],
    ["ended", redrive.ended_at && whenText(redrive.ended_at, canvas, nowMs)],
  ];
  return renderFacts(facts, canvas);
}

const leftBecause = "gone by then, or back dead from three redrives (--force takes those too)";

function styleOf({ status, failed }: RedriveAnswer): string | undefined {
  if (status === "completed") return failed === 0 ? styles.green : styles.yellow;
  return status === "running" ? styles.cyan : styles.yellow;
}

/** What a dry run says. */
function dryRunText({ matched, failed }: RedriveAnswer): string {
  if (matched === 0) return "no dead letter fits";
  const left = failed === 0 ? "" : `; ${failed} of them would be left: ${leftBecause}`;
  return `${matched} ${matched === 1 ? "dead letter fits" : "dead letters fit"}${left}. Nothing was changed.`;
}

/** It goes on by itself until then. */
function isOver({ status }: RedriveAnswer): boolean {
  return status === "completed" || status === "canceled";
}
