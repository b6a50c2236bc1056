/** A redrive with what has become of its tasks: asked for often while that changes, and seldom afterwards. */

import { useState } from "preact/hooks";
import { type Answered, useAnswer } from "../../answer.ts";
import { hasEnded, type Redrive, underwayOf } from "../../dead-letter.ts";

const underwayEveryMs = 1500;
const overEveryMs = 20_000;

export function useRedrive(id: string): Answered<Redrive> & { isOver: boolean } {
  const [isOver, setOver] = useState(false);
  const everyMs = isOver ? overEveryMs : underwayEveryMs;
  const answered = useAnswer<Redrive>(`/dead-letters/redrives/${encodeURIComponent(id)}?outcome=true`, { everyMs });
  const { data } = answered;
  const isOverNow = data !== undefined && hasEnded(data) && underwayOf(data) === 0;
  if (data && isOverNow !== isOver) setOver(isOverNow);
  return { ...answered, isOver: isOverNow };
}
