/** `throughline dlq unreadable`: messages of the dead-letter queue that name no task. */

import { printList } from "../../terminal/screen.ts";
import { type Canvas, type Column, renderTable } from "../../terminal/table.ts";
import { whenText } from "../../terminal/times.ts";
import type { UnreadableAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { deadLettersPath } from "./path.ts";

export interface UnreadableFlags extends ApiFlags {
  limit?: number;
}

export async function listUnreadable(flags: UnreadableFlags): Promise<number> {
  const query = { limit: flags.limit === undefined ? undefined : String(flags.limit) };
  const api = connectApi(flags.url);
  const { body } = await api.call<{ items: UnreadableAnswer[] }>("GET", `${deadLettersPath}/unreadable`, { query });
  printList(flags, body, {
    nothing: "every message could be read",
    idOf: (message) => message.message_id,
    forPeople: ({ canvas }) => renderTable(columnsOf(canvas, Date.now()), body.items, canvas),
  });
  return exitCodes.done;
}

function columnsOf(canvas: Canvas, nowMs: number): Column<UnreadableAnswer>[] {
  return [
    { title: "MESSAGE", cell: ({ message_id: id }) => id },
    { title: "RECEIVED", cell: ({ received_at: at }) => whenText(at, canvas, nowMs), spare: 1 },
    { title: "REASON", cell: ({ reason }) => reason, least: 10 },
    { title: "BODY", cell: ({ body }) => body, least: 12, spare: 2 },
  ];
}
