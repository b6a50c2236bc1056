/** The view Tasks. */

import { Empty } from "../parts/empty.tsx";
import { PageHead } from "../parts/page-head.tsx";

export function Tasks() {
  return (
    <>
      <PageHead title="Tasks" />
      <Empty title="Not here yet">
        <a href="/tasks">The tasks</a> are.
      </Empty>
    </>
  );
}
