/** Server-sent events as a caller's program reads them. */

export interface StreamedEvent {
  id: string | undefined;
  event: string;
  /** Parsed; undefined of an event without any. */
  data: unknown;
}

export interface EventStream extends AsyncDisposable {
  answer: Response;
  /** Next one; undefined at the stream's end. Comments are none. */
  next(): Promise<StreamedEvent | undefined>;
  /** All that follow, to the end. */
  rest(): Promise<StreamedEvent[]>;
  /** Goes away, as a caller whose connection is lost. */
  leave(): void;
}

export async function openEventStream(url: string, lastEventId?: string): Promise<EventStream> {
  const leaving = new AbortController();
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  const answer = await fetch(url, { headers, signal: leaving.signal });
  const events = readEvents(answer);
  const next: EventStream["next"] = async () => (await events.next()).value ?? undefined;
  return {
    answer,
    next,
    rest: async () => {
      const all: StreamedEvent[] = [];
      for await (const event of events) all.push(event);
      return all;
    },
    leave: () => leaving.abort(),
    [Symbol.asyncDispose]: async () => leaving.abort(),
  };
}

async function* readEvents({ body }: Response): AsyncGenerator<StreamedEvent, undefined> {
  if (!body) return;
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event) yield event;
    }
  }
}

function parseEvent(block: string): StreamedEvent | undefined {
  const fields = new Map(
    block.split("\n").map((line) => {
      const [, name = "", value = ""] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      return [name, value];
    }),
  );
  const event = fields.get("event");
  const data = fields.get("data");
  if (event === undefined) return undefined;
  return { id: fields.get("id"), event, data: data === undefined ? undefined : JSON.parse(data) };
}
