/**
 * The calls that create tasks, on the gateway's side. At most two are under way; what arrives meanwhile waits, and leaves as
 * one `CreateTasks` when one of them is answered. So an idle system loses no time, and a busy one makes few calls. Each
 * caller has its own answer, error and time limit, as if it had called alone. One that leaves gives its place up.
 */

import { type Clock, systemClock } from "../limits/clock.ts";
import { createTimeLimit, type TimeLimit } from "../limits/time-limit.ts";
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

interface WaitingCall {
  asked: Exchange;
  /** Characters of its request. */
  size: number;
  overAtMs: number;
  resolve(answer: RpcAnswer | TaskError): void;
  reject(error: unknown): void;
  /** It waits for nothing any more. */
  end(): void;
}

const mostUnderWay = 2;
/** Of tasks in one call, and of characters of their texts together; one that is larger travels alone. */
const mostTasks = 64;
const mostCharacters = 512 * 1024;
/** A call that takes longer is not counted any more: one that hangs keeps no other waiting. */
const slowMs = 1000;

export class CreatingCalls {
  readonly #deps: CreatingDeps;
  readonly #clock: Clock;
  /** In the order of their calls; a set, so that one in the middle leaves at no cost. */
  readonly #waiting = new Set<WaitingCall>();
  readonly #slow: TimeLimit;
  /** One for all calls that may take as long, of which there are few kinds. */
  readonly #limits = new Map<number, TimeLimit>();
  #underWay = 0;
  /** As the newest answer says: the task service may be replaced by one of another build. */
  #takesContexts = false;

  constructor(deps: CreatingDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#slow = createTimeLimit(slowMs, this.#clock);
  }

  /** Resolves with the task service's answer or its refusal; rejects when there is none in time. */
  call(asked: Exchange): Promise<RpcAnswer | TaskError> {
    if (!this.#takesContexts || this.#deps.isAway()) return this.#askAlone(asked);
    return this.#underWay < mostUnderWay ? this.#travel(() => this.#askAlone(asked)) : this.#wait(asked);
  }

  async #askAlone(asked: Exchange): Promise<RpcAnswer | TaskError> {
    const answer = await this.#deps.ask(asked);
    if (!(answer instanceof TaskError)) this.#takesContexts = answer.metadata(contextsHeader) !== undefined;
    return answer;
  }

  #wait(asked: Exchange): Promise<RpcAnswer | TaskError> {
    const { promise, resolve, reject } = Promise.withResolvers<RpcAnswer | TaskError>();
    const { request, timeoutMs, signal } = asked;
    const giveUp = (reason: unknown): void => {
      this.#waiting.delete(call);
      call.end();
      reject(reason);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const stop = this.#limitOf(timeoutMs).start(() => giveUp(new DOMException("no answer in time", "TimeoutError")));
    signal?.addEventListener("abort", onAbort);
    const end = (): void => {
      stop();
      signal?.removeEventListener("abort", onAbort);
    };
    const overAtMs = this.#clock.monotonicMs() + timeoutMs;
    const call: WaitingCall = { asked, size: request.length, overAtMs, resolve, reject, end };
    this.#waiting.add(call);
    return promise;
  }

  #limitOf(limitMs: number): TimeLimit {
    const known = this.#limits.get(limitMs) ?? createTimeLimit(limitMs, this.#clock);
    this.#limits.set(limitMs, known);
    return known;
  }

  /** Counts a call while it is under way; then what waits may leave. */
  async #travel<T>(send: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    let isCounted = true;
    const release = (): void => {
      if (isCounted) this.#underWay -= 1;
      isCounted = false;
      if (this.#waiting.size === 0 || this.#underWay >= mostUnderWay) return;
      void this.#travel(() => this.#sendAll(this.#takeWaiting()));
    };
    const stop = this.#slow.start(release);
    try {
      return await send();
    } finally {
      stop();
      release();
    }
  }

  #takeWaiting(): WaitingCall[] {
    const taken: WaitingCall[] = [];
    let size = 0;
    for (const call of this.#waiting) {
      size += call.size;
      if (taken.length === mostTasks || (taken.length > 0 && size > mostCharacters)) break;
      this.#waiting.delete(call);
      taken.push(call);
    }
    return taken;
  }

  /** Never rejects. */
  async #sendAll(calls: readonly WaitingCall[]): Promise<void> {
    if (calls.length > 1 && this.#takesContexts && (await this.#carry(calls))) return;
    await Promise.all(calls.map((call) => this.#sendAlone(call)));
  }

  async #sendAlone(call: WaitingCall): Promise<void> {
    try {
      call.resolve(await this.#askAlone({ ...call.asked, timeoutMs: this.#leftOf(call) }));
    } catch (error) {
      call.reject(error);
    }
    call.end();
  }

  /** False: an older build has refused the call as a whole, and made none of the tasks. */
  async #carry(calls: readonly WaitingCall[]): Promise<boolean> {
    try {
      const answer = await this.#deps.ask({
        method: "CreateTasks",
        name: fullMethod("CreateTask"),
        request: writeCarried(calls.map(({ asked }) => asked)),
        context: {},
        timeoutMs: Math.max(...calls.map((call) => this.#leftOf(call))),
        isHeld: false,
      });
      this.#takesContexts = !(answer instanceof TaskError && isOfOlderBuild(answer));
      if (!this.#takesContexts) return false;
      const results = answer instanceof TaskError ? undefined : readResults(answer.json, calls.length);
      for (const [at, call] of calls.entries()) call.resolve(results?.[at] ?? answer);
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
    for (const call of calls) call.end();
    return true;
  }

  #leftOf({ overAtMs }: WaitingCall): number {
    return Math.max(1, Math.ceil(overAtMs - this.#clock.monotonicMs()));
  }
}

/** A field that it does not know. */
function isOfOlderBuild({ code }: TaskError): boolean {
  return code === "invalid_argument" || code === "unimplemented";
}
