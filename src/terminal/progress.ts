/** What is drawn again in its place on a terminal: any lines, or a bar of how far long work is. */

import { createLogUpdate } from "log-update";
import { talkScreen } from "./screen.ts";
import { styles } from "./style.ts";
import { formatDuration } from "./times.ts";

/** Only lines that have changed are written, in one go, so that nothing flickers. */
interface Live extends Disposable {
  draw(lines: readonly string[]): void;
}

/** What was drawn last stays; the cursor comes back, at a signal too. */
export function startLive(stream: NodeJS.WriteStream): Live {
  const update = createLogUpdate(stream);
  return {
    draw: (lines) => update(lines.join("\n")),
    [Symbol.dispose]: () => {
      update.done();
      // The terminal's echo of Ctrl-C, if there is one.
      stream.write("\r\x1b[K");
    },
  };
}

export interface Progress extends Disposable {
  /** `note` stands beside the figures. */
  show(done: number, total: number, note?: string): void;
}

const barCells = 24;

/** A bar on a terminal, nothing elsewhere. */
export function startProgress(): Progress {
  const { isTerminal, paint } = talkScreen();
  if (!isTerminal) return { show: () => {}, [Symbol.dispose]: () => {} };
  const live = startLive(process.stderr);
  const startedAt = performance.now();
  return {
    show: (done, total, note = "") => {
      const bar = renderBar(done, total);
      const figures = `${done} of ${total}${leftText(done, total, performance.now() - startedAt)}`;
      live.draw([`${paint(styles.green, bar.full)}${paint(styles.dim, bar.empty)}  ${figures}  ${note}`.trimEnd()]);
    },
    [Symbol.dispose]: () => live[Symbol.dispose](),
  };
}

/** `━━━━━━──────`; full of nothing. */
export function renderBar(done: number, total: number, cells: number = barCells): { full: string; empty: string } {
  const share = total === 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const full = Math.floor(share * cells);
  return { full: "━".repeat(full), empty: "─".repeat(cells - full) };
}

/** `, 3.2 s left`, once there is something to judge by. */
export function leftText(done: number, total: number, spentMs: number): string {
  if (done <= 0 || done >= total || spentMs < 1000) return "";
  return `, ${formatDuration((spentMs / done) * (total - done))} left`;
}
