/** What stands above a waterfall: search, errors, folding, zoom, and which colour is which service. */

import type { RefObject } from "preact";
import { Duration } from "../parts/time.tsx";

export interface ToolsProps {
  field: RefObject<HTMLInputElement | null>;
  text: string;
  /** How many rows say the text. */
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

export function Tools({ field, text, found, errors, hasFolded, isZoomed, hues, rows, durationMs, ...on }: ToolsProps) {
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
