/** Puts a text on the clipboard, and says for a moment that it has. */

import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";
import { tellError } from "./notices.tsx";

const shownMs = 1500;

/** `what` is what the button copies, for who cannot see it; `label` is what stands on it. */
export function CopyButton({ text, what, label }: { text: string | (() => string); what: string; label?: string }) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return;
    const timer = setTimeout(() => setDone(false), shownMs);
    return () => clearTimeout(timer);
  }, [isDone]);
  const copy = async (event: Event): Promise<void> => {
    event.preventDefault();
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      setDone(true);
    } catch {
      tellError(`The browser does not let the page copy ${what}.`);
    }
  };
  const said = isDone ? "Copied" : `Copy ${what}`;
  return (
    <button type="button" class={label ? "copy" : "icon-button copy"} title={said} aria-label={said} onClick={copy}>
      <Icon name={isDone ? "done" : "copy"} />
      {label && <span>{label}</span>}
    </button>
  );
}
