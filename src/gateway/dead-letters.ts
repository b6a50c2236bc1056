/** Dead letters over HTTP: look at them, bring them back at a chosen rate, or put them away. */

import { z } from "zod";
import { deadLetter, deadLetterQuery, group, newDiscard, newRedrive, redrive, unreadable } from "../api/dead-letter.ts";
import { cursor, queryLimit } from "../api/fields.ts";
import { task } from "../api/task.ts";
import { answerWith, type CallInRequest } from "./request.ts";
import { declareRoute } from "./route.ts";
import { addRoute, type Routes } from "./serve-route.ts";

const tag = "dead letters";
const path = "/dead-letters";

/** One of `pause`, `resume`, `cancel`. */
const control = (command: "pause" | "resume" | "cancel", summary: string) =>
  declareRoute({
    operationId: `${command}Redrive`,
    tag,
    method: "post",
    path: `${path}/redrives/{id}/${command}`,
    scope: "operate",
    summary,
    answers: { 200: { description: "The redrive as it is now.", schema: redrive } },
    problems: ["not_found", "conflict"],
  });

export const deadLetterRoutes = {
  list: declareRoute({
    operationId: "listDeadLetters",
    tag,
    method: "get",
    path,
    scope: "read",
    summary: "List dead tasks",
    query: z.strictObject({
      ...deadLetterQuery,
      limit: queryLimit,
      cursor,
    }),
    answers: {
      200: {
        description: "The newest first.",
        schema: z.object({ items: z.array(deadLetter), next_cursor: z.string().nullable() }),
      },
    },
  }),

  listGroups: declareRoute({
    operationId: "listDeadLetterGroups",
    tag,
    method: "get",
    path: `${path}/groups`,
    scope: "read",
    summary: "See what tasks died of",
    query: z.strictObject({
      type: deadLetterQuery.type,
      group: deadLetterQuery.group,
      since: deadLetterQuery.since,
      until: deadLetterQuery.until,
      limit: queryLimit,
    }),
    answers: { 200: { description: "The largest group first.", schema: z.object({ items: z.array(group) }) } },
  }),

  listUnreadable: declareRoute({
    operationId: "listUnreadable",
    tag,
    method: "get",
    path: `${path}/unreadable`,
    scope: "read",
    summary: "List messages that nobody can read",
    query: z.strictObject({ limit: queryLimit }),
    answers: { 200: { description: "The newest first.", schema: z.object({ items: z.array(unreadable) }) } },
  }),

  redrive: declareRoute({
    operationId: "redriveDeadLetters",
    tag,
    method: "post",
    path: `${path}/redrive`,
    scope: "operate",
    summary: "Bring dead tasks back",
    description: "Of tasks that are named, those that are not dead count as failed; when none is, it is refused.",
    body: newRedrive,
    answers: {
      202: { description: "They are on their way.", schema: redrive },
      200: { description: "Of a dry run: how many there are.", schema: redrive },
    },
    problems: ["not_found", "conflict"],
  }),

  getRedrive: declareRoute({
    operationId: "getRedrive",
    tag,
    method: "get",
    path: `${path}/redrives/{id}`,
    scope: "read",
    summary: "Look at a redrive",
    query: z.strictObject({
      outcome: z.enum(["true", "false"]).optional().meta({ description: "Whether what became of its tasks is told." }),
    }),
    answers: { 200: { description: "The redrive.", schema: redrive } },
    problems: ["not_found"],
  }),

  pauseRedrive: control("pause", "Pause a redrive"),
  resumeRedrive: control("resume", "Let a paused redrive go on"),
  cancelRedrive: control("cancel", "End a redrive; what it has moved stays moved"),

  get: declareRoute({
    operationId: "getDeadLetter",
    tag,
    method: "get",
    path: `${path}/{id}`,
    scope: "read",
    summary: "Look at a dead task",
    answers: { 200: { description: "The dead letter.", schema: deadLetter } },
    problems: ["not_found"],
  }),

  discard: declareRoute({
    operationId: "discardDeadLetter",
    tag,
    method: "post",
    path: `${path}/{id}/discard`,
    scope: "operate",
    summary: "Put a dead task away for good",
    body: newDiscard,
    answers: { 200: { description: "The task.", schema: task } },
    problems: ["not_found", "conflict"],
  }),
};

export function addDeadLetterRoutes(routes: Routes, call: CallInRequest): void {
  addRoute(routes, deadLetterRoutes.list, async (c, { query }) => {
    return answerWith(await call(c, "ListDeadLetters", query));
  });

  addRoute(routes, deadLetterRoutes.listGroups, async (c, { query }) => {
    return answerWith(await call(c, "ListDeadLetterGroups", query));
  });

  addRoute(routes, deadLetterRoutes.listUnreadable, async (c, { query }) => {
    return answerWith(await call(c, "ListUnreadable", query));
  });

  addRoute(routes, deadLetterRoutes.redrive, async (c, { body }) => {
    return answerWith(await call(c, "RedriveDeadLetters", body), body.dry_run ? 200 : 202);
  });

  addRoute(routes, deadLetterRoutes.getRedrive, async (c, { id, query: { outcome } }) => {
    return answerWith(await call(c, "GetRedrive", { id, outcome: outcome === "true" }));
  });

  for (const command of ["pause", "resume", "cancel"] as const) {
    addRoute(routes, deadLetterRoutes[`${command}Redrive`], async (c, { id }) => {
      return answerWith(await call(c, "ControlRedrive", { id, command }));
    });
  }

  addRoute(routes, deadLetterRoutes.get, async (c, { id }) => answerWith(await call(c, "GetDeadLetter", { id })));

  addRoute(routes, deadLetterRoutes.discard, async (c, { id, body }) => {
    return answerWith(await call(c, "DiscardDeadLetter", { id, ...body }));
  });
}
