/**
 * `throughline complete -- task su`: what may stand in place of the last word, for the shells' scripts. Commands, flags
 * and fixed values come from the declarations; ids and task types from the system that is asked, if it answers at once.
 */

import type { Argument, Complete } from "@bomb.sh/tab";
import tab from "@bomb.sh/tab/commander";
import { Command } from "commander";
import { relativeTime } from "../../terminal/times.ts";
import type { DeadLetterAnswer, PageAnswer, ScheduleAnswer, TaskAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { ruleOf } from "../schedule/schedule-facts.ts";

/** Nobody waits longer for a tab. */
const askLimitMs = 500;

type Known = ReturnType<typeof tab>;

/** Prints a line for each, and one that tells the shell how to go on. */
export async function completeWords(program: Command, words: readonly string[]): Promise<void> {
  const declared = new Command(program.name());
  // The library declares a command of this name itself.
  for (const command of program.commands) if (command.name() !== "completion") declared.addCommand(command);
  const known = tab(declared, { completionCommandName: "completion" });
  const asked = words[0] === "help" && words.length > 1 ? words.slice(1) : words;
  await addAnswers(known, asked);
  known.parse([...asked]);
}

interface Suggestion {
  value: string;
  description: string;
}

/** Whatever goes wrong, there is nothing to suggest: a shell has no place for the reason. */
async function addAnswers(known: Known, words: readonly string[]): Promise<void> {
  const [group, command] = words;
  if (words.length < 3) return;
  if (group === "schedule" && command !== "create") {
    const found = await schedules().catch(() => []);
    suggest(known.commands.get(`${group} ${command}`)?.arguments.get("id"), found);
    return;
  }
  if (group !== "task" && group !== "dlq" && group !== "schedule") return;
  const tasks = await newestTasks(group).catch(() => []);
  const types = [...new Set(tasks.map(({ type }) => type))].map((value) => ({ value, description: "" }));
  const ids = tasks.map((task) => ({ value: task.id, description: describe(task) }));
  for (const { options } of known.commands.values()) suggest(options.get("type"), types);
  const { arguments: places } = known.commands.get(`${group} ${command}`) ?? { arguments: new Map<string, Argument>() };
  suggest(places.get("type"), types);
  if (command !== "redrives") suggest(places.get("id"), ids);
}

/** An argument or a flag's value: what suggests it is called with a function that takes each suggestion. */
interface Place {
  handler?: unknown;
}

function suggest(place: Place | undefined, suggestions: readonly Suggestion[]): void {
  if (!place) return;
  place.handler = (complete: Complete) => {
    for (const { value, description } of suggestions) complete(value, description);
  };
}

async function schedules(): Promise<Suggestion[]> {
  const call = { query: { limit: "50" }, signal: AbortSignal.timeout(askLimitMs) };
  const { body } = await connectApi().call<PageAnswer<ScheduleAnswer>>("GET", "/schedules", call);
  return body.items.map((schedule) => ({ value: schedule.id, description: ruleOf(schedule) }));
}

async function newestTasks(group: "task" | "dlq" | "schedule"): Promise<TaskAnswer[]> {
  const api = connectApi();
  const call = { query: { limit: "50" }, signal: AbortSignal.timeout(askLimitMs) };
  if (group !== "dlq") return (await api.call<PageAnswer<TaskAnswer>>("GET", "/tasks", call)).body.items;
  const { body } = await api.call<PageAnswer<DeadLetterAnswer>>("GET", "/dead-letters", call);
  return body.items.map(({ task }) => task);
}

function describe({ type, status, created_at: createdAt }: TaskAnswer): string {
  return `${type} ${status} ${relativeTime(createdAt, Date.now())}`;
}
