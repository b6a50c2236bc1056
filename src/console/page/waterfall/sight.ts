/** Which part of a long list of rows is in sight. */

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

export const rowHeightPx = 26;
export const rulerHeightPx = 28;

export interface Sight {
  top: number;
  height: number;
  width: number;
}

const unseen: Sight = { top: 0, height: 600, width: 600 };

/** Follows the scrolling and the size of `frame`. */
export function useSight(frame: RefObject<HTMLElement | null>): Sight {
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
export function scrollToRow(frame: HTMLElement, place: number): void {
  const [top, height] = [place * rowHeightPx, frame.clientHeight - rulerHeightPx];
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (top + rowHeightPx > frame.scrollTop + height) frame.scrollTop = top + rowHeightPx - height;
}
