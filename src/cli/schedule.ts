/** `throughline schedule`: tasks that are made again and again. */

import { type Command, Option } from "commander";
import { ConfigError } from "../config.ts";
import { printList, printResult, talkScreen } from "../terminal/screen.ts";
import type { ScheduleAnswer, TaskAnswer } from "./api-answers.ts";
import { callEach, type EachFlags, readPages, schedulePath, schedulesPath, waitForEnd } from "./api-calls.ts";
import { connectApi } from "./api-client.ts";
import { exitCodes } from "./exit.ts";
import {
  type AddCommand,
  type ApiFlags,
  durationMs,
  durationText,
  type End,
  pair,
  payloadText,
  readPayload,
  timeText,
  wholeNumber,
  withApi,
  withExamples,
} from "./flags.ts";
import { renderSchedules, showSchedule } from "./print/schedule.ts";
import { endOf, showTask } from "./print/task.ts";

export const addSchedule: AddCommand = (program, end) => {
  const schedule = program.command("schedule").description("tasks that are made again and again");
  addCreate(schedule, end);
  addList(schedule, end);
  addShow(schedule, end);
  addUpdate(schedule, end);
  addControl(schedule, end, "pause", "let their ticks pass without a run");
  addControl(schedule, end, "resume", "let them go on, with their next tick");
  addTrigger(schedule, end);
  addDelete(schedule, end);
};

/** When it is due. */
function withTimes(command: Command): Command {
  return command
    .option("--cron <expression>", 'minute, hour, day, month, weekday, such as "0 3 * * MON-FRI"; or @daily')
    .option("--time-zone <name>", "of IANA, such as Europe/Berlin: whose clock --cron is about (UTC)")
    .addOption(
      new Option("--every <duration>", "in place of --cron: so often, such as 15m")
        .argParser(durationText)
        .conflicts(["cron", "timeZone"]),
    )
    .addOption(
      new Option("--overlap <policy>", "what a tick does while the run before goes on").choices([
        "skip",
        "buffer_one",
        "allow",
      ]),
    )
    .option("--catch-up <number>", "how many ticks that an outage cost are made up for (1)", wholeNumber(0, 100))
    .option("--start-at <time>", "no run before it", timeText)
    .option("--end-at <time>", "no run at it or after it", timeText);
}

interface TimeFlags extends ApiFlags {
  cron?: string;
  timeZone?: string;
  every?: string;
  overlap?: string;
  catchUp?: number;
  startAt?: string;
  endAt?: string;
  quiet?: boolean;
}

/** The flags as the API takes them. */
function toTimes(flags: TimeFlags): Record<string, unknown> {
  return {
    cron: flags.cron,
    time_zone: flags.timeZone,
    every: flags.every,
    overlap: flags.overlap,
    catch_up: flags.catchUp,
    start_at: flags.startAt,
    end_at: flags.endAt,
  };
}

function addCreate(schedule: Command, end: End): void {
  const command = withTimes(
    schedule
      .command("create")
      .description("have a task made by a cron expression, or every so often")
      .argument("<type>", "which handler runs it")
      .argument("[payload]", "JSON; or @file, or - for stdin", payloadText)
      .option("--id <id>", "its name; else one is made"),
  )
    .option("--paused", "without a run until it is resumed")
    .option("--timeout <duration>", "deadline of each attempt", durationText)
    .option("--max-attempts <number>", "how often each run is tried", wholeNumber(1, 100))
    .option("-m, --metadata <name=value>", "a text of your own for each run; may be given again", pair)
    .option("-q, --quiet", "the id alone")
    .action(async (type: string, payload: string | undefined, flags: CreateFlags) =>
      end(await createSchedule(type, payload, flags)),
    );
  withExamples(
    withApi(command),
    [
      "throughline schedule create echo '{\"report\":1}' --id nightly --cron '0 3 * * *' --time-zone Europe/Berlin",
      "at night",
    ],
    ["throughline schedule create echo --id sync --every 15m --overlap buffer_one", "every quarter of an hour"],
  );
}

interface CreateFlags extends TimeFlags {
  id?: string;
  paused?: boolean;
  timeout?: string;
  maxAttempts?: number;
  metadata?: Record<string, string>;
}

async function createSchedule(type: string, payload: string | undefined, flags: CreateFlags): Promise<number> {
  const { id, paused, timeout, maxAttempts, metadata } = flags;
  const task = {
    type,
    payload: payload === undefined ? undefined : readPayload(payload),
    timeout,
    max_attempts: maxAttempts,
    metadata,
  };
  const body = { id, ...toTimes(flags), paused, task };
  const made = await connectApi(flags.url).call<ScheduleAnswer>("POST", schedulesPath, { body });
  showSchedule(made, flags);
  talkScreen().suggest(flags, `throughline schedule show ${made.body.id}`);
  return exitCodes.done;
}

function addList(schedule: Command, end: End): void {
  const command = schedule
    .command("list")
    .description("schedules, in the order of their ids")
    .option("--limit <number>", "how many", wholeNumber(1, 1000), 100)
    .option("-q, --quiet", "the ids alone")
    .action(async (flags: ListFlags) => end(await listSchedules(flags)));
  withExamples(withApi(command), ["throughline schedule list", "all of them, with their next and last runs"]);
}

interface ListFlags extends ApiFlags {
  limit: number;
  quiet?: boolean;
}

async function listSchedules(flags: ListFlags): Promise<number> {
  const query = { path: schedulesPath, query: {}, limit: flags.limit };
  const page = await readPages<ScheduleAnswer>(connectApi(flags.url), query);
  printList(flags, page, {
    nothing: "there is no schedule",
    idOf: ({ id }) => id,
    forPeople: ({ canvas }) => renderSchedules(page.items, canvas, Date.now()),
  });
  return exitCodes.done;
}

function addShow(schedule: Command, end: End): void {
  const command = schedule
    .command("show")
    .description("one schedule: when it is due, its last run, the next ones")
    .argument("<id>", "its id")
    .action(async (id: string, flags: ApiFlags) => end(await getSchedule(id, flags)));
  withExamples(
    withApi(command),
    ["throughline schedule show nightly", "as it is now"],
    ["throughline schedule show nightly --json | jq -r '.next_runs[]'", "its next ticks"],
  );
}

async function getSchedule(id: string, flags: ApiFlags): Promise<number> {
  const shown = await connectApi(flags.url).call<ScheduleAnswer>("GET", schedulePath(id));
  showSchedule(shown, flags);
  const taskId = shown.body.last_run?.task_id;
  if (taskId !== undefined) talkScreen().suggest(flags, `throughline task get ${taskId}`);
  return exitCodes.done;
}

function addUpdate(schedule: Command, end: End): void {
  const command = withTimes(
    schedule.command("update").description("change when its runs are made").argument("<id>", "its id"),
  )
    .option("-q, --quiet", "the id alone")
    .action(async (id: string, flags: TimeFlags) => end(await updateSchedule(id, flags)));
  withExamples(withApi(command), ["throughline schedule update nightly --cron '30 3 * * *'", "half an hour later"]);
}

async function updateSchedule(id: string, flags: TimeFlags): Promise<number> {
  const body = toTimes(flags);
  if (Object.values(body).every((value) => value === undefined)) {
    throw new ConfigError([
      "what is to change? Give --cron, --time-zone, --every, --overlap, --catch-up, --start-at or --end-at",
    ]);
  }
  showSchedule(await connectApi(flags.url).call<ScheduleAnswer>("PATCH", schedulePath(id), { body }), flags);
  return exitCodes.done;
}

function addControl(schedule: Command, end: End, name: "pause" | "resume", does: string): void {
  const command = schedule
    .command(name)
    .description(does)
    .argument("<id...>", "their ids")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: EachFlags) => end(await controlSchedules(ids, name, flags)));
  withExamples(withApi(command), [`throughline schedule ${name} nightly`, "one of them"]);
}

function controlSchedules(ids: readonly string[], command: "pause" | "resume", flags: EachFlags): Promise<number> {
  const api = connectApi(flags.url);
  return callEach(
    ids,
    flags,
    (id) => api.call<ScheduleAnswer>("POST", `${schedulePath(id)}/${command}`),
    ({ id, paused, next_runs: [next] }) => `${id} ${paused ? "paused" : `goes on${next ? `, next at ${next}` : ""}`}`,
  );
}

function addTrigger(schedule: Command, end: End): void {
  const command = schedule
    .command("trigger")
    .description("make a run now, also of a paused one")
    .argument("<id>", "its id")
    .option("--wait", "until the run has ended; exit code 1 unless it succeeded")
    .option("--wait-limit <duration>", "for no longer than this; then exit code 1", durationMs)
    .option("-q, --quiet", "the task's id alone")
    .action(async (id: string, flags: TriggerFlags) => end(await triggerSchedule(id, flags)));
  withExamples(withApi(command), ["throughline schedule trigger nightly --wait", "run it, and see its result"]);
}

interface TriggerFlags extends EachFlags {
  wait?: boolean;
  /** Milliseconds. */
  waitLimit?: number;
}

async function triggerSchedule(id: string, flags: TriggerFlags): Promise<number> {
  const api = connectApi(flags.url);
  const { body: task, text } = await api.call<TaskAnswer>("POST", `${schedulePath(id)}/trigger`);
  if (flags.wait || flags.waitLimit !== undefined) {
    const ended = await waitForEnd(api, task.id, flags.waitLimit);
    showTask(ended, flags);
    return endOf(ended.body);
  }
  printResult(flags, { json: text, ids: [task.id], forPeople: () => [`${task.id} ${task.status}`] });
  talkScreen().suggest(flags, `throughline task get ${task.id} --wait`);
  return exitCodes.done;
}

function addDelete(schedule: Command, end: End): void {
  const command = schedule
    .command("delete")
    .description("delete schedules; their runs stay")
    .argument("<id...>", "their ids")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: EachFlags) => end(await deleteSchedules(ids, flags)));
  withExamples(withApi(command), ["throughline schedule delete nightly", "one of them"]);
}

/** The API answers a deletion with no content: `--json` prints each id. */
function deleteSchedules(ids: readonly string[], flags: EachFlags): Promise<number> {
  const api = connectApi(flags.url);
  return callEach(
    ids,
    flags,
    async (id) => {
      const gone = await api.call<null>("DELETE", schedulePath(id));
      return { ...gone, body: id, text: JSON.stringify({ id }) };
    },
    (id) => `${id} deleted`,
  );
}
