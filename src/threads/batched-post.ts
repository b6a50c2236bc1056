/**
 * What goes to another thread within one turn of the event loop, as one text. Text crosses between threads at a third of what
 * objects cost there, and one message at a tenth of ten.
 */

interface LineBatch {
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

/** Gives what takes the messages; `post` gets the text. */
export function createBatchedPost<M>(post: (text: string) => void): (message: M) => void {
  let batch: M[] = [];
  const flush = (): void => {
    const messages = batch;
    batch = [];
    post(JSON.stringify(messages));
  };
  return (message) => {
    batch.push(message);
    // Microtasks would not do: they run behind each callback, of which a batch has many.
    if (batch.length === 1) setImmediate(flush);
  };
}

/** The messages of a text that `createBatchedPost` made, in their order. The caller names their type: both are one program. */
export function readBatch<M>(text: string): M[] {
  return JSON.parse(text) as M[];
}
