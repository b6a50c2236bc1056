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
  return new BoundedOutput(stdout, warnOnce);
}

class BoundedOutput implements LogOutput {
  readonly #stdout: Stdout;
  readonly #warnOnce: (sentence: string) => void;
  #waiting: string[] = [];
  #waitingLength = 0;
  #writing: Promise<void> | undefined;
  /** Of `performance.now()`, while writing does not work. */
  #retryAtMs = 0;
  #dropped = 0;
  #unreported = 0;
  #report: (lines: number) => void = () => {};

  constructor(stdout: Stdout, warnOnce: (sentence: string) => void) {
    this.#stdout = stdout;
    this.#warnOnce = warnOnce;
  }

  write(lines: string): void {
    if (lines === "") return;
    if (this.#retryAtMs > 0 && performance.now() < this.#retryAtMs) {
      this.#drop(lines, "stdout failed");
    } else if (this.#waitingLength + lines.length > maxWaiting) {
      this.#drop(lines, "the reader of stdout is too slow, or has stalled");
    } else if (this.#writing) {
      this.#waiting.push(lines);
      this.#waitingLength += lines.length;
    } else {
      // The write that failed may have left half a line.
      this.#start(this.#retryAtMs > 0 ? `\n${lines}` : lines);
    }
  }

  droppedLines(): number {
    return this.#dropped;
  }

  onFlow(report: (lines: number) => void): void {
    this.#report = report;
  }

  async end(limitMs: number): Promise<void> {
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, limitMs);
    const isLate = limit.promise.then(() => true);
    while (this.#writing) if (await Promise.race([isLate, this.#writing.then(() => false)])) break;
    clearTimeout(timer);
  }

  #start(text: string): void {
    const rest = this.#stdout.write(text);
    if (!rest) {
      this.#flowed();
      return;
    }
    const settled = rest.then(
      () => this.#flowed(),
      (error) => this.#failed(text, error),
    );
    this.#writing = settled.then(() => {
      this.#writing = undefined;
      while (!this.#writing && this.#waiting.length > 0) this.#start(this.#takePiece());
    });
  }

  #flowed(): void {
    this.#retryAtMs = 0;
    const lines = this.#unreported;
    if (lines === 0 || this.#waiting.length > 0) return;
    this.#unreported = 0;
    this.#report(lines);
  }

  #failed(text: string, error: unknown): void {
    this.#retryAtMs = performance.now() + retryMs;
    for (const lines of [text, ...this.#waiting.splice(0)])
      this.#drop(lines, `stdout cannot be written: ${String(error)}`);
    this.#waitingLength = 0;
  }

  #drop(lines: string, reason: string): void {
    if (this.#dropped === 0) this.#warnOnce(`log lines are dropped, the work goes on: ${reason}`);
    const count = lines.split("\n").length - 1;
    this.#dropped += count;
    this.#unreported += count;
  }

  #takePiece(): string {
    let piece = "";
    let taken = 0;
    while (taken < this.#waiting.length && piece.length < pieceLength) piece += this.#waiting[taken++];
    this.#waiting = this.#waiting.slice(taken);
    this.#waitingLength -= piece.length;
    return piece;
  }
}
