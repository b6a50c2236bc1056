/** How far a redrive is, and what has become of the tasks that it moved: a bar of what was matched. */

import type { Redrive } from "../../dead-letter.ts";
import { outcomeText } from "../../dead-letter.ts";

export function ProgressBar({ redrive }: { redrive: Redrive }) {
  const { matched, moved, failed, outcome } = redrive;
  if (matched === 0) return <span class="way" />;
  // What is followed stands for all that was moved.
  const scale = outcome && outcome.followed > 0 ? moved / outcome.followed : 0;
  const parts = [
    { tone: "way-good", count: (outcome?.succeeded ?? 0) * scale },
    { tone: "way-bad", count: (outcome?.dead ?? 0) * scale },
    { tone: "way-over", count: ((outcome?.canceled ?? 0) + (outcome?.discarded ?? 0)) * scale },
  ];
  const ended = parts.reduce((sum, { count }) => sum + count, 0);
  const all = [...parts, { tone: "way-run", count: Math.max(0, moved - ended) }, { tone: "way-over", count: failed }];
  return (
    <span
      class="way"
      role="img"
      aria-label={`${moved} of ${matched} moved${outcome ? `; ${outcomeText(redrive)}` : ""}`}
    >
      {all.map(({ tone, count }, index) => (
        <i key={`${tone}${index}`} class={tone} style={{ width: `${(count / matched) * 100}%` }} />
      ))}
    </span>
  );
}
