/** Asks for an API key when the console wants to know who asks. */

import { useState } from "preact/hooks";
import { keyAsked, setApiKey } from "../api.ts";
import { Dialog } from "./controls.tsx";

export function KeyDialog({ why }: { why: string }) {
  const [text, setText] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    setApiKey(text);
  };
  return (
    <Dialog title="API key" onClose={() => (keyAsked.value = undefined)}>
      <form onSubmit={submit}>
        <p class="quiet">{why}</p>
        <label class="field">
          <span>Key</span>
          <input
            type="password"
            autoComplete="off"
            spellcheck={false}
            placeholder="tl_…"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <p class="quiet small">
          It stays in this tab, and is forgotten when the tab is closed. <code>throughline key create</code> makes one.
        </p>
        <footer>
          <button type="submit" class="primary" disabled={text.trim() === ""}>
            Use this key
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
