/**
 * A trace as a waterfall: every span below its parent with its bar in time, log lines in their place, what waits in a
 * queue as a bar of its own. Only the rows that are in sight are drawn, so ten thousand are as quick as ten. Which span is
 * looked at stands in the address.
 */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { TaskTraceView } from "../../task-trace-view.ts";
import { changedQuery, go, here } from "../location.ts";
import { Duration } from "../parts/time.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { Ruler } from "./ruler.tsx";
import { createScale, type TimeWindow } from "./scale.ts";
import { SpanDetails } from "./span-details.tsx";
import { findRows, huesOf, isError, isSpan, keysAbove, linkedFrom, toTree, unfolded } from "./tree.ts";
import { rowHeightPx, WaterfallRow } from "./waterfall-row.tsx";

export interface WaterfallProps {
  trace: Pick<TaskTraceView, "started_at" | "duration_ms" | "rows">;
}

/** Drawn above and below what is in sight. */
const spareRows = 8;
const usualHeightPx = 600;
/** About what the names leave to the bars, and what a tick takes with its text. */
const lineShare = 0.58;
const tickPx = 90;

export function Waterfall({ trace }: WaterfallProps) {
  const tree = useMemo(() => toTree(trace.rows), [trace]);
  const hues = useMemo(() => huesOf(tree), [tree]);
  const links = useMemo(() => linkedFrom(tree), [tree]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [zoom, setZoom] = useState<TimeWindow>();
  const [text, setText] = useState("");
  const [sight, setSight] = useState({ top: 0, height: usualHeightPx, width: usualHeightPx });
  const frame = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const ticks = Math.max(2, Math.round((sight.width * lineShare) / tickPx));
  const scale = useMemo(() => createScale(tree, trace.duration_ms, { zoom, ticks }), [tree, trace, zoom, ticks]);
  const shown = useMemo(() => unfolded(tree, folded), [tree, folded]);
  const found = useMemo(() => findRows(tree, text), [tree, text]);
  const foundSet = useMemo(() => new Set(found), [found]);
  const errors = useMemo(() => tree.flatMap(({ row }, index) => (isError(row) ? index : [])), [tree]);

  const asked = here.value.query.get("span");
  const chosen = Math.max(
    0,
    tree.findIndex(({ key, row }) => key === asked || (isSpan(row) && row.span_id === asked)),
  );
  const chosenRow = tree[chosen];
  const place = shown.indexOf(chosen);

  const show = (index: number): void => {
    const target = tree[index];
    if (!target) return;
    const above = new Set(keysAbove(tree, index));
    const open = new Set([...folded].filter((key) => !above.has(key)));
    setFolded(open);
    go(changedQuery({ span: isSpan(target.row) ? target.row.span_id : target.key }), { isSame: true });
    scrollTo(unfolded(tree, open).indexOf(index));
  };
  const scrollTo = (at: number): void => {
    const element = frame.current;
    if (!element || at < 0) return;
    const [top, height] = [at * rowHeightPx, element.clientHeight - rulerHeightPx];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeightPx > element.scrollTop + height) element.scrollTop = top + rowHeightPx - height;
  };
  const step = (by: number): void => {
    const next = shown[Math.min(shown.length - 1, Math.max(0, place + by))];
    if (next !== undefined) show(next);
  };
  const showNext = (places: readonly number[]): void => {
    const next = places.find((index) => index > chosen) ?? places[0];
    if (next !== undefined) show(next);
  };
  const fold = (index: number, isFolded: boolean): void => {
    const key = tree[index]?.key;
    if (key === undefined) return;
    const next = new Set(folded);
    if (isFolded) next.add(key);
    else next.delete(key);
    setFolded(next);
  };
  const foldAll = (): void => {
    const parents = tree.filter(({ end, row }, index) => end > index + 1 && row.depth > 0).map(({ key }) => key);
    setFolded(new Set(folded.size > 0 ? [] : parents));
  };
  const zoomToChosen = (): void => {
    const row = chosenRow?.row;
    if (row && isSpan(row)) setZoom({ fromMs: row.offset_ms, toMs: row.offset_ms + Math.max(row.duration_ms, 0.01) });
  };

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const look = (): void => {
      setSight({ top: element.scrollTop, height: element.clientHeight, width: element.clientWidth });
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      watcher.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  useEffect(() => scrollTo(shown.indexOf(chosen)), []);
  useShortcuts([
    { keys: "j", says: "Next span", act: () => step(1) },
    { keys: "k", says: "Span before", act: () => step(-1) },
    { keys: "/", says: "Search the trace", act: () => field.current?.focus() },
    { keys: "e", says: "Next error", act: () => showNext(errors) },
    { keys: "z", says: "Zoom to the span", act: zoomToChosen },
    { keys: "0", says: "Zoom out", act: () => setZoom(undefined) },
  ]);

  const keys: Record<string, () => void> = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    ArrowLeft: () => {
      const parent = tree[chosen]?.parent ?? -1;
      if (hasChildren(chosen) && !folded.has(chosenRow?.key ?? "")) fold(chosen, true);
      else if (parent >= 0) show(parent);
    },
    ArrowRight: () => fold(chosen, false),
    Home: () => step(-shown.length),
    End: () => step(shown.length),
    PageDown: () => step(10),
    PageUp: () => step(-10),
    Enter: () => fold(chosen, !folded.has(chosenRow?.key ?? "")),
  };
  const hasChildren = (index: number): boolean => (tree[index]?.end ?? 0) > index + 1;
  const onKey = (event: KeyboardEvent): void => {
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  const first = Math.max(0, Math.floor(sight.top / rowHeightPx) - spareRows);
  const last = Math.min(shown.length, Math.ceil((sight.top + sight.height) / rowHeightPx) + spareRows);
  return (
    <section class="waterfall" aria-label="Waterfall">
      <div class="waterfall-tools">
        <input
          ref={field}
          type="search"
          placeholder="Search spans, attributes, log lines"
          aria-label="Search the trace"
          data-search
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Enter" && showNext(found)}
        />
        <span class="quiet small found" aria-live="polite">
          {text === "" ? "" : `${found.length} found`}
        </span>
        {errors.length > 0 && (
          <button type="button" class="danger" onClick={() => showNext(errors)}>
            {errors.length === 1 ? "1 error" : `${errors.length} errors`}
          </button>
        )}
        <button type="button" onClick={foldAll}>
          {folded.size > 0 ? "Unfold all" : "Fold all"}
        </button>
        <button type="button" disabled={!zoom} onClick={() => setZoom(undefined)}>
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
          {tree.length} rows, <Duration ms={trace.duration_ms} />
        </span>
      </div>
      <div class="waterfall-body">
        <div
          ref={frame}
          class="waterfall-frame"
          role="tree"
          tabIndex={0}
          aria-label="Spans"
          aria-activedescendant={place >= first && place < last ? `row-${chosen}` : undefined}
          onKeyDown={onKey}
        >
          <Ruler scale={scale} onZoom={setZoom} />
          <div class="waterfall-rows" role="presentation" style={{ height: `${shown.length * rowHeightPx}px` }}>
            {shown.slice(first, last).map((index, at) => {
              const each = tree[index];
              return (
                each && (
                  <WaterfallRow
                    key={each.key}
                    id={`row-${index}`}
                    row={each.row}
                    hue={hues.get(each.row.service)}
                    top={(first + at) * rowHeightPx}
                    scale={scale}
                    isChosen={index === chosen}
                    isDim={text !== "" && !foundSet.has(index)}
                    isFolded={hasChildren(index) ? folded.has(each.key) : undefined}
                    onChoose={() => {
                      show(index);
                      // A row goes when it is out of sight, and the focus with it.
                      frame.current?.focus({ preventScroll: true });
                    }}
                    onFold={() => fold(index, !folded.has(each.key))}
                  />
                )
              );
            })}
          </div>
        </div>
        {chosenRow && <SpanDetails at={chosen} tree={tree} links={links} startedAt={trace.started_at} onShow={show} />}
      </div>
    </section>
  );
}

const rulerHeightPx = 28;
