/** One row of a waterfall: a span with its bar, a wait, or a log line. */

import { formatDuration } from "../../../terminal/times.ts";
import { Icon } from "../parts/icon.tsx";
import { percent, type Scale } from "./scale.ts";
import { isError, type TraceRow } from "./tree.ts";

const levelPx = 14;
/** Deeper rows are indented no further: no screen has the room. */
const maxLevels = 14;
/** Where a bar ends further right, its duration is left of it, or on it where there is no room either. */
const lateEnd = 0.75;
const earlyStart = 0.25;

export interface WaterfallRowProps {
  id: string;
  row: TraceRow;
  hue: number | undefined;
  top: number;
  scale: Scale;
  isChosen: boolean;
  /** It is not what is searched for. */
  isDim: boolean;
  /** undefined: nothing is below it. */
  isFolded: boolean | undefined;
  onChoose(): void;
  onFold(): void;
}

export function WaterfallRow({
  id,
  row,
  hue,
  top,
  scale,
  isChosen,
  isDim,
  isFolded,
  onChoose,
  onFold,
}: WaterfallRowProps) {
  const kind = `${row.kind}${isError(row) ? " failed" : ""}${isChosen ? " chosen" : ""}${isDim ? " dim" : ""}`;
  const fold = (event: Event): void => {
    event.stopPropagation();
    onFold();
  };
  return (
    // The keyboard's way is the tree's own: it has the focus, and arrows move through it.
    <div
      id={id}
      class={`waterfall-row ${kind}`}
      role="treeitem"
      tabIndex={-1}
      aria-level={row.depth + 1}
      aria-selected={isChosen}
      aria-expanded={isFolded === undefined ? undefined : !isFolded}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onChoose}
      onKeyDown={undefined}
    >
      <div class="row-name" style={{ paddingLeft: `${Math.min(row.depth, maxLevels) * levelPx + 6}px` }}>
        {isFolded === undefined ? (
          <span class="twist" />
        ) : (
          <span class="twist" aria-hidden="true" onClick={fold}>
            <Icon name={isFolded ? "right" : "down"} />
          </span>
        )}
        <Name row={row} hue={hue} />
      </div>
      <div class="row-line">
        {scale.gaps.map(({ left, width }) => (
          <span key={left} class="gap" style={{ left: percent(left), width: percent(width) }} />
        ))}
        {row.kind === "log" ? <LogMark row={row} scale={scale} /> : <Bar row={row} hue={hue} scale={scale} />}
      </div>
    </div>
  );
}

function Name({ row, hue }: { row: TraceRow; hue: number | undefined }) {
  if (row.kind === "log") {
    return (
      <>
        <Icon name="log" />
        <span class="log-text">
          <strong>{row.severity.toLowerCase()}</strong> {row.message}
        </span>
      </>
    );
  }
  return (
    <>
      {row.kind === "wait" ? <Icon name="wait" /> : <span class={`swatch hue-${hue ?? 1}`} />}
      <span class="span-name">{row.name}</span>
      {isError(row) && (
        <span class="failed-mark" title={row.status.message}>
          <Icon name="warning" />
        </span>
      )}
      <span class="service">{row.service}</span>
    </>
  );
}

type SpanRow = Exclude<TraceRow, { kind: "log" }>;

function Bar({ row, hue, scale }: { row: SpanRow; hue: number | undefined; scale: Scale }) {
  if (!scale.isInside(row.offset_ms, row.duration_ms)) return null;
  const { left, width } = scale.place(row.offset_ms, row.duration_ms);
  const end = left + width;
  const place = end <= lateEnd ? "after" : left >= earlyStart ? "before" : "on";
  const label = {
    after: { left: percent(end) },
    before: { right: percent(1 - left) },
    on: { right: percent(1 - end) },
  }[place];
  return (
    <>
      <span
        class={`bar ${row.kind === "wait" ? "waiting-bar" : `hue-${hue ?? 1}`}`}
        style={{ left: percent(left), width: percent(width) }}
      />
      {row.events.map((event) => (
        <span
          key={`${event.name} ${event.offset_ms}`}
          class="event-mark"
          title={event.name}
          style={{ left: percent(scale.place(event.offset_ms, 0).left) }}
        />
      ))}
      <span class={`bar-label ${place}`} style={label}>
        {formatDuration(row.duration_ms)}
      </span>
    </>
  );
}

function LogMark({ row, scale }: { row: Extract<TraceRow, { kind: "log" }>; scale: Scale }) {
  if (!scale.isInside(row.offset_ms, 0)) return null;
  return <span class="log-mark" style={{ left: percent(scale.place(row.offset_ms, 0).left) }} />;
}
