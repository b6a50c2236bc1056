/** The view Overview. */

import { Empty } from "../parts/empty.tsx";
import { PageHead } from "../parts/page-head.tsx";

export function Overview() {
  return (
    <>
      <PageHead title="Overview" />
      <Empty title="Not here yet">
        <a href="/tasks">The tasks</a> are.
      </Empty>
    </>
  );
}
