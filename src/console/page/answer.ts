/** An answer of the API as a view shows it: asked for, and while the page is live asked for again. */

import { useEffect, useState } from "preact/hooks";
import { ApiProblem, apiKey, ask } from "./api.ts";
import { isLive } from "./live.ts";

export interface Answered<Answer> {
  /** The newest; that of the question before, until this one's is there. */
  data: Answer | undefined;
  problem: ApiProblem | undefined;
  /** Nothing has come for this question yet. */
  isWaiting: boolean;
  /** Asks now. */
  again(): void;
}

const usualEveryMs = 2000;

/**
 * Asks for `path` below `/v1` (undefined: nothing), and again so long after each answer; 0 never. Not while the page is
 * paused or nobody sees it. `isKept`: the answer to another path stays until this one's is there.
 */
export function useAnswer<Answer>(
  path: string | undefined,
  { everyMs = usualEveryMs, isKept = true }: { everyMs?: number; isKept?: boolean } = {},
): Answered<Answer> {
  const [state, setState] = useState<{ path?: string; data?: Answer; problem?: ApiProblem | undefined }>({});
  const [round, setRound] = useState(0);
  const live = isLive.value;
  const key = apiKey.value;
  const repeats = live && everyMs > 0;

  useEffect(() => {
    if (path === undefined) return;
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = async (): Promise<void> => {
      if (document.visibilityState === "visible" || round === 0) {
        const answer = await look<Answer>(path, ended.signal);
        if (ended.signal.aborted || answer === undefined) return;
        setState((before) => ({ path, ...(before.data !== undefined && { data: before.data }), ...answer }));
      }
      if (repeats && !ended.signal.aborted) timer = setTimeout(() => void next(), everyMs);
    };
    void next();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [path, repeats, everyMs, round, key]);

  const isOwn = state.path === path;
  return {
    data: isOwn || isKept ? state.data : undefined,
    problem: isOwn ? state.problem : undefined,
    isWaiting: path !== undefined && !isOwn,
    again: () => setRound((count) => count + 1),
  };
}

/** undefined: nobody wants it any more. */
async function look<Answer>(
  path: string,
  signal: AbortSignal,
): Promise<{ data: Answer; problem: undefined } | { problem: ApiProblem } | undefined> {
  try {
    return { data: await ask<Answer>(path, signal), problem: undefined };
  } catch (thrown) {
    if (signal.aborted) return undefined;
    return { problem: thrown instanceof ApiProblem ? thrown : new ApiProblem(0, { detail: String(thrown) }) };
  }
}
