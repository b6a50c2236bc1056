/**
 * Text that every protocol can carry. A JavaScript string may hold one half of a surrogate pair, which UTF-8, and so
 * protobuf and most readers of JSON, cannot: U+FFFD takes its place, as the Encoding standard (WHATWG) has it.
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
