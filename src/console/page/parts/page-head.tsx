/** The head of a view: what it is, and what can be done on it. */

import type { ComponentChildren } from "preact";

export function PageHead({ title, children }: { title: ComponentChildren; children?: ComponentChildren }) {
  return (
    <header class="page-head">
      <h1>{title}</h1>
      {children !== undefined && <div class="actions">{children}</div>}
    </header>
  );
}
