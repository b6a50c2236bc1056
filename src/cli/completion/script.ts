/** What a shell is told, once: ask `throughline complete -- …` at each tab. */

import { script } from "@bomb.sh/tab";

export function printScript(shell: "bash" | "zsh" | "fish"): void {
  if (shell === "bash") process.stdout.write(bashScript);
  else script(shell, "throughline", "throughline");
}

/**
 * The library's own needs the package bash-completion, cannot be loaded twice, and evaluates what was typed. Bash
 * splits words at `=`, which is undone here: `--status=su` is one word again.
 */
const bashScript = `# bash completion for throughline
__throughline_complete() {
    local words=() word line
    for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ \${#words[@]} -gt 0 && ( $word == = || \${words[\${#words[@]}-1]} == --*= ) ]]; then
            words[\${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    COMPREPLY=()
    # Each line is a completion, a tab and what it means; the last one says how to go on.
    while IFS= read -r line; do
        [[ $line == :* ]] || COMPREPLY+=("\${line%%$'\\t'*}")
    done < <(throughline complete -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F __throughline_complete throughline
`;
