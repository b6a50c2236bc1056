import type { AddCommand } from "../commands.ts";
import { withExamples } from "../flags.ts";

export const shells = ["bash", "zsh", "fish"] as const;

export const addCompletion: AddCommand = (program) => {
  const command = program
    .command("completion")
    .description("what makes a shell complete commands, flags and ids")
    .addArgument(program.createArgument("<shell>", "which one").choices(shells))
    .action(async (shell: (typeof shells)[number]) => {
      const { printScript } = await import("../completion/script.ts");
      printScript(shell);
    });
  withExamples(
    command,
    ["source <(throughline completion bash)", "in ~/.bashrc"],
    ["source <(throughline completion zsh)", "in ~/.zshrc, after compinit"],
    ["throughline completion fish | source", "in ~/.config/fish/config.fish"],
  );
};
