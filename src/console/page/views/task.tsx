/** One task. */

import { Empty } from "../parts/empty.tsx";
import { PageHead } from "../parts/page-head.tsx";
import type { ViewProps } from "../views.ts";

export function TaskPage({ id }: ViewProps) {
  return (
    <>
      <PageHead title="Task" />
      <Empty title="Not here yet">
        For now <code>throughline task get {id}</code> shows it in a terminal.
      </Empty>
    </>
  );
}
