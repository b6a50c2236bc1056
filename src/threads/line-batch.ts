/**
 * Log lines on their way to the main thread, those of one turn of the event loop as one message: a message between
 * threads costs more than making a line. Lines that tell of trouble go at once, so that a thread's last words arrive.
 */

export interface LineBatch {
  /** A line with its line break. */
  write(line: string): void;
  /** Posts what waits. */
  flush(): void;
}

const isOrdinary = /^\{"level":"(trace|debug|info)"/;

/** `post` gets one line or several, each with its line break. */
export function createLineBatch(post: (lines: string) => void): LineBatch {
  let waiting = "";
  const flush = (): void => {
    if (waiting === "") return;
    const lines = waiting;
    waiting = "";
    post(lines);
  };
  return {
    write: (line) => {
      if (waiting === "") setImmediate(flush);
      waiting += line;
      if (!isOrdinary.test(line)) flush();
    },
    flush,
  };
}
