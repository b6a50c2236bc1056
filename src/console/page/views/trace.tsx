/** One trace. */

import { Empty } from "../parts/empty.tsx";
import { PageHead } from "../parts/page-head.tsx";
import type { ViewProps } from "../views.ts";

export function TracePage({ id }: ViewProps) {
  return (
    <>
      <PageHead title="Trace" />
      <Empty title="Not here yet">
        For now <code>throughline trace {id}</code> shows it in a terminal.
      </Empty>
    </>
  );
}
