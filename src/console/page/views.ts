/**
 * The views of the page. How to add a view:
 *
 * 1. Write its component in `views/`, with its style sheet in `styles/`, which `styles/page.css` imports. It gets `id`,
 *    the rest of its path. Ask the API by `useAnswer` (answer.ts), change things by `send` (api.ts).
 * 2. Name it here. Views with a `nav` are in the navigation, and have the key `g` and then `nav.key`.
 * 3. The server gives the page at paths that begin as its `path` does: src/console/page-files.ts has the list.
 *
 * Filters belong in the query (location.ts), rows of a list carry `data-row` for `j` and `k`, colours are the custom
 * properties of styles/tokens.css, an empty list is an `<Empty>` with what to do next, times are `<Time>`.
 */

import type { ComponentType } from "preact";
import type { IconName } from "./parts/icon.tsx";
import { DeadLetterPage } from "./views/dead-letter.tsx";
import { DeadLetters } from "./views/dead-letters.tsx";
import { Overview } from "./views/overview.tsx";
import { System } from "./views/system.tsx";
import { TaskPage } from "./views/task.tsx";
import { Tasks } from "./views/tasks.tsx";
import { TracePage } from "./views/trace.tsx";
import { Traces } from "./views/traces.tsx";

export interface View {
  /** `/tasks` is that path alone, `/tasks/` every path that begins so. */
  path: string;
  /** Of the window. */
  title: string;
  /** `id`: the rest of the path behind that of the view; may be empty. */
  component: ComponentType<{ id: string }>;
  nav?: { icon: IconName; key: string };
}

export const views: readonly View[] = [
  { path: "/", title: "Overview", component: Overview, nav: { icon: "overview", key: "o" } },
  { path: "/tasks", title: "Tasks", component: Tasks, nav: { icon: "tasks", key: "t" } },
  { path: "/tasks/", title: "Task", component: TaskPage },
  { path: "/traces", title: "Traces", component: Traces, nav: { icon: "traces", key: "r" } },
  { path: "/traces/", title: "Trace", component: TracePage },
  { path: "/dead-letters", title: "Dead letters", component: DeadLetters, nav: { icon: "dead", key: "d" } },
  { path: "/dead-letters/", title: "Dead letter", component: DeadLetterPage },
  { path: "/system", title: "System", component: System, nav: { icon: "system", key: "s" } },
];

/** Which view a path shows; undefined: none. */
export function viewOf(path: string): { view: View; id: string } | undefined {
  const trimmed = path === "/" ? path : path.replace(/\/+$/, "");
  const exact = views.find((view) => view.path === trimmed);
  if (exact) return { view: exact, id: "" };
  const view = views.find((each) => each.path !== "/" && each.path.endsWith("/") && trimmed.startsWith(each.path));
  return view && { view, id: decodeText(trimmed.slice(view.path.length)) };
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
