/** Controls: fields, the copy button, and the dialog. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";
import { tellError } from "./notices.tsx";

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

const typingPauseMs = 250;

export interface TypedFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onTyped(text: string): void;
  /** Proposed. */
  list?: readonly string[];
  /** It is the field that `/` leads to. */
  icon?: boolean;
}

/** A field that reports its text once typing pauses. */
export function TypedField({ label, placeholder, value, onTyped, list, icon = false }: TypedFieldProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onTyped(text), typingPauseMs);
    return () => clearTimeout(timer);
  }, [text]);
  const listId = list && `proposed-${label}`;
  return (
    <label class={icon ? "typed search" : "typed"}>
      <span class="unseen">{label}</span>
      {icon && <Icon name="search" />}
      <input
        type="search"
        class={icon ? "with-icon" : undefined}
        placeholder={placeholder}
        value={text}
        list={listId}
        autoComplete="off"
        spellcheck={false}
        data-search={icon ? "" : undefined}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {list && (
        <datalist id={listId}>
          {list.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </label>
  );
}

const copiedShownMs = 1500;

/**
 * Puts a text on the clipboard, and shows for a moment that it has. `what` names the text for those who cannot see it;
 * `label` is the text on the button.
 */
export function CopyButton({ text, what, label }: { text: string | (() => string); what: string; label?: string }) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return;
    const timer = setTimeout(() => setDone(false), copiedShownMs);
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
  const title = isDone ? "Copied" : `Copy ${what}`;
  return (
    <button type="button" class={label ? "copy" : "icon-button copy"} title={title} aria-label={title} onClick={copy}>
      <Icon name={isDone ? "done" : "copy"} />
      {label && <span>{label}</span>}
    </button>
  );
}

export interface ReasonFieldProps {
  value: string;
  onTyped(text: string): void;
  placeholder?: string;
  isRequired?: boolean;
}

/** The reason for what is done to a dead task; it becomes a part of the task's history. */
export function ReasonField({
  value,
  onTyped,
  placeholder = "For the task's history",
  isRequired = false,
}: ReasonFieldProps) {
  return (
    <label class="field">
      <span>Reason</span>
      <input
        required={isRequired}
        maxLength={1024}
        placeholder={placeholder}
        value={value}
        onInput={(event) => onTyped(event.currentTarget.value)}
      />
    </label>
  );
}
