/** Why somebody does this to a dead task: it stays in the task's history. */

export interface ReasonFieldProps {
  value: string;
  onTyped(text: string): void;
  placeholder?: string;
  isRequired?: boolean;
}

export function ReasonField({
  value,
  onTyped,
  placeholder = "For whoever reads the history",
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
