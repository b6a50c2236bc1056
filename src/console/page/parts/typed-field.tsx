/** A field that tells what was typed once nobody has typed for a moment. */

import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

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
