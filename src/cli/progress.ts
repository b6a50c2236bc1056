/** How far long work is: a bar on a terminal, nothing elsewhere. */

import { formatDuration } from "../terminal/duration-text.ts";
import { talkScreen } from "../terminal/screen.ts";
import { styles } from "../terminal/style.ts";
import { type Live, startLive } from "./live.ts";

export interface Progress extends Disposable {
  /** `note`: what there is to say beside the figures. */
  show(done: number, total: number, note?: string): void;
}

const barCells = 24;

export function startProgress(): Progress {
  const { isTerminal, paint } = talkScreen();
  if (!isTerminal) return { show: () => {}, [Symbol.dispose]: () => {} };
  const live: Live = startLive(process.stderr);
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
