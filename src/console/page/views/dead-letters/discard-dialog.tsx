/** Puts a dead task away for good; the reason stays with it. */

import { useState } from "preact/hooks";
import { type ApiProblem, send } from "../../api.ts";
import { Dialog } from "../../parts/controls.tsx";
import { tell } from "../../parts/notices.tsx";
import { Problem } from "../../parts/view.tsx";
import { toProblem } from "./dialogs.tsx";
import { ReasonField } from "./reason-field.tsx";

export function DiscardDialog({ id, onClose, onDone }: { id: string; onClose(): void; onDone(): void }) {
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<ApiProblem>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      await send(`/dead-letters/${id}/discard`, { reason });
      tell("The task is discarded.");
      onClose();
      onDone();
    } catch (thrown) {
      setProblem(toProblem(thrown));
    }
  };
  return (
    <Dialog title="Discard this task" onClose={onClose}>
      <form onSubmit={submit}>
        {problem && <Problem problem={problem} />}
        <p>It never runs again. Its attempts and its trace stay for as long as others do.</p>
        <ReasonField isRequired placeholder="Why nobody needs it" value={reason} onTyped={setReason} />
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={reason === ""}>
            Discard
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
