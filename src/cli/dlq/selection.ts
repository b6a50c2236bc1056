/** Which dead letters are meant, as flags and as the API's filter. */

export interface SelectionFlags {
  type?: string;
  /** The type of the last error. */
  error?: string;
  group?: string;
  /** Why it died. */
  cause?: string;
  /** Milliseconds. */
  since?: number;
}

/** What is undefined fits all. */
export function toFilter({ type, error, group, cause, since }: SelectionFlags): Record<string, string | undefined> {
  const diedAfter = since === undefined ? undefined : new Date(Date.now() - since).toISOString();
  return { type, error, group, reason: cause, since: diedAfter };
}
