import { type Command, Option } from "commander";
import type { AddCommand, End } from "../commands.ts";
import type { EachFlags } from "../each.ts";
import { type ApiFlags, withApi, withExamples } from "../flags.ts";
import type { CreateFlags } from "../schedule/create.ts";
import type { ListFlags } from "../schedule/list.ts";
import type { SaidFlags } from "../schedule/said.ts";
import type { TriggerFlags } from "../schedule/trigger.ts";
import { durationMs, durationText, pair, payloadText, timeText, wholeNumber } from "../values.ts";

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
    .action(async (type: string, payload: string | undefined, flags: CreateFlags) => {
      const { createSchedule } = await import("../schedule/create.ts");
      end(await createSchedule(type, payload, flags));
    });
  withExamples(
    withApi(command),
    [
      "throughline schedule create echo '{\"report\":1}' --id nightly --cron '0 3 * * *' --time-zone Europe/Berlin",
      "at night",
    ],
    ["throughline schedule create echo --id sync --every 15m --overlap buffer_one", "every quarter of an hour"],
  );
}

function addList(schedule: Command, end: End): void {
  const command = schedule
    .command("list")
    .description("schedules, in the order of their ids")
    .option("--limit <number>", "how many", wholeNumber(1, 1000), 100)
    .option("-q, --quiet", "the ids alone")
    .action(async (flags: ListFlags) => {
      const { listSchedules } = await import("../schedule/list.ts");
      end(await listSchedules(flags));
    });
  withExamples(withApi(command), ["throughline schedule list", "all of them, with their next and last runs"]);
}

function addShow(schedule: Command, end: End): void {
  const command = schedule
    .command("show")
    .description("one schedule: when it is due, its last run, the next ones")
    .argument("<id>", "its id")
    .action(async (id: string, flags: ApiFlags) => {
      const { getSchedule } = await import("../schedule/show.ts");
      end(await getSchedule(id, flags));
    });
  withExamples(
    withApi(command),
    ["throughline schedule show nightly", "as it is now"],
    ["throughline schedule show nightly --json | jq -r '.next_runs[]'", "its next ticks"],
  );
}

function addUpdate(schedule: Command, end: End): void {
  const command = withTimes(
    schedule.command("update").description("change when its runs are made").argument("<id>", "its id"),
  )
    .option("-q, --quiet", "the id alone")
    .action(async (id: string, flags: SaidFlags) => {
      const { updateSchedule } = await import("../schedule/update.ts");
      end(await updateSchedule(id, flags));
    });
  withExamples(withApi(command), ["throughline schedule update nightly --cron '30 3 * * *'", "half an hour later"]);
}

function addControl(schedule: Command, end: End, name: "pause" | "resume", does: string): void {
  const command = schedule
    .command(name)
    .description(does)
    .argument("<id...>", "their ids")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: EachFlags) => {
      const { controlSchedules } = await import("../schedule/control.ts");
      end(await controlSchedules(ids, name, flags));
    });
  withExamples(withApi(command), [`throughline schedule ${name} nightly`, "one of them"]);
}

function addTrigger(schedule: Command, end: End): void {
  const command = schedule
    .command("trigger")
    .description("make a run now, also of a paused one")
    .argument("<id>", "its id")
    .option("--wait", "until the run has ended; exit code 1 unless it succeeded")
    .option("--wait-limit <duration>", "for no longer than this; then exit code 1", durationMs)
    .option("-q, --quiet", "the task's id alone")
    .action(async (id: string, flags: TriggerFlags) => {
      const { triggerSchedule } = await import("../schedule/trigger.ts");
      end(await triggerSchedule(id, flags));
    });
  withExamples(withApi(command), ["throughline schedule trigger nightly --wait", "run it, and see its result"]);
}

function addDelete(schedule: Command, end: End): void {
  const command = schedule
    .command("delete")
    .description("delete schedules; their runs stay")
    .argument("<id...>", "their ids")
    .option("-q, --quiet", "the ids alone")
    .action(async (ids: string[], flags: EachFlags) => {
      const { deleteSchedules } = await import("../schedule/control.ts");
      end(await deleteSchedules(ids, flags));
    });
  withExamples(withApi(command), ["throughline schedule delete nightly", "one of them"]);
}
