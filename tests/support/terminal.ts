/** A command in a terminal of its own, and what a person sees there: real escape sequences, read by a real emulator. */

import { Terminal } from "@xterm/headless";
import { startGuard } from "../parts/launch.ts";
import { tempFolder } from "./temp-folder.ts";

export interface TerminalOptions {
  /** Cells of a line; 80. */
  cols?: number;
  /** 24. */
  rows?: number;
  env?: Record<string, string>;
}

export interface TerminalCommand extends AsyncDisposable {
  /** The lines on the screen and above it, without the empty ones at the end. */
  screen(): string[];
  /** All that was written so far, escape sequences included. */
  written(): string;
  /** As typed: `\x03` is Ctrl-C. */
  type(keys: string): void;
  resize(cols: number, rows: number): void;
  exited: Promise<number>;
}

/** Variables that would change what it does. */
const ownVariable = /^(THROUGHLINE|OTEL|AWS|NO_COLOR|FORCE_COLOR|CI)/;

export async function startInTerminal(
  command: readonly string[],
  { cols = 80, rows = 24, env = {} }: TerminalOptions = {},
): Promise<TerminalCommand> {
  await using cleanup = new AsyncDisposableStack();
  const folder = cleanup.use(await tempFolder());
  const emulator = new Terminal({ cols, rows, allowProposedApi: true, scrollback: 1000 });
  const decoder = new TextDecoder();
  let written = "";
  const inherited = Object.entries(process.env).filter(([name]) => !ownVariable.test(name));
  const child = Bun.spawn([...command], {
    cwd: folder.path,
    env: { ...Object.fromEntries(inherited), TERM: "xterm-256color", ...env },
    terminal: {
      cols,
      rows,
      data: (_, bytes) => {
        const text = decoder.decode(bytes, { stream: true });
        written += text;
        emulator.write(text);
      },
    },
  });
  // Programs ask a terminal what it is and where its cursor stands, and some wait for the answer.
  emulator.onData((answer) => void child.terminal?.write(answer));
  const guard = startGuard(child.pid);
  cleanup.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
    guard.kill("SIGKILL");
    await guard.exited;
    child.terminal?.close();
    emulator.dispose();
  });
  const owned = cleanup.move();
  return {
    screen: () => screenOf(emulator),
    written: () => written,
    type: (keys) => void child.terminal?.write(keys),
    resize: (newCols, newRows) => {
      child.terminal?.resize(newCols, newRows);
      emulator.resize(newCols, newRows);
    },
    exited: child.exited,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function screenOf({ buffer: { active } }: Terminal): string[] {
  const lines = Array.from({ length: active.length }, (_, row) => active.getLine(row)?.translateToString(true) ?? "");
  return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
}
