/** Every change of a task's state, the oldest first. */

import { Status } from "../../parts/status.tsx";
import { ClockTime, Duration } from "../../parts/time.tsx";
import type { TimelineEntry } from "../../task.tsx";

export function Timeline({ entries }: { entries: readonly TimelineEntry[] }) {
  return (
    <section class="card">
      <h2>Timeline</h2>
      <ol class="timeline">
        {entries.map((entry) => (
          <li key={`${entry.at} ${entry.to} ${entry.attempt}`}>
            <ClockTime at={entry.at} />
            <Status status={entry.to} />
            <span class="quiet small">
              {entry.service}
              {entry.from && (
                <>
                  {", after "}
                  <Duration ms={entry.duration_ms} /> {entry.from}
                </>
              )}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
