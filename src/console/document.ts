/** A span or a log record as it is kept: its JSON. Pure. Texts of a size that nobody reads are cut, so that a row stays a row. */

/** Characters of JSON from which texts are cut. */
const roomyChars = 128 * 1024;
/** Characters that are left of each. */
const cutTextChars = 4096;
/** What is larger even then (thousands of events) is not kept. */
const maxChars = 512 * 1024;

export interface Document<Item> {
  json: string;
  /** What `json` says. */
  item: Item;
}

/** undefined: it is too large. */
export function toDocument<Item extends object>(item: Item): Document<Item> | undefined {
  const json = JSON.stringify(item);
  if (json.length <= roomyChars) return { json, item };
  const cut = JSON.stringify(item, (_, value) => (typeof value === "string" ? cutText(value, cutTextChars) : value));
  return cut.length <= maxChars ? { json: cut, item: JSON.parse(cut) } : undefined;
}

/** Ends in an ellipsis when it was cut. */
export function cutText(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}
