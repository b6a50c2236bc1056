/** A modal dialog: the browser keeps the focus inside it, `Escape` closes it, and the focus goes back where it was. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./icon.tsx";

export interface DialogProps {
  title: string;
  onClose(): void;
  /** `wide`: for what is written in it. */
  width?: "narrow" | "wide";
  children: ComponentChildren;
}

export function Dialog({ title, onClose, width = "narrow", children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    // The browser would begin with the button that closes it.
    element.current?.querySelector<HTMLElement>("input, textarea")?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} class={width} aria-labelledby={titleId} onClose={onClose}>
      <div class="dialog-body">
        <header>
          <h2 id={titleId}>{title}</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
