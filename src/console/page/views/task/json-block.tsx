/** A JSON value, laid out, with a button that copies it; a long one is cut until all of it is asked for. */

import { useState } from "preact/hooks";
import { CopyButton } from "../../parts/copy-button.tsx";

const cutLines = 30;

/** `none` stands there for null. */
export function JsonBlock({ title, value, none }: { title: string; value: unknown; none?: string }) {
  const [isWhole, setWhole] = useState(false);
  const isNone = none !== undefined && (value === null || value === undefined);
  const text = JSON.stringify(value, null, 2) ?? "null";
  const lines = text.split("\n");
  const isCut = lines.length > cutLines && !isWhole;
  return (
    <section class="card">
      <h2>
        {title}
        {!isNone && <CopyButton what={title.toLowerCase()} text={text} />}
      </h2>
      {isNone ? (
        <p class="quiet">{none}</p>
      ) : (
        <pre class="json">{isCut ? lines.slice(0, cutLines).join("\n") : text}</pre>
      )}
      {isCut && (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          All {lines.length} lines
        </button>
      )}
    </section>
  );
}
