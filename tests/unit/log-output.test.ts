import { describe, expect, test } from "bun:test";
import { createLogOutput, type LogOutput } from "../../src/cli/log-output.ts";
import type { Stdout } from "../../src/host/stdout.ts";

/** A reader that takes what is written as the test lets it. */
function startReader() {
  let taken = "";
  let held: { text: string; done: PromiseWithResolvers<void> } | undefined;
  let mode: "reads" | "stalls" | Error = "reads";
  const stdout: Stdout = {
    write: (text) => {
      if (mode instanceof Error) return Promise.reject(mode);
      if (mode === "reads") {
        taken += text;
        return undefined;
      }
      held = { text, done: Promise.withResolvers() };
      return held.done.promise;
    },
  };
  return {
    stdout,
    lines: () => taken.split("\n").slice(0, -1),
    set: (next: typeof mode) => {
      mode = next;
      if (next !== "reads") return;
      taken += held?.text ?? "";
      held?.done.resolve();
      held = undefined;
    },
  };
}

interface Tested extends ReturnType<typeof startReader> {
  output: LogOutput;
  said: string[];
}

function open(): Tested {
  const reader = startReader();
  const said: string[] = [];
  const output = createLogOutput(reader.stdout, (sentence) => said.push(sentence));
  output.onFlow((dropped) => output.write(`dropped ${dropped}\n`));
  return { ...reader, output, said };
}

describe("log lines whose reader", () => {
  test("stalls wait in their order up to a limit; those dropped are counted, and told once they flow again", async () => {
    const { output, set, lines, said } = open();
    output.write("first\n");
    set("stalls");
    const long = (n: number): string => `${n} ${"x".repeat(1_000_000)}\n`;
    for (let n = 0; n < 20; n++) output.write(long(n));
    output.write("a\nb\n");
    const waited = lines();
    expect(waited).toEqual(["first"]);
    expect(output.droppedLines()).toBe(11);
    set("reads");
    await output.end(10_000);
    expect(lines().map((line) => line.slice(0, 10).trim())).toEqual([
      "first",
      ...Array.from({ length: 9 }, (_, n) => long(n).slice(0, 10)),
      "a",
      "b",
      "dropped 11",
    ]);
    expect(said).toEqual([expect.stringContaining("has stalled")]);
  });

  test("left, or whose disk is full, are dropped and counted, and that is said once", async () => {
    const { output, set, lines, said } = open();
    set(Object.assign(new Error("broken pipe"), { code: "EPIPE" }));
    output.write("a\nb\n");
    await output.end(10_000);
    output.write("c\n");
    await output.end(10_000);
    expect([output.droppedLines(), lines()]).toEqual([3, []]);
    expect(said).toEqual([expect.stringContaining("broken pipe")]);
  });

  test("has stalled hold up an end no longer than they may", async () => {
    const { output, set } = open();
    set("stalls");
    output.write("a\n");
    await output.end(10);
    set("reads");
    await output.end(10_000);
  });
});
