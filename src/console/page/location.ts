/**
 * Where the page is: the path, and the query, which holds every filter so that an address can be shared and stored. Links
 * are plain `<a href>`: clicks on those that lead to the page itself are followed without loading it again.
 */

import { signal } from "@preact/signals";

export interface Place {
  path: string;
  query: URLSearchParams;
}

function read(): Place {
  return { path: window.location.pathname, query: new URLSearchParams(window.location.search) };
}

/** Changes whenever the address does. */
export const here = signal<Place>(read());

/** `isSame`: replaces the entry in the history, as while a filter is typed. */
export function go(to: string, { isSame = false }: { isSame?: boolean } = {}): void {
  if (isSame) window.history.replaceState(null, "", to);
  else {
    window.history.pushState(null, "", to);
    window.scrollTo(0, 0);
  }
  here.value = read();
}

/** The address of `path` with these in its query; what is undefined or empty is left out. */
export function addressOf(path: string, query: Record<string, string | undefined> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) params.set(name, value);
  const text = params.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** The address of this place with some of its query changed; undefined takes one away. */
export function changedQuery(changes: Record<string, string | undefined>): string {
  const { path, query } = here.value;
  return addressOf(path, { ...Object.fromEntries(query), ...changes });
}

export function followLinks(): void {
  window.addEventListener("popstate", () => {
    here.value = read();
  });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || !isOwnClick(event, link)) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

/** A new tab, a download, another site: those are the browser's. */
function isOwnClick(event: MouseEvent, link: HTMLAnchorElement): boolean {
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const isOwn = link.origin === window.location.origin && !link.pathname.startsWith("/v1/");
  return isPlain && isOwn && link.target === "" && !link.hasAttribute("download") && !event.defaultPrevented;
}
