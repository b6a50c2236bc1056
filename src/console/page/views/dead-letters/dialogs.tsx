/** What is done to dead tasks: a redrive of many, of one with another payload, and the end of one for good. */

import { useEffect, useState } from "preact/hooks";
import { type JsonText, layOut, textOf } from "../../../../words/json-text.ts";
import { ApiProblem, send, useAnswer } from "../../api.ts";
import type { DeadLetter, Redrive, Selection } from "../../dead-letter.ts";
import { go } from "../../location.ts";
import { Dialog, ReasonField } from "../../parts/controls.tsx";
import { tell } from "../../parts/notices.tsx";
import { Problem } from "../../parts/view.tsx";
import type { RegisteredType } from "../../task.tsx";
import { readPayload } from "../tasks/payload.ts";
import { noteRedrive } from "./redrives.tsx";

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
  const question = JSON.stringify(selection);

  useEffect(() => {
    let isOver = false;
    orderOf({ ...JSON.parse(question), dry_run: true })
      .then((counted) => !isOver && setPreview({ matched: counted.matched, guarded: counted.failed }))
      .catch((thrown) => !isOver && setProblem(toProblem(thrown)));
    return () => {
      isOver = true;
    };
  }, [question]);

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

function orderOf(body: object): Promise<Redrive> {
  return send<Redrive>("/dead-letters/redrive", body);
}

function toProblem(thrown: unknown): ApiProblem {
  return thrown instanceof ApiProblem ? thrown : new ApiProblem(0, { detail: String(thrown) });
}

/** Brings one dead task back with another payload; what does not fit its handler's schema is shown beside it. */
export function EditDialog({ task, onClose }: { task: DeadLetter["task"]; onClose(): void }) {
  const before = layOut(textOf(task.payload));
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
      const order = await orderOf({ ids: [task.id], payload: read.payload, ...(reason !== "" && { reason }) });
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
function readEdited(text: string, schema: unknown): { payload: JsonText } | { problem: string } {
  const { problem, text: payload } = readPayload(text, schema);
  if (problem !== undefined) return { problem };
  return payload ? { payload } : { problem: "A payload is wanted; null is one" };
}

/** Puts a dead task away for good; the reason stays with it. */
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
        <ReasonField isRequired placeholder="Why it is not needed" value={reason} onTyped={setReason} />
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
