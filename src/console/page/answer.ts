/** What a view shows of the API: asked for, and while the page is live asked for again. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, apiKey, ask } from "./api.ts";
import { isLive } from "./live.ts";

export interface Answered<Answer> {
  /** The newest; where `isKept`, that of the question before until this one's is there. */
  data: Answer | undefined;
  problem: ApiProblem | undefined;
  /** Nothing has come for this question yet. */
  isWaiting: boolean;
  /** Asks now. */
  again(): void;
}

export interface AnswerOptions {
  /** How long after each answer it is asked for again; 0: never. */
  everyMs?: number;
  /** The answer to another question stays until this one's is there. */
  isKept?: boolean;
}

const usualEveryMs = 2000;

/** Asks for `path` below `/v1`; undefined asks nothing. */
export function useAnswer<Answer>(path: string | undefined, options: AnswerOptions = {}): Answered<Answer> {
  return useLoaded(path, (signal) => ask<Answer>(path ?? "", signal), options);
}

/**
 * The same of what takes several questions: `load` is called anew whenever `question` changes, and again and again, but
 * not while the page is paused or nobody sees it. Rejections that are no `ApiProblem` are told as one.
 */
export function useLoaded<Answer>(
  question: string | undefined,
  load: (signal: AbortSignal) => Promise<Answer>,
  { everyMs = usualEveryMs, isKept = true }: AnswerOptions = {},
): Answered<Answer> {
  const [state, setState] = useState<{ question?: string; data?: Answer; problem?: ApiProblem | undefined }>({});
  const [round, setRound] = useState(0);
  const newest = useRef(load);
  newest.current = load;
  const repeats = isLive.value && everyMs > 0;
  const key = apiKey.value;

  useEffect(() => {
    if (question === undefined) return;
    const over = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isFirst = true;
    const next = async (): Promise<void> => {
      if (isFirst || document.visibilityState === "visible") {
        const answer = await settle(newest.current(over.signal));
        if (over.signal.aborted) return;
        setState((before) => ({ ...before, problem: undefined, ...answer, question }));
        if ("problem" in answer && isFinal(answer.problem)) return;
      }
      isFirst = false;
      if (repeats) timer = setTimeout(() => void next(), everyMs);
    };
    void next();
    return () => {
      over.abort();
      clearTimeout(timer);
    };
  }, [question, repeats, everyMs, round, key]);

  const isOwn = state.question === question;
  return {
    data: isOwn || isKept ? state.data : undefined,
    problem: isOwn ? state.problem : undefined,
    isWaiting: question !== undefined && !isOwn,
    again: () => setRound((count) => count + 1),
  };
}

/** Asked again in the same words it would be the same; of too much at once it would not. */
function isFinal({ status }: ApiProblem): boolean {
  return status >= 400 && status < 500 && status !== 429;
}

async function settle<Answer>(asked: Promise<Answer>): Promise<{ data: Answer } | { problem: ApiProblem }> {
  try {
    return { data: await asked };
  } catch (thrown) {
    return { problem: thrown instanceof ApiProblem ? thrown : new ApiProblem(0, { detail: String(thrown) }) };
  }
}
