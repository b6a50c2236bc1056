/** The keys that there are at the moment. */

import { signal } from "@preact/signals";
import { currentShortcuts } from "../shortcuts.ts";
import { Dialog } from "./controls.tsx";

export const isHelpOpen = signal(false);

export function HelpDialog() {
  return (
    <Dialog title="Keyboard" onClose={() => (isHelpOpen.value = false)}>
      <dl class="shortcuts">
        {currentShortcuts().map(({ keys, says }) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{says}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Leave a field, close a dialog</dd>
        </div>
      </dl>
    </Dialog>
  );
}
