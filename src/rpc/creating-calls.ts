/**
 * The calls that create tasks, on the gateway's side. At most two are under way; what arrives meanwhile waits, and leaves as
 * one `CreateTasks` when one of them is answered. So an idle system loses no time, and a busy one makes few calls. Each
 * caller has its own answer, error and time limit, as if it had called alone. One that leaves gives its place up.
 */

import { type Clock, systemClock } from "../limits/clock.ts";
import { createTimeLimit } from "../limits/time-limit.ts";
import { TaskError } from "../words/errors.ts";
import { readResults, writeCarried } from "./carried.ts";
import { fullMethod } from "./methods.ts";
import type { Exchange, RpcAnswer } from "./transport.ts";
import { contextsHeader } from "./wire.ts";

interface CreatingDeps {
  /** One call, through the breaker. */
  ask(exchange: Exchange): Promise<RpcAnswer | TaskError>;
  /** The task service does not answer: a call is refused at once, or finds out whether it is back. */
  isAway(): boolean;
  clock?: Clock;
}

/** Resolves with the task service's answer or its refusal; rejects when there is none in time. */
export type CreateCall = (asked: Exchange) => Promise<RpcAnswer | TaskError>;

interface WaitingCall {
  asked: Exchange;
  bytes: number;
  overAtMs: number;
  resolve(answer: RpcAnswer | TaskError): void;
  reject(error: unknown): void;
  /** It waits for nothing any more. */
  end(): void;
}

const mostUnderWay = 2;
/** Of tasks in one call, and their texts together; one that is larger travels alone. */
const mostTasks = 64;
const mostBytes = 512 * 1024;
/** A call that takes longer is not counted any more: one that hangs keeps no other waiting. */
const slowMs = 1000;

export function createCreatingCalls({ ask, isAway, clock = systemClock }: CreatingDeps): CreateCall {
  // In the order of their calls; a set, so that one in the middle leaves at no cost.
  const waiting = new Set<WaitingCall>();
  const slow = createTimeLimit(slowMs, clock);
  const limitFor = createLimits(clock);
  let underWay = 0;
  /** As the newest answer says: the task service may be replaced by one of another build. */
  let takesContexts = false;

  const askAlone: CreateCall = async (asked) => {
    const answer = await ask(asked);
    if (!(answer instanceof TaskError)) takesContexts = answer.metadata(contextsHeader) !== undefined;
    return answer;
  };

  const wait: CreateCall = (asked) => {
    const { promise, resolve, reject } = Promise.withResolvers<RpcAnswer | TaskError>();
    const { request, timeoutMs, signal } = asked;
    const giveUp = (reason: unknown): void => {
      waiting.delete(call);
      call.end();
      reject(reason);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const stop = limitFor(timeoutMs).start(() => giveUp(new DOMException("no answer in time", "TimeoutError")));
    signal?.addEventListener("abort", onAbort);
    const end = (): void => {
      stop();
      signal?.removeEventListener("abort", onAbort);
    };
    const overAtMs = clock.monotonicMs() + timeoutMs;
    const call: WaitingCall = { asked, bytes: Buffer.byteLength(request), overAtMs, resolve, reject, end };
    waiting.add(call);
    return promise;
  };

  /** Counts a call while it is under way. */
  const travel = async <T>(send: () => Promise<T>): Promise<T> => {
    underWay += 1;
    let isCounted = true;
    const release = (): void => {
      if (isCounted) underWay -= 1;
      isCounted = false;
      if (waiting.size > 0 && underWay < mostUnderWay) void travel(() => sendAll(takeWaiting()));
    };
    const stop = slow.start(release);
    try {
      return await send();
    } finally {
      stop();
      release();
    }
  };

  const takeWaiting = (): WaitingCall[] => {
    const taken: WaitingCall[] = [];
    let bytes = 0;
    for (const call of waiting) {
      bytes += call.bytes;
      if (taken.length === mostTasks || (taken.length > 0 && bytes > mostBytes)) break;
      waiting.delete(call);
      taken.push(call);
    }
    return taken;
  };

  /** Never rejects. */
  const sendAll = async (calls: readonly WaitingCall[]): Promise<void> => {
    if (calls.length > 1 && takesContexts && (await carry(calls))) return;
    await Promise.all(calls.map(sendAlone));
  };

  const sendAlone = async (call: WaitingCall): Promise<void> => {
    try {
      const timeoutMs = leftOf(call);
      call.resolve(await askAlone({ ...call.asked, timeoutMs }));
    } catch (error) {
      call.reject(error);
    }
    call.end();
  };

  /** False: an older build has refused the call as a whole, and made none of the tasks. */
  const carry = async (calls: readonly WaitingCall[]): Promise<boolean> => {
    try {
      const answer = await ask({
        method: "CreateTasks",
        name: fullMethod("CreateTask"),
        request: writeCarried(calls.map(({ asked }) => asked)),
        context: {},
        timeoutMs: Math.max(...calls.map(leftOf)),
        isHeld: false,
      });
      takesContexts = !(answer instanceof TaskError && isOfOlderBuild(answer));
      if (!takesContexts) return false;
      const results = answer instanceof TaskError ? undefined : readResults(answer.json, calls.length);
      for (const [at, call] of calls.entries()) call.resolve(results?.[at] ?? answer);
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
    for (const call of calls) call.end();
    return true;
  };

  const leftOf = ({ overAtMs }: WaitingCall): number => Math.max(1, Math.ceil(overAtMs - clock.monotonicMs()));

  return (asked) => {
    if (!takesContexts || isAway()) return askAlone(asked);
    return underWay < mostUnderWay ? travel(() => askAlone(asked)) : wait(asked);
  };
}

/** A field that it does not know. */
function isOfOlderBuild({ code }: TaskError): boolean {
  return code === "invalid_argument" || code === "unimplemented";
}

/** One limit for all calls that may take as long, of which there are few kinds. */
function createLimits(clock: Clock) {
  const limits = new Map<number, ReturnType<typeof createTimeLimit>>();
  return (limitMs: number) => {
    const known = limits.get(limitMs) ?? createTimeLimit(limitMs, clock);
    limits.set(limitMs, known);
    return known;
  };
}
