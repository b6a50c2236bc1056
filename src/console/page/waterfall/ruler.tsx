/** The time above the bars. Drawing over a part of it zooms in there. */

import { useRef, useState } from "preact/hooks";
import { formatDuration } from "../../../terminal/times.ts";
import type { Scale, TimeWindow } from "./scale.ts";

const leastPart = 0.005;

export function Ruler({ scale, onZoom }: { scale: Scale; onZoom(zoom: TimeWindow): void }) {
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

export function percent(part: number): string {
  return `${(part * 100).toFixed(3)}%`;
}
