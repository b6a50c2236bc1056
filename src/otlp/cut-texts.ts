/** Texts of a size that nobody reads are cut, so that one span or log record does not take the room of thousands. Pure. */

/** Bytes, or characters of JSON, from which texts are cut. */
export const roomySize = 128 * 1024;
/** Characters that are left of each. */
const cutTextChars = 4096;
/** What is larger even then (thousands of events) is not kept. */
const maxChars = 512 * 1024;

/** undefined: it is too large. */
export function cutTexts<Item extends object>(item: Item): Item | undefined {
  if (JSON.stringify(item).length <= roomySize) return item;
  const cut = JSON.stringify(item, (_, value) => (typeof value === "string" ? cutText(value, cutTextChars) : value));
  return cut.length <= maxChars ? JSON.parse(cut) : undefined;
}

/** Ends in an ellipsis when it was cut. */
export function cutText(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength).toWellFormed()}…`;
}
