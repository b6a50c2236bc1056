/** Orders a redrive: first says how many it would bring back, then how fast and why. */

import { useEffect, useState } from "preact/hooks";
import { ApiProblem, send } from "../../api.ts";
import type { Redrive, Selection } from "../../dead-letter.ts";
import { noteRedrive } from "../../known-redrives.ts";
import { go } from "../../location.ts";
import { Dialog } from "../../parts/controls.tsx";
import { Problem } from "../../parts/view.tsx";
import { ReasonField } from "./reason-field.tsx";

export interface RedriveDialogProps {
  selection: Selection;
  /** In words. */
  what: string;
  onClose(): void;
}

/** Guarded are those that have come back dead from three redrives. */
interface Preview {
  matched: number;
  guarded: number;
}

export function RedriveDialog({ selection, what, onClose }: RedriveDialogProps) {
  const [preview, setPreview] = useState<Preview>();
  const [problem, setProblem] = useState<ApiProblem>();
  const [rate, setRate] = useState("");
  const [reason, setReason] = useState("");
  const [isForced, setForced] = useState(false);
  const [isSending, setSending] = useState(false);
  const asked = JSON.stringify(selection);

  useEffect(() => {
    let isOver = false;
    orderOf({ ...JSON.parse(asked), dry_run: true })
      .then((counted) => !isOver && setPreview({ matched: counted.matched, guarded: counted.failed }))
      .catch((thrown) => !isOver && setProblem(toProblem(thrown)));
    return () => {
      isOver = true;
    };
  }, [asked]);

  const moving = preview && preview.matched - (isForced ? 0 : preview.guarded);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setSending(true);
    try {
      const order = await orderOf({
        ...selection,
        ...(rate !== "" && { rate_per_second: Number(rate) }),
        ...(reason !== "" && { reason }),
        ...(isForced && { force: true }),
      });
      onClose();
      if (order.id !== null) {
        noteRedrive(order.id);
        go(`/dead-letters/redrives/${order.id}`);
      }
    } catch (thrown) {
      setProblem(toProblem(thrown));
      setSending(false);
    }
  };
  return (
    <Dialog title={`Redrive ${what}`} onClose={onClose}>
      <form onSubmit={submit}>
        {problem && <Problem problem={problem} />}
        <p class="preview" aria-live="polite">
          <PreviewText preview={preview} moving={moving} />
        </p>
        {preview !== undefined && preview.guarded > 0 && (
          <label class="check">
            <input type="checkbox" checked={isForced} onChange={(event) => setForced(event.currentTarget.checked)} />
            Also the {preview.guarded} that came back dead from three redrives
          </label>
        )}
        <label class="field">
          <span>Tasks a second</span>
          <input
            type="number"
            min="0.001"
            max="100000"
            step="any"
            inputMode="decimal"
            placeholder="As fast as it goes"
            value={rate}
            onInput={(event) => setRate(event.currentTarget.value)}
          />
        </label>
        <ReasonField value={reason} onTyped={setReason} />
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isSending || !moving}>
            {moving ? `Redrive ${moving.toLocaleString("en")}` : "Redrive"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function PreviewText({ preview, moving }: { preview: Preview | undefined; moving: number | undefined }) {
  if (!preview || moving === undefined) return <span class="quiet">Counting…</span>;
  if (preview.matched === 0) return <>Nothing fits any more: they were brought back or discarded.</>;
  return (
    <>
      <b>{moving.toLocaleString("en")}</b> {moving === 1 ? "task goes" : "tasks go"} back to work, each in a new trace
      that is linked to the old one. Their attempts start again.
    </>
  );
}

export function orderOf(body: object): Promise<Redrive> {
  return send<Redrive>("/dead-letters/redrive", body);
}

export function toProblem(thrown: unknown): ApiProblem {
  return thrown instanceof ApiProblem ? thrown : new ApiProblem(0, { detail: String(thrown) });
}
