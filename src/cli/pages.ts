/** Lists of the API, read page by page until there is enough. */

import type { PageAnswer } from "./api-answers.ts";
import type { ApiClient } from "./api-client.ts";

/** The API's own bound. */
const largestPage = 100;

export interface ListQuery {
  path: string;
  /** Filters. */
  query: Record<string, string | undefined>;
  /** Most items. */
  limit: number;
  signal?: AbortSignal;
}

/** Up to `limit` items, and where more begin. */
export async function readPages<Item>(
  api: ApiClient,
  { path, query, limit, signal }: ListQuery,
): Promise<PageAnswer<Item>> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const size = Math.min(largestPage, limit - items.length);
    const page: { body: PageAnswer<Item> } = await api.call<PageAnswer<Item>>("GET", path, {
      query: { ...query, limit: String(size), ...(cursor !== null && { cursor }) },
      ...(signal && { signal }),
    });
    items.push(...page.body.items);
    cursor = page.body.next_cursor;
  } while (cursor !== null && items.length < limit);
  return { items, next_cursor: cursor };
}
