/**
 * What goes to another thread within one turn of the event loop, as one message. Text crosses between threads at a third of
 * what objects cost there, and one message at a tenth of ten.
 */

interface LineBatch {
  /** A line with its line break. */
  write(line: string): void;
  /** Posts what waits. */
  flush(): void;
}

/** How lines begin that need not leave at once. */
const ordinary = ["info", "debug", "trace"].map((level) => `{"level":"${level}"`);

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
      if (!ordinary.some((start) => line.startsWith(start))) flush();
    },
    flush,
  };
}

/** Longer texts of these members go beside the JSON text, which would have every character of them written and parsed. */
const longTextChars = 128;

/** The JSON of several messages, and the long texts in it, each of which stands there as its index. */
export type Batch = [json: string, ...texts: string[]];

/** Gives what takes the messages; `post` gets the batch. */
export function createBatchedPost<M>(post: (batch: Batch) => void): (message: M) => void {
  let messages: M[] = [];
  const flush = (): void => {
    const posted = messages;
    messages = [];
    post(toBatch(posted));
  };
  return (message) => {
    messages.push(message);
    // Microtasks would not do: they run behind each callback, of which a batch has many.
    if (messages.length === 1) setImmediate(flush);
  };
}

function toBatch(messages: readonly unknown[]): Batch {
  const found: { parent: object; name: string; text: string }[] = [];
  eachText(messages, (parent, name, value) => {
    if (typeof value === "string" && value.length > longTextChars) found.push({ parent, name, text: value });
  });
  for (const [index, { parent, name }] of found.entries()) Reflect.set(parent, name, index + 1);
  const json = JSON.stringify(messages);
  // The messages stay their senders'.
  for (const { parent, name, text } of found) Reflect.set(parent, name, text);
  return [json, ...found.map(({ text }) => text)];
}

/** The messages of a batch, in their order. The caller names their type: both are one program. */
export function readBatch<M>(batch: Batch): M[] {
  const messages: M[] = JSON.parse(batch[0]);
  if (batch.length === 1) return messages;
  eachText(messages, (parent, name, value) => {
    if (typeof value === "number") Reflect.set(parent, name, batch[value]);
  });
  return messages;
}

/** Visits each `payload` and each `result` in `value` that is no object itself. Makes no list of what else there is. */
function eachText(value: object, visit: (parent: object, name: string, member: unknown) => void): void {
  for (const name in value) {
    const member: unknown = Reflect.get(value, name);
    if (typeof member === "object" && member !== null) eachText(member, visit);
    else if (name === "payload" || name === "result") visit(value, name, member);
  }
}
