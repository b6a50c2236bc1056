/** All that is known of one row: attributes, events, links both ways, log lines. */

import type { ComponentChildren } from "preact";
import type { Attributes, AttributeValue } from "../../../otlp/values.ts";
import { formatDuration } from "../../../terminal/times.ts";
import type { LogView, SpanView } from "../../task-trace-view.ts";
import { CopyButton } from "../parts/controls.tsx";
import { Icon } from "../parts/icon.tsx";
import { isSpan, keyOf, type TreeRow } from "./tree.ts";

export interface SpanDetailsProps {
  at: number;
  tree: readonly TreeRow[];
  links: ReadonlyMap<string, SpanView[]>;
  startedAt: string;
  onShow(index: number): void;
}

export function SpanDetails({ at, tree, links, startedAt, onShow }: SpanDetailsProps) {
  const row = tree[at]?.row;
  if (!row) return null;
  return (
    <aside class="span-details" aria-label="The row">
      <header>
        <h3>{row.kind === "log" ? row.message : row.name}</h3>
        <CopyButton what="JSON" text={() => JSON.stringify(row, null, 2)} />
      </header>
      <dl class="facts">
        <Fact name="Service">{row.service}</Fact>
        <Fact name="At">
          <span title={startedAt}>+{formatDuration(row.offset_ms)}</span>
        </Fact>
        {isSpan(row) ? <SpanFacts row={row} /> : <Fact name="Level">{row.severity.toLowerCase()}</Fact>}
      </dl>
      {isSpan(row) && row.status.message !== "" && <p class="said-error">{row.status.message}</p>}
      {row.kind === "wait" && <p class="quiet">The message was in the queue, and no worker had taken it yet.</p>}
      <AttributeTable title="Attributes" attributes={row.attributes} />
      {isSpan(row) && <Events row={row} />}
      {isSpan(row) && <Links row={row} tree={tree} links={links} onShow={onShow} />}
      {isSpan(row) && <Logs at={at} tree={tree} onShow={onShow} />}
      <dl class="facts ids">
        {row.trace_id !== null && (
          <Fact name="Trace">
            <a class="mono" href={`/traces/${row.trace_id}`}>
              {row.trace_id}
            </a>
            <CopyButton what="trace id" text={row.trace_id} />
          </Fact>
        )}
        {row.span_id !== null && row.kind !== "wait" && (
          <Fact name="Span">
            <span class="mono">{row.span_id}</span>
            <CopyButton what="span id" text={row.span_id} />
          </Fact>
        )}
      </dl>
    </aside>
  );
}

function SpanFacts({ row }: { row: SpanView }) {
  return (
    <>
      <Fact name="Took">{formatDuration(row.duration_ms)}</Fact>
      {row.kind === "span" && <Fact name="Kind">{row.span_kind.toLowerCase()}</Fact>}
      {row.kind === "span" && (
        <Fact name="Status">
          <span class={row.status.code === "ERROR" ? "bad" : undefined}>{row.status.code.toLowerCase()}</span>
        </Fact>
      )}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function AttributeTable({ title, attributes }: { title: string; attributes: Attributes }) {
  const all = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (all.length === 0) return null;
  return (
    <section>
      <h4>{title}</h4>
      <dl class="attributes">
        {all.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{toText(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function toText(value: AttributeValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Events({ row }: { row: SpanView }) {
  return (
    <>
      {row.events.map((event) => (
        <AttributeTable
          key={`${event.name} ${event.offset_ms}`}
          title={`Event ${event.name} at +${formatDuration(event.offset_ms)}`}
          attributes={event.attributes}
        />
      ))}
    </>
  );
}

function Links({ row, tree, links, onShow }: Omit<SpanDetailsProps, "at" | "startedAt"> & { row: SpanView }) {
  const from = links.get(keyOf(row)) ?? [];
  if (row.links.length + from.length === 0) return null;
  return (
    <section>
      <h4>Links</h4>
      <ul class="links">
        {row.links.map((link) => (
          <li key={keyOf(link)}>
            <span class="quiet">to</span> <LinkTo link={link} tree={tree} onShow={onShow} />
          </li>
        ))}
        {from.map((other) => (
          <li key={keyOf(other)}>
            <span class="quiet">from</span> <LinkTo link={other} tree={tree} onShow={onShow} />
          </li>
        ))}
      </ul>
    </section>
  );
}

interface LinkToProps {
  link: { trace_id: string; span_id: string };
  tree: readonly TreeRow[];
  onShow(index: number): void;
}

function LinkTo({ link, tree, onShow }: LinkToProps) {
  const index = tree.findIndex(({ key }) => key === keyOf(link));
  const row = tree[index]?.row;
  if (row && isSpan(row)) {
    return (
      <button type="button" class="link" onClick={() => onShow(index)}>
        {row.name}, {row.service}
      </button>
    );
  }
  return (
    <a class="mono" href={`/traces/${link.trace_id}?span=${link.span_id}`}>
      <Icon name="link" /> {link.trace_id.slice(0, 8)}
    </a>
  );
}

function Logs({ at, tree, onShow }: Pick<SpanDetailsProps, "at" | "tree" | "onShow">) {
  const logs: { index: number; row: LogView }[] = [];
  for (let index = at + 1; index < (tree[at]?.end ?? 0); index++) {
    const each = tree[index];
    if (each?.parent === at && each.row.kind === "log") logs.push({ index, row: each.row });
  }
  if (logs.length === 0) return null;
  return (
    <section>
      <h4>Log lines</h4>
      <ul class="links">
        {logs.map(({ index, row }) => (
          <li key={index}>
            <button type="button" class="link log-link" onClick={() => onShow(index)}>
              <b>{row.severity.toLowerCase()}</b> {row.message}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
