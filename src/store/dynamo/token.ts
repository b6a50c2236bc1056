/** Names one call, so that its repetition, by the SDK or by its caller, finds its own change. */

let last = 0;
const process = crypto.randomUUID().slice(0, 13);

/** Not a secret: it has to differ from those of all other calls on the same item. */
export function newToken(): string {
  last += 1;
  return `${process}.${last.toString(36)}`;
}

const known = new WeakMap<object, string>();

/** The same for the same request: who repeats one because it had no answer asks for no second change. */
export function tokenOf(request: object): string {
  const token = known.get(request) ?? newToken();
  known.set(request, token);
  return token;
}
