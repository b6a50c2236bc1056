/** Cancels tasks, a few at a time, and says what became of it. */

import { ApiProblem, send } from "./api.ts";
import { tell } from "./parts/notices.tsx";

const atOnce = 4;

/** Never rejects: what could not be done is told. */
export async function cancelTasks(ids: readonly string[]): Promise<void> {
  const waiting = [...ids];
  const problems: ApiProblem[] = [];
  let ended = 0;
  const work = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      try {
        await send(`/tasks/${id}/cancel`, undefined);
      } catch (thrown) {
        if (!(thrown instanceof ApiProblem)) throw thrown;
        if (thrown.code === "conflict") ended += 1;
        else problems.push(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const [first] = problems;
  if (first) tell(`${problems.length} could not be canceled: ${first.message}`, "bad");
  const canceled = ids.length - ended - problems.length;
  if (canceled > 0) tell(canceled === 1 ? "The task is canceled." : `${canceled} tasks are canceled.`);
  if (ended > 0) tell(ended === 1 ? "The task had ended before." : `${ended} had ended before.`);
}
