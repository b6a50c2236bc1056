/** What every view has: its head, the notice of an empty view, and the problem of a failed request. */

import type { ComponentChildren } from "preact";
import type { ApiProblem } from "../api.ts";

export function Problem({ problem, again }: { problem: ApiProblem; again?: () => void }) {
  return (
    <div class="problem" role="alert">
      <p>
        <b>{problem.status === 0 ? "No answer" : `${problem.status} ${problem.code}`}</b> {problem.message}
      </p>
      {problem.errors.length > 0 && (
        <ul>
          {problem.errors.map(({ pointer, detail }) => (
            <li key={pointer}>
              <code>{pointer || "/"}</code> {detail}
            </li>
          ))}
        </ul>
      )}
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Shown in place of an empty list: why it is empty, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

/** The head of a view: what it is, and what can be done on it. */
export function PageHead({ title, children }: { title: ComponentChildren; children?: ComponentChildren }) {
  return (
    <header class="page-head">
      <h1>{title}</h1>
      {children !== undefined && <div class="actions">{children}</div>}
    </header>
  );
}
