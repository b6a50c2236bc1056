/**
 * Finds out whether a thread still yields: it is asked, and what does not answer within a second is blocked. Once
 * started it asks every second until it is stopped.
 */

/** From an answer to the next question. */
const restMs = 1000;
/** Waited for twice: when it is our own thread that was held up, the answer comes in before the second wait is over. */
const halfAnswerMs = 500;

export interface PulseEvents {
  /** Puts the question to the thread. */
  ask(): void;
  onAnswer(): void;
  /** No answer in time; nothing more is asked. */
  onSilence(): void;
}

export interface Pulse {
  /** Asks at once, unless it is asking already. */
  start(): void;
  /** To be called with each answer of the thread. */
  answered(): void;
  stop(): void;
}

export function createPulse({ ask, onAnswer, onSilence }: PulseEvents): Pulse {
  let state: "stopped" | "asked" | "resting" = "stopped";
  let timer: ReturnType<typeof setTimeout> | undefined;

  const put = (): void => {
    state = "asked";
    timer = setTimeout(() => {
      timer = setTimeout(giveUp, halfAnswerMs);
    }, halfAnswerMs);
    ask();
  };

  const giveUp = (): void => {
    stop();
    onSilence();
  };

  const stop = (): void => {
    state = "stopped";
    clearTimeout(timer);
  };

  return {
    start: () => {
      if (state === "stopped") put();
    },
    answered: () => {
      // The answer to a question whose reason has gone since.
      if (state !== "asked") return;
      state = "resting";
      clearTimeout(timer);
      timer = setTimeout(put, restMs);
      onAnswer();
    },
    stop,
  };
}
