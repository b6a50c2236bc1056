/**
 * A trace as a waterfall: every span below its parent with its bar in time, log lines in their place, what waits in a
 * queue as a bar of its own. The address has the chosen row.
 */

import type { RefObject } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { TaskTraceView } from "../../task-trace-view.ts";
import { changedQuery, go, here } from "../location.ts";
import { Duration } from "../parts/time.tsx";
import { useShortcuts } from "../shortcuts.ts";
import type { TimeWindow } from "./scale.ts";
import { SpanDetails } from "./span-details.tsx";
import { SpanTree } from "./span-tree.tsx";
import {
  findRows,
  huesOf,
  isError,
  isSpan,
  keysAbove,
  linkedFrom,
  parentsOf,
  placeOf,
  toTree,
  unfolded,
} from "./tree.ts";

export interface WaterfallProps {
  /** Of one trace, or of several that are stitched together: the rows as the console's API gives them. */
  trace: Pick<TaskTraceView, "started_at" | "duration_ms" | "rows">;
}

const leastZoomMs = 0.01;

export function Waterfall({ trace }: WaterfallProps) {
  const tree = useMemo(() => toTree(trace.rows), [trace]);
  const hues = useMemo(() => huesOf(tree), [tree]);
  const links = useMemo(() => linkedFrom(tree), [tree]);
  const errors = useMemo(() => tree.flatMap(({ row }, index) => (isError(row) ? index : [])), [tree]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [zoom, setZoom] = useState<TimeWindow>();
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const shown = useMemo(() => unfolded(tree, folded), [tree, folded]);
  const found = useMemo(() => findRows(tree, text), [tree, text]);
  const foundSet = useMemo(() => (text === "" ? undefined : new Set(found)), [found, text]);
  const chosen = placeOf(tree, here.value.query.get("span"));
  const row = tree[chosen]?.row;

  const show = (index: number): void => {
    const target = tree[index];
    if (!target) return;
    const above = new Set(keysAbove(tree, index));
    setFolded(new Set([...folded].filter((key) => !above.has(key))));
    go(changedQuery({ span: isSpan(target.row) ? target.row.span_id : target.key }), { isSame: true });
  };
  const showNext = (places: readonly number[]): void => {
    const next = places.find((index) => index > chosen) ?? places[0];
    if (next !== undefined) show(next);
  };
  const showStep = (by: 1 | -1): void => {
    const next = shown[shown.indexOf(chosen) + by];
    if (next !== undefined) show(next);
  };
  const fold = (index: number, isFolded: boolean): void => {
    const others = [...folded].filter((key) => key !== tree[index]?.key);
    setFolded(new Set(isFolded ? [...others, tree[index]?.key ?? ""] : others));
  };
  const zoomToChosen = (): void => {
    if (!row || !isSpan(row)) return;
    setZoom({ fromMs: row.offset_ms, toMs: row.offset_ms + Math.max(row.duration_ms, leastZoomMs) });
  };
  useShortcuts([
    { keys: "j", title: "Next span", act: () => showStep(1) },
    { keys: "k", title: "Span before", act: () => showStep(-1) },
    { keys: "/", title: "Search the trace", act: () => field.current?.focus() },
    { keys: "e", title: "Next error", act: () => showNext(errors) },
    { keys: "z", title: "Zoom to the span", act: zoomToChosen },
    { keys: "0", title: "Zoom out", act: () => setZoom(undefined) },
  ]);

  return (
    <section class="waterfall" aria-label="Waterfall">
      <Tools
        field={field}
        text={text}
        found={found.length}
        errors={errors.length}
        hasFolded={folded.size > 0}
        isZoomed={zoom !== undefined}
        hues={hues}
        rows={tree.length}
        durationMs={trace.duration_ms}
        onText={setText}
        onNextFound={() => showNext(found)}
        onNextError={() => showNext(errors)}
        onFoldAll={() => setFolded(new Set(folded.size > 0 ? [] : parentsOf(tree)))}
        onZoomOut={() => setZoom(undefined)}
      />
      <div class="waterfall-body">
        <SpanTree
          tree={tree}
          durationMs={trace.duration_ms}
          hues={hues}
          shown={shown}
          folded={folded}
          found={foundSet}
          zoom={zoom}
          chosen={chosen}
          onChoose={show}
          onFold={fold}
          onZoom={setZoom}
        />
        {row && <SpanDetails at={chosen} tree={tree} links={links} startedAt={trace.started_at} onShow={show} />}
      </div>
    </section>
  );
}

interface ToolsProps {
  field: RefObject<HTMLInputElement | null>;
  text: string;
  /** How many rows contain the text. */
  found: number;
  errors: number;
  hasFolded: boolean;
  isZoomed: boolean;
  hues: ReadonlyMap<string, number>;
  rows: number;
  durationMs: number;
  onText(text: string): void;
  onNextFound(): void;
  onNextError(): void;
  onFoldAll(): void;
  onZoomOut(): void;
}

/** The tools above a waterfall: search, errors, folding, zoom, and the colours of the services. */
function Tools({ field, text, found, errors, hasFolded, isZoomed, hues, rows, durationMs, ...on }: ToolsProps) {
  return (
    <div class="waterfall-tools">
      <input
        ref={field}
        type="search"
        placeholder="Search spans, attributes, log lines"
        aria-label="Search the trace"
        data-search
        value={text}
        onInput={(event) => on.onText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && on.onNextFound()}
      />
      <span class="quiet small found" aria-live="polite">
        {text === "" ? "" : `${found} found`}
      </span>
      {errors > 0 && (
        <button type="button" class="danger" onClick={on.onNextError}>
          {errors === 1 ? "1 error" : `${errors} errors`}
        </button>
      )}
      <button type="button" onClick={on.onFoldAll}>
        {hasFolded ? "Unfold all" : "Fold all"}
      </button>
      <button type="button" disabled={!isZoomed} onClick={on.onZoomOut}>
        Zoom out
      </button>
      <ul class="legend" aria-label="Services">
        {[...hues].map(([service, hue]) => (
          <li key={service}>
            <span class={`swatch hue-${hue}`} />
            {service}
          </li>
        ))}
      </ul>
      <span class="quiet small">
        {rows} rows, <Duration ms={durationMs} />
      </span>
    </div>
  );
}
