/**
 * Texts and thrown values, made bounded and well-formed. JavaScript texts can hold one half of a surrogate pair, which UTF-8,
 * and so protobuf and most readers of JSON, cannot: U+FFFD takes its place, as the Encoding standard (WHATWG) has it.
 * A thrown value may be anything, each of its properties may be of any type, and reading one may throw: nothing here throws.
 */

/** Stands at the end of a text that was cut. */
const ellipsis = "…";

/** At most `maxLength` UTF-16 units, well-formed; a text that was longer ends in an ellipsis. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text.toWellFormed();
  const end = maxLength - ellipsis.length;
  // A pair at the cut goes as a whole.
  const isPairCut = isHighHalf(text.charCodeAt(end - 1)) && !isHighHalf(text.charCodeAt(end));
  return `${text.slice(0, isPairCut ? end - 1 : end).toWellFormed()}${ellipsis}`;
}

function isHighHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

const anyHalfEscape = /\\ud[89a-f]/i;
/** Every escape is matched as a whole, so that the text `\\ud800`, which is a backslash and letters, stays. */
const pairHalfOrOtherEscape = /\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(\\ud[89a-f][0-9a-f]{2})|\\./gi;

/** The same JSON text with U+FFFD in place of each half of a pair, be it escaped or not. */
export function toWellFormedJson(json: string): string {
  const text = json.toWellFormed();
  if (!anyHalfEscape.test(text)) return text;
  return text.replace(pairHalfOrOtherEscape, (found, half?: string) => (half === undefined ? found : "\\ufffd"));
}

/** `instanceof`; false for what does not let itself be asked, such as a revoked Proxy. */
export function isInstance<T>(value: unknown, type: new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** Also an error of another realm, as those of `node:vm` are. What its properties hold, `propertyOf` has to read. */
export function isError(value: unknown): value is Error {
  return isInstance(value, Error) || /^(\w*Error|DOMException)$/.test(tagOf(value));
}

export function propertyOf(value: object, name: PropertyKey): unknown {
  try {
    return Reflect.get(value, name);
  } catch {
    return undefined;
  }
}

/** `Map` of a Map; `Object` of most. */
export function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice("[object ".length, -1);
  } catch {
    return "Object";
  }
}

/** Any value as text of at most `maxLength` characters: a text as it is, an object as JSON. */
export function toText(value: unknown, maxLength: number): string {
  if (typeof value === "string") return cutText(value, maxLength);
  if (typeof value === "function") return `[object ${tagOf(value)}]`;
  if (typeof value !== "object" || value === null) return cutText(String(value), maxLength);
  try {
    const text = JSON.stringify(toSketch(value, { left: maxSketchedValues, maxLength }, maxSketchedDepth));
    return text === "{}" && tagOf(value) !== "Object" ? `[object ${tagOf(value)}]` : cutText(text, maxLength);
  } catch {
    return "[an object that cannot be read]";
  }
}

const maxSketchedValues = 200;
const maxSketchedDepth = 5;

/** A plain copy of what is at the top of a value, however large, deep or round the whole is. */
function toSketch(value: unknown, room: { left: number; maxLength: number }, depth: number): unknown {
  room.left -= 1;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "boolean" || value === null) return value;
  if (typeof value !== "object") return toText(value, room.maxLength);
  if (depth === 0 || room.left <= 0) return "…";
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if ("toJSON" in value && typeof value.toJSON === "function") return toSketch(value.toJSON() ?? null, room, depth - 1);
  if (isError(value)) return toText(propertyOf(value, "message"), room.maxLength);
  if (Array.isArray(value)) {
    return Array.from({ length: Math.min(value.length, room.left) }, (_, at) => toSketch(value[at], room, depth - 1));
  }
  const entries: [string, unknown][] = [];
  for (const name in value) {
    if (room.left <= 0) break;
    if (Object.hasOwn(value, name)) entries.push([name, toSketch(Reflect.get(value, name), room, depth - 1)]);
  }
  return Object.fromEntries(entries);
}
