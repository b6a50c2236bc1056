/**
 * `throughline completion`: the script that a shell loads once, and the words that it asks for at each tab. Commands,
 * flags and fixed values come from the declarations; ids and task types from the running system, if it answers at once.
 */

import type { Argument, Complete } from "@bomb.sh/tab";
import type Tab from "@bomb.sh/tab/commander";
import { Command } from "commander";
import { relativeTime } from "../terminal/times.ts";
import type { DeadLetterAnswer, PageAnswer, ScheduleAnswer, TaskAnswer } from "./api-answers.ts";
import { deadLettersPath, schedulesPath, tasksPath } from "./api-calls.ts";
import { connectApi } from "./api-client.ts";
import { type AddCommand, withExamples } from "./flags.ts";
import { ruleOf } from "./print/schedule.ts";

const shells = ["bash", "zsh", "fish"] as const;

export const addCompletion: AddCommand = (program) => {
  const command = program
    .command("completion")
    .description("what makes a shell complete commands, flags and ids")
    .addArgument(program.createArgument("<shell>", "which one").choices(shells))
    .action(printScript);
  withExamples(
    command,
    ["source <(throughline completion bash)", "in ~/.bashrc"],
    ["source <(throughline completion zsh)", "in ~/.zshrc, after compinit"],
    ["throughline completion fish | source", "in ~/.config/fish/config.fish"],
  );
};

async function printScript(shell: (typeof shells)[number]): Promise<void> {
  if (shell === "bash") return void process.stdout.write(bashScript);
  const { script } = await import("@bomb.sh/tab");
  script(shell, "throughline", "throughline");
}

/**
 * The library's own needs the package bash-completion, cannot be loaded twice, and evaluates what was typed. Bash
 * splits words at `=`, which is undone here: `--status=su` is one word again.
 */
const bashScript = `# bash completion for throughline
__throughline_complete() {
    local words=() word line
    for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ \${#words[@]} -gt 0 && ( $word == = || \${words[\${#words[@]}-1]} == --*= ) ]]; then
            words[\${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    COMPREPLY=()
    # Each line is a completion, a tab and what it means; the last one says how to go on.
    while IFS= read -r line; do
        [[ $line == :* ]] || COMPREPLY+=("\${line%%$'\\t'*}")
    done < <(throughline complete -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F __throughline_complete throughline
`;

/** A user does not wait longer for a completion. */
const askLimitMs = 500;

type Known = ReturnType<typeof Tab>;

/**
 * `throughline complete -- task su`, for the scripts: prints a line for each word that may stand in place of the last one,
 * and a line that tells the shell how to go on.
 */
export async function completeWords(program: Command, words: readonly string[]): Promise<void> {
  const { default: tab } = await import("@bomb.sh/tab/commander");
  const declared = new Command(program.name());
  // The library declares a command of this name itself.
  for (const command of program.commands) if (command.name() !== "completion") declared.addCommand(command);
  const known = tab(declared, { completionCommandName: "completion" });
  const given = words[0] === "help" && words.length > 1 ? words.slice(1) : words;
  await addAnswers(known, given);
  known.parse([...given]);
}

interface Suggestion {
  value: string;
  description: string;
}

/** After any error there is nothing to suggest: a shell has no place for the reason. */
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
  const { body } = await connectApi().call<PageAnswer<ScheduleAnswer>>("GET", schedulesPath, call);
  return body.items.map((schedule) => ({ value: schedule.id, description: ruleOf(schedule) }));
}

async function newestTasks(group: "task" | "dlq" | "schedule"): Promise<TaskAnswer[]> {
  const api = connectApi();
  const call = { query: { limit: "50" }, signal: AbortSignal.timeout(askLimitMs) };
  if (group !== "dlq") return (await api.call<PageAnswer<TaskAnswer>>("GET", tasksPath, call)).body.items;
  const { body } = await api.call<PageAnswer<DeadLetterAnswer>>("GET", deadLettersPath, call);
  return body.items.map(({ task }) => task);
}

function describe({ type, status, created_at: createdAt }: TaskAnswer): string {
  return `${type} ${status} ${relativeTime(createdAt, Date.now())}`;
}
