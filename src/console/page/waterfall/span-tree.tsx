/**
 * The rows of a waterfall below its ruler, as a tree that arrows move through. Only those in sight are drawn, and a few
 * around them.
 */

import type { RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { formatDuration } from "../../../terminal/times.ts";
import { createScale, percent, type Scale, type TimeWindow } from "./scale.ts";
import { hasChildren, type TreeRow } from "./tree.ts";
import { WaterfallRow } from "./waterfall-row.tsx";

export interface SpanTreeProps {
  tree: readonly TreeRow[];
  durationMs: number;
  hues: ReadonlyMap<string, number>;
  /** Places in the tree of the rows that show. */
  shown: readonly number[];
  folded: ReadonlySet<string>;
  /** undefined: nothing is searched for. */
  found: ReadonlySet<number> | undefined;
  zoom: TimeWindow | undefined;
  chosen: number;
  onChoose(index: number): void;
  onFold(index: number, isFolded: boolean): void;
  onZoom(zoom: TimeWindow): void;
}

/** Drawn above and below what is in sight. */
const spareRows = 8;
/** About what the names leave to the bars, and what a tick takes with its text. */
const lineShare = 0.58;
const tickPx = 90;
const pageRows = 10;

export function SpanTree(props: SpanTreeProps) {
  const { tree, hues, shown, folded, found, zoom, chosen, durationMs, onChoose, onFold, onZoom } = props;
  const frame = useRef<HTMLDivElement>(null);
  const sight = useSight(frame);
  const ticks = Math.max(2, Math.round((sight.width * lineShare) / tickPx));
  const scale = useMemo(() => createScale(tree, durationMs, { zoom, ticks }), [tree, durationMs, zoom, ticks]);
  const place = shown.indexOf(chosen);
  useEffect(() => {
    if (frame.current && place >= 0) scrollToRow(frame.current, place);
  }, [chosen]);

  const chooseByMouse = (index: number): void => {
    onChoose(index);
    // A row goes when it is out of sight, and the focus would go with it.
    frame.current?.focus({ preventScroll: true });
  };
  const onKey = (event: KeyboardEvent): void => {
    const act = actionsOf(props, place)[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  const first = Math.max(0, Math.floor(sight.top / rowHeightPx) - spareRows);
  const last = Math.min(shown.length, Math.ceil((sight.top + sight.height) / rowHeightPx) + spareRows);
  const drawn = shown.slice(first, last).flatMap((index, at) => {
    const each = tree[index];
    return each ? { each, index, top: (first + at) * rowHeightPx } : [];
  });
  return (
    <div
      ref={frame}
      class="waterfall-frame"
      role="tree"
      tabIndex={0}
      aria-label="Spans"
      aria-activedescendant={place >= first && place < last ? `row-${chosen}` : undefined}
      onKeyDown={onKey}
    >
      <Ruler scale={scale} onZoom={onZoom} />
      <div class="waterfall-rows" role="presentation" style={{ height: `${shown.length * rowHeightPx}px` }}>
        {drawn.map(({ each, index, top }) => (
          <WaterfallRow
            key={each.key}
            id={`row-${index}`}
            row={each.row}
            hue={hues.get(each.row.service)}
            top={top}
            scale={scale}
            isChosen={index === chosen}
            isDim={found !== undefined && !found.has(index)}
            isFolded={hasChildren(tree, index) ? folded.has(each.key) : undefined}
            onChoose={() => chooseByMouse(index)}
            onFold={() => onFold(index, !folded.has(each.key))}
          />
        ))}
      </div>
    </div>
  );
}

/** Keys of a tree, as WAI-ARIA's authoring practices have them. */
function actionsOf({ tree, shown, folded, chosen, onChoose, onFold }: SpanTreeProps, place: number) {
  const isFolded = folded.has(tree[chosen]?.key ?? "");
  const step = (by: number): void => {
    const next = shown[Math.min(shown.length - 1, Math.max(0, place + by))];
    if (next !== undefined) onChoose(next);
  };
  const actions: Record<string, () => void> = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    ArrowRight: () => (isFolded ? onFold(chosen, false) : step(hasChildren(tree, chosen) ? 1 : 0)),
    ArrowLeft: () => {
      const parent = tree[chosen]?.parent ?? -1;
      if (hasChildren(tree, chosen) && !isFolded) onFold(chosen, true);
      else if (parent >= 0) onChoose(parent);
    },
    Home: () => step(-shown.length),
    End: () => step(shown.length),
    PageDown: () => step(pageRows),
    PageUp: () => step(-pageRows),
    Enter: () => onFold(chosen, !isFolded),
  };
  return actions;
}

const leastPart = 0.005;

/** The axis of time above the bars. Drawing over a part of it zooms in. */
function Ruler({ scale, onZoom }: { scale: Scale; onZoom(zoom: TimeWindow): void }) {
  const line = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState<{ from: number; to: number }>();
  const partAt = (event: PointerEvent): number => {
    const box = line.current?.getBoundingClientRect();
    return box ? Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) : 0;
  };
  const begin = (event: PointerEvent): void => {
    event.preventDefault();
    line.current?.setPointerCapture(event.pointerId);
    setDrawn({ from: partAt(event), to: partAt(event) });
  };
  const end = (): void => {
    setDrawn(undefined);
    if (!drawn || Math.abs(drawn.to - drawn.from) < leastPart) return;
    const [from, to] = [Math.min(drawn.from, drawn.to), Math.max(drawn.from, drawn.to)];
    onZoom({ fromMs: scale.timeAt(from), toMs: scale.timeAt(to) });
  };
  return (
    <div class="ruler" role="presentation">
      <div class="ruler-head">Span</div>
      <div
        ref={line}
        class="ruler-line"
        title="Draw over a part to zoom in"
        onPointerDown={begin}
        onPointerMove={(event) => drawn && setDrawn({ ...drawn, to: partAt(event) })}
        onPointerUp={end}
        onPointerCancel={() => setDrawn(undefined)}
      >
        {scale.gaps.map(({ left, width, ms }) => (
          <span
            key={left}
            class="ruler-gap"
            style={{ left: percent(left), width: percent(width) }}
            title={`${formatDuration(ms)} in which nothing ran`}
          />
        ))}
        {scale.ticks.map(({ left, text }) => (
          <span key={left} class="tick" style={{ left: percent(left) }}>
            {text}
          </span>
        ))}
        {drawn && (
          <span
            class="drawn"
            style={{ left: percent(Math.min(drawn.from, drawn.to)), width: percent(Math.abs(drawn.to - drawn.from)) }}
          />
        )}
      </div>
    </div>
  );
}

const rowHeightPx = 26;
const rulerHeightPx = 28;

export interface Sight {
  top: number;
  height: number;
  width: number;
}

const unseen: Sight = { top: 0, height: 600, width: 600 };

/** Follows the scrolling and the size of `frame`. */
function useSight(frame: RefObject<HTMLElement | null>): Sight {
  const [sight, setSight] = useState(unseen);
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
  return sight;
}

/** Scrolls no further than it takes to see the row at this place. */
function scrollToRow(frame: HTMLElement, place: number): void {
  const [top, height] = [place * rowHeightPx, frame.clientHeight - rulerHeightPx];
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (top + rowHeightPx > frame.scrollTop + height) frame.scrollTop = top + rowHeightPx - height;
}
