/** What every answer of the gateway has. */

import { expect } from "bun:test";
import type { HttpProblem } from "./http-problem.ts";

/** A UUIDv7. */
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Its groups: trace, span, flags. */
export const traceresponse = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The problem that an answer is, once everything that each must have is seen to be there. */
export async function wholeProblemOf(answer: Response): Promise<HttpProblem> {
  const problem: HttpProblem = await answer.json();
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.get("x-request-id")).toMatch(uuid);
  expect(answer.headers.get("x-correlation-id")).toMatch(uuid);
  expect(answer.headers.get("traceresponse")).toMatch(traceresponse);
  // No matchers in here: Bun writes them into the object that is looked at.
  const traceId = answer.headers.get("traceresponse")?.split("-")[1] ?? "none";
  expect(problem).toMatchObject({ type: "about:blank", status: answer.status, trace_id: traceId });
  expect([problem.title, problem.detail, problem.code].filter((text) => text === "")).toEqual([]);
  return problem;
}
