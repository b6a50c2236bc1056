/** Submits a task. A mistake is shown beside the field, before the task is sent where the page can know it. */

import { useState } from "preact/hooks";
import { layOut, textOf } from "../../../../words/json-text.ts";
import { ApiProblem, send, useAnswer } from "../../api.ts";
import { go } from "../../location.ts";
import { Dialog } from "../../parts/controls.tsx";
import { Problem } from "../../parts/view.tsx";
import type { RegisteredType, Task } from "../../task.tsx";
import { type ReadPayload, readPayload } from "./payload.ts";

export interface SubmitDialogProps {
  types: readonly string[];
  /** To begin with. */
  type?: string;
  payload?: unknown;
  onClose(): void;
}

interface Draft {
  type: string;
  payload: string;
  delay: string;
  timeout: string;
  maxAttempts: string;
  isForced: boolean;
}

export function SubmitDialog({ types, type = "echo", payload = { hello: "world" }, onClose }: SubmitDialogProps) {
  const [draft, setDraft] = useState<Draft>({
    type,
    payload: layOut(textOf(payload)),
    delay: "",
    timeout: "",
    maxAttempts: "",
    isForced: false,
  });
  const [problem, setProblem] = useState<ApiProblem>();
  const [isSending, setSending] = useState(false);
  const change = (changes: Partial<Draft>): void => {
    setDraft({ ...draft, ...changes });
    setProblem(undefined);
  };
  const registered = useAnswer<{ items: RegisteredType[] }>("/types", { everyMs: 0 }).data?.items ?? [];
  const schema = registered.find((each) => each.type === draft.type.trim())?.payload_schema;
  const read = readPayload(draft.payload, schema);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (read.problem !== undefined) return;
    setSending(true);
    try {
      const headers: Record<string, string> = draft.isForced ? { "x-force-trace": "true" } : {};
      const { id } = await send<Task>("/tasks", toBody(draft, read.text), headers);
      onClose();
      go(`/tasks/${id}`);
    } catch (thrown) {
      setProblem(thrown instanceof ApiProblem ? thrown : new ApiProblem(0, { detail: String(thrown) }));
      setSending(false);
    }
  };
  const sendByKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void submit(event);
  };

  return (
    <Dialog title="New task" width="wide" onClose={onClose}>
      <form class="submit" onSubmit={submit} onKeyDown={sendByKey}>
        {problem && <Problem problem={problem} />}
        <DraftFields
          draft={draft}
          change={change}
          types={[...new Set([...registered.map((each) => each.type), ...types])].sort()}
          read={read}
          hasSchema={Boolean(schema)}
        />
        <footer>
          <span class="quiet small hint">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd>
          </span>
          <button type="button" onClick={onClose}>
            Not now
          </button>
          <button
            type="submit"
            class="primary"
            disabled={isSending || read.problem !== undefined || draft.type.trim() === ""}
          >
            Submit task
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

interface DraftFieldsProps {
  draft: Draft;
  change(changes: Partial<Draft>): void;
  types: readonly string[];
  /** What the payload amounts to, or what is wrong with it. */
  read: ReadPayload;
  hasSchema: boolean;
}

function DraftFields({ draft, change, types, read, hasSchema }: DraftFieldsProps) {
  return (
    <>
      <label class="field">
        <span>Type</span>
        <input
          required
          list="known-types"
          autoComplete="off"
          spellcheck={false}
          value={draft.type}
          onInput={(event) => change({ type: event.currentTarget.value })}
        />
        <datalist id="known-types">
          {types.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      </label>
      <label class="field">
        <span>Payload, JSON</span>
        <textarea
          rows={9}
          spellcheck={false}
          aria-invalid={read.problem !== undefined}
          aria-describedby="payload-said"
          value={draft.payload}
          onInput={(event) => change({ payload: event.currentTarget.value })}
        />
      </label>
      <p
        id="payload-said"
        class={read.problem === undefined ? "quiet small said" : "bad small said"}
        aria-live="polite"
      >
        {read.problem ?? `${read.bytes} bytes${hasSchema ? ", fits the type" : ""}`}
      </p>
      <div class="field-row">
        <SmallField label="Delay" placeholder="none" value={draft.delay} onText={(delay) => change({ delay })} />
        <SmallField
          label="Timeout"
          placeholder="its type's"
          value={draft.timeout}
          onText={(timeout) => change({ timeout })}
        />
        <SmallField
          label="Attempts"
          placeholder="its type's"
          value={draft.maxAttempts}
          onText={(maxAttempts) => change({ maxAttempts })}
        />
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={draft.isForced}
          onChange={(event) => change({ isForced: event.currentTarget.checked })}
        />
        Keep its trace, whatever the sampling
      </label>
    </>
  );
}

interface SmallFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onText(text: string): void;
}

function SmallField({ label, placeholder, value, onText }: SmallFieldProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        placeholder={placeholder}
        autoComplete="off"
        value={value}
        onInput={(event) => onText(event.currentTarget.value)}
      />
    </label>
  );
}

/** Empty fields are left out; the API refuses what is not a number. */
function toBody({ type, delay, timeout, maxAttempts }: Draft, payload: unknown): Record<string, unknown> {
  const attempts = maxAttempts.trim();
  return {
    type: type.trim(),
    ...(payload !== undefined && { payload }),
    ...(delay.trim() && { delay: delay.trim() }),
    ...(timeout.trim() && { timeout: timeout.trim() }),
    ...(attempts && { max_attempts: Number.isNaN(Number(attempts)) ? attempts : Number(attempts) }),
  };
}
