/** The redrives that were ordered here, with how far each is and what has become of its tasks. */

import { outcomeText } from "../../dead-letter.ts";
import { forgetRedrive, knownRedrives } from "../../known-redrives.ts";
import { Icon } from "../../parts/icon.tsx";
import { Time } from "../../parts/time.tsx";
import { ProgressBar } from "./progress-bar.tsx";
import { useRedrive } from "./use-redrive.ts";

export function RecentRedrives() {
  const ids = knownRedrives.value;
  if (ids.length === 0) return null;
  return (
    <section class="recent">
      <h2>Redrives ordered here</h2>
      <ul>
        {ids.map((id) => (
          <Row key={id} id={id} />
        ))}
      </ul>
    </section>
  );
}

function Row({ id }: { id: string }) {
  const { data: order, problem, isOver } = useRedrive(id);
  const forget = (
    <button type="button" class="icon-button" aria-label="Take it off this list" onClick={() => forgetRedrive(id)}>
      <Icon name="close" />
    </button>
  );
  if (problem) {
    return (
      <li class="redrive-row">
        <span class="quiet">{problem.message}</span>
        {forget}
      </li>
    );
  }
  if (!order) return <li class="redrive-row" aria-busy="true" />;
  return (
    <li class="redrive-row">
      <a data-row href={`/dead-letters/redrives/${id}`}>
        {order.matched.toLocaleString("en")} {order.matched === 1 ? "task" : "tasks"}
        {order.reason ? `: ${order.reason}` : ""}
      </a>
      <ProgressBar redrive={order} />
      <span>{outcomeText(order) || order.status}</span>
      <span class="quiet">{isOver ? <Time at={order.ended_at} /> : order.status}</span>
      {forget}
    </li>
  );
}
