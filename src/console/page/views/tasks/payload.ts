/** A payload as somebody writes it. Pure. */

/** What the gateway takes of a whole body (docs/operations.md). */
const maxBytes = 256 * 1024;

export type ReadPayload =
  | { value: unknown; bytes: number; problem?: undefined }
  | { problem: string; value?: undefined; bytes?: undefined };

/** An empty text is no payload: `undefined`. */
export function readPayload(text: string): ReadPayload {
  if (text.trim() === "") return { value: undefined, bytes: 0 };
  try {
    const value: unknown = JSON.parse(text);
    const bytes = new TextEncoder().encode(JSON.stringify(value)).byteLength;
    if (bytes > maxBytes) return { problem: `${bytes} bytes are more than the ${maxBytes} that a task may have` };
    return { value, bytes };
  } catch (error) {
    return { problem: `No JSON: ${error instanceof Error ? whereOf(error.message, text) : String(error)}` };
  }
}

/** The engine's words, with a line in place of a position. */
function whereOf(message: string, text: string): string {
  const at = /at position (\d+)/.exec(message)?.[1];
  if (at === undefined) return message;
  const before = text.slice(0, Number(at)).split("\n");
  const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return `${message.replace(/,? (in JSON )?at position .*$/s, "")}, ${place}`;
}
