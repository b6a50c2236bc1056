/** The view System. */

import { Empty } from "../parts/empty.tsx";
import { PageHead } from "../parts/page-head.tsx";

export function System() {
  return (
    <>
      <PageHead title="System" />
      <Empty title="Not here yet">
        <a href="/tasks">The tasks</a> are.
      </Empty>
    </>
  );
}
