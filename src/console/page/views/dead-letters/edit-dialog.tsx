/** Brings one dead task back with another payload; what does not fit its handler's schema is said beside it. */

import { useState } from "preact/hooks";
import { useAnswer } from "../../answer.ts";
import type { ApiProblem } from "../../api.ts";
import type { DeadLetter } from "../../dead-letter.ts";
import { noteRedrive } from "../../known-redrives.ts";
import { go } from "../../location.ts";
import { Dialog } from "../../parts/controls.tsx";
import { Problem } from "../../parts/view.tsx";
import type { RegisteredType } from "../../task.tsx";
import { readPayload } from "../tasks/payload.ts";
import { orderOf, toProblem } from "./dialogs.tsx";
import { ReasonField } from "./reason-field.tsx";

export function EditDialog({ task, onClose }: { task: DeadLetter["task"]; onClose(): void }) {
  const before = JSON.stringify(task.payload, null, 2) ?? "null";
  const [text, setText] = useState(before);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<ApiProblem>();
  const [isSending, setSending] = useState(false);
  const types = useAnswer<{ items: RegisteredType[] }>("/types", { everyMs: 0 });
  const schema = types.data?.items.find(({ type }) => type === task.type)?.payload_schema;
  const read = readEdited(text, schema);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if ("problem" in read) return;
    setSending(true);
    try {
      const order = await orderOf({ ids: [task.id], payload: read.value, ...(reason !== "" && { reason }) });
      if (order.id !== null) noteRedrive(order.id);
      onClose();
      go(`/tasks/${task.id}`);
    } catch (thrown) {
      setProblem(toProblem(thrown));
      setSending(false);
    }
  };
  return (
    <Dialog title={`Redrive ${task.type} with another payload`} width="wide" onClose={onClose}>
      <form onSubmit={submit}>
        {problem && <Problem problem={problem} />}
        <label class="field">
          <span>Payload, JSON</span>
          <textarea
            rows={14}
            spellcheck={false}
            aria-invalid={"problem" in read}
            aria-describedby="edited-said"
            value={text}
            onInput={(event) => {
              setText(event.currentTarget.value);
              setProblem(undefined);
            }}
          />
          <span id="edited-said" class="small quiet">
            {"problem" in read ? (
              <span class="bad">{read.problem}</span>
            ) : (
              "It takes the place of the payload it died with."
            )}
          </span>
        </label>
        <ReasonField value={reason} onTyped={setReason} />
        <footer>
          <button type="button" disabled={text === before} onClick={() => setText(before)}>
            As it was
          </button>
          <button type="submit" class="primary" disabled={isSending || "problem" in read}>
            Redrive with this
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

/** To bring a task back with nothing is no edit: null is a payload too. */
function readEdited(text: string, schema: unknown): { value: unknown } | { problem: string } {
  if (text.trim() === "") return { problem: "A payload is wanted; null is one" };
  const read = readPayload(text, schema);
  return read.problem === undefined ? { value: read.value } : { problem: read.problem };
}
