/** The view Traces. */

import { Empty } from "../parts/empty.tsx";
import { PageHead } from "../parts/page-head.tsx";

export function Traces() {
  return (
    <>
      <PageHead title="Traces" />
      <Empty title="Not here yet">
        <a href="/tasks">The tasks</a> are.
      </Empty>
    </>
  );
}
