/**
 * Completion for shells: completion.
 *
 * @module
 */

import type { Command } from "./commander.ts";
import { wrongUsage } from "./failure.ts";
import type { Verb } from "./verb.ts";

/** What can be completed. */
interface Word {
  readonly word: string;
  readonly summary: string;
}

/** Makes the script of a shell from the verbs, and the options of each. */
type Script = (verbs: readonly Word[], optionsOf: (verb: string) => readonly Word[]) => string;

const SCRIPTS: Readonly<Record<string, Script>> = {
  bash: (verbs, optionsOf) =>
    `# json-dict completion bash
_json_dict() {
  local word="\${COMP_WORDS[COMP_CWORD]}" verb="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
${verbs.map(({ word }) => `      ${word}) verb=${word}; break ;;`).join("\n")}
    esac
  done
  case "$verb" in
${
      verbs.map(({ word }) =>
        `    ${word}) COMPREPLY=($(compgen -W "${join(optionsOf(word))}" -- "$word")) ;;`
      )
        .join("\n")
    }
    *) COMPREPLY=($(compgen -W "${join(verbs)} ${join(optionsOf(""))}" -- "$word")) ;;
  esac
  # What is no option may be a file.
  if [[ "$word" != -* && -n "$verb" ]]; then COMPREPLY+=($(compgen -f -- "$word")); fi
}
complete -F _json_dict json-dict
`,
  zsh: (verbs, optionsOf) =>
    `#compdef json-dict
# json-dict completion zsh
_json_dict() {
  local -a verbs
  verbs=(
${verbs.map(({ word, summary }) => `    ${quote(`${word}:${summary}`)}`).join("\n")}
  )
  local verb=""
  local each
  for each in "\${words[@]:1:$((CURRENT - 2))}"; do
    if (( \${verbs[(I)\${each}:*]} )); then verb="$each"; break; fi
  done
  local -a options
  case "$verb" in
${
      verbs.map(({ word }) =>
        `    ${word}) options=(${optionsOf(word).map(({ word }) => quote(word)).join(" ")}) ;;`
      ).join("\n")
    }
    *) options=(${optionsOf("").map(({ word }) => quote(word)).join(" ")}); _describe verb verbs ;;
  esac
  compadd -a options
  if [[ -n "$verb" ]]; then _files; fi
}
compdef _json_dict json-dict
`,
  fish: (verbs, optionsOf) => {
    const seen = `__fish_seen_subcommand_from ${join(verbs)}`;
    const option = (condition: string, { word, summary }: Word): string =>
      `complete -c json-dict -n ${quote(condition)} -l ${word.slice(2)} -d ${quote(summary)}`;
    return [
      "# json-dict completion fish",
      ...verbs.map(({ word, summary }) =>
        `complete -c json-dict -f -n ${quote(`not ${seen}`)} -a ${word} -d ${quote(summary)}`
      ),
      ...optionsOf("").map((word) => option(`not ${seen}`, word)),
      ...verbs.flatMap((verb) =>
        optionsOf(verb.word).map((word) => option(`__fish_seen_subcommand_from ${verb.word}`, word))
      ),
      "",
    ].join("\n");
  },
};

/** Prints the script that lets a shell complete verbs and options. */
export const addCompletion: Verb = (program, terminal) => {
  const shells = Object.keys(SCRIPTS).join(", ");
  program.command("completion <shell>")
    .summary("print a script that completes verbs and options")
    .description(
      `Prints a script for a shell, one of ${shells}, that completes verbs, options and names of files.`,
    )
    .addHelpText(
      "after",
      "\nExample:\n  json-dict completion bash > ~/.local/share/bash-completion/completions/json-dict",
    )
    .action(async (shell: string) => {
      const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (!script) throw wrongUsage(`Cannot complete in ${JSON.stringify(shell)}: expected ${shells}`);
      const verbs = program.commands.map((verb) => ({ word: verb.name(), summary: verb.summary() }));
      const optionsOf = (verb: string): Word[] => {
        const own = program.commands.filter((command) => command.name() === verb);
        return [...own, program].flatMap(longOptions);
      };
      await terminal.write(script(verbs, optionsOf));
    });
};

function longOptions(command: Command): Word[] {
  return command.options.flatMap(({ long, description }) =>
    long ? [{ word: long, summary: description }] : []
  );
}

function join(words: readonly Word[]): string {
  return words.map(({ word }) => word).join(" ");
}

/** All three shells take a text in single quotes literally, once a single quote in it is written outside of them. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
