/** The view Dead letters. */

import { Empty } from "../parts/empty.tsx";
import { PageHead } from "../parts/page-head.tsx";

export function DeadLetters() {
  return (
    <>
      <PageHead title="Dead letters" />
      <Empty title="Not here yet">
        <a href="/tasks">The tasks</a> are.
      </Empty>
    </>
  );
}
