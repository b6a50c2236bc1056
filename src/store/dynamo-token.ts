/** Names one call, so that its repetition by the SDK finds its own change. */

let last = 0;
const process = crypto.randomUUID().slice(0, 13);

/** Not a secret: it has to differ from those of all other calls on the same item. */
export function newToken(): string {
  last += 1;
  return `${process}.${last.toString(36)}`;
}
