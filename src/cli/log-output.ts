/**
 * Log lines on their way out of the process. Guarantees that memory stays bounded and the work goes on whatever happens
 * to the reader: when it stops reading, lines wait up to a limit, and later ones are dropped and counted; when it has
 * gone, or the disk is full, lines are dropped until writing works again.
 */

import type { Stdout } from "../host/stdout.ts";
import type { LineLosses, WriteLine } from "../telemetry/logs/log.ts";

export interface LogOutput extends LineLosses {
  write: WriteLine;
  /** Resolves once all is written, or after `limitMs`. */
  end(limitMs: number): Promise<void>;
}

/** Characters: some ten thousand lines, a burst that a reader catches up with. */
const maxWaiting = 8 * 1024 * 1024;
/** Of one write: waiting lines are written in pieces, so that no copy of all of them is made. */
const pieceLength = 256 * 1024;
/** After a failed write. */
const retryMs = 1000;

/** `warnOnce` gets a sentence for stderr when lines are dropped for the first time. */
export function createLogOutput(stdout: Stdout, warnOnce: (sentence: string) => void): LogOutput {
  let waiting: string[] = [];
  let waitingLength = 0;
  let writing: Promise<void> | undefined;
  /** Of `performance.now()`, while writing does not work. */
  let retryAtMs = 0;
  const dropped = { total: 0, unreported: 0 };
  let report: (lines: number) => void = () => {};

  const drop = (lines: string, reason: string): void => {
    if (dropped.total === 0) warnOnce(`log lines are dropped, the work goes on: ${reason}`);
    const count = lines.split("\n").length - 1;
    dropped.total += count;
    dropped.unreported += count;
  };

  const write = (lines: string): void => {
    if (lines === "") return;
    if (retryAtMs > 0 && performance.now() < retryAtMs) {
      drop(lines, "stdout failed");
    } else if (waitingLength + lines.length > maxWaiting) {
      drop(lines, "the reader of stdout is too slow, or has stalled");
    } else if (writing) {
      waiting.push(lines);
      waitingLength += lines.length;
    } else {
      // The write that failed may have left half a line.
      start(retryAtMs > 0 ? `\n${lines}` : lines);
    }
  };

  const start = (text: string): void => {
    const rest = stdout.write(text);
    if (!rest) {
      flowed();
      return;
    }
    const settled = rest.then(flowed, (error) => failed(text, error));
    writing = settled.then(() => {
      writing = undefined;
      while (!writing && waiting.length > 0) start(takePiece());
    });
  };

  const flowed = (): void => {
    retryAtMs = 0;
    const lines = dropped.unreported;
    if (lines === 0 || waiting.length > 0) return;
    dropped.unreported = 0;
    report(lines);
  };

  const failed = (text: string, error: unknown): void => {
    retryAtMs = performance.now() + retryMs;
    for (const lines of [text, ...waiting.splice(0)]) drop(lines, `stdout cannot be written: ${String(error)}`);
    waitingLength = 0;
  };

  const takePiece = (): string => {
    let piece = "";
    let taken = 0;
    while (taken < waiting.length && piece.length < pieceLength) piece += waiting[taken++];
    waiting = waiting.slice(taken);
    waitingLength -= piece.length;
    return piece;
  };

  return {
    write,
    droppedLines: () => dropped.total,
    onFlow: (next) => {
      report = next;
    },
    end: async (limitMs) => {
      const over = Promise.withResolvers<void>();
      const timer = setTimeout(over.resolve, limitMs);
      const isOver = over.promise.then(() => true);
      while (writing) if (await Promise.race([isOver, writing.then(() => false)])) break;
      clearTimeout(timer);
    },
  };
}
