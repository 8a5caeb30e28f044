/**
 * The verbs of one value: get, set, del, push, incr, merge, patch.
 *
 * @module
 */

import type { PatchOperation } from "../api/patch.ts";
import type { Json } from "../data/json.ts";
import { formatPlace, type Path } from "../data/path.ts";
import { toError } from "../call/answer.ts";
import type { Command } from "./commander.ts";
import { parseDuration } from "./duration.ts";
import { Failure, failureOf, wrongUsage } from "./failure.ts";
import { parsePlace } from "./place.ts";
import { formatJson, paintFor } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { confirm, onServer, optionsOf, parseValue, takeValue, type Verb } from "./verb.ts";

/** Reads a value. */
export const addGet: Verb = (program, terminal) => {
  program.command("get <path>")
    .summary("print a value, or a part of one")
    .description(
      "Prints a value, or a part of one. In a pipe it is the text in Redis, byte for byte; on a terminal it is " +
        "indented.",
    )
    .option("-s, --string", "print a string without quotes and escapes")
    .addHelpText("after", "\nExample:\n  json-dict get sample.positions[-1]")
    .action(async (place: string, options: { string?: boolean }, command: Command) => {
      const path = parsePlace(place);
      await onServer(command, terminal, async ({ store }) => {
        const read = { kind: "get", path } as const;
        const text = await store.within({ signal: terminal.signal }).tryRead(read);
        if (typeof text !== "string") throw toError(read, text, "get");
        const value = store.codec.decode(text, "get", path);
        await terminal.write(`${show(terminal, command, text, value, options.string === true)}\n`);
      });
    });
};

function show(
  terminal: Terminal,
  command: Command,
  text: string,
  value: unknown,
  isString: boolean,
): string {
  if (isString && typeof value === "string") return value;
  if (optionsOf(command).json || !terminal.isOutput) return text;
  return formatJson(value, paintFor(terminal, terminal.isOutput));
}

interface SetOptions {
  readonly string?: boolean;
  readonly ttl?: string;
  readonly keepTtl?: boolean;
  readonly parents?: boolean;
}

/** Writes a value. */
export const addSet: Verb = (program, terminal) => {
  program.command("set <path> [value]")
    .summary("write a value, or a part of one")
    .description(
      "Writes a value, or a part of one, whatever was there. The value is JSON, as an argument or from the input. " +
        "A whole value loses its expiry, unless --ttl or --keep-ttl says otherwise.",
    )
    .option("-s, --string", "take the text as a string, not as JSON")
    .option("--ttl <duration>", "let the whole value expire after so long, as 90s, 5m, 2h or 7d")
    .option("--keep-ttl", "keep the expiry of the whole value")
    .option("-p, --parents", "create what is missing on the way")
    .addHelpText(
      "after",
      `\nExamples:\n  json-dict set sample '{"color":"red"}'\n  json-dict set sample.color '"blue"'\n  json-dict set -s sample.color blue`,
    )
    .action(async (place: string, text: string | undefined, options: SetOptions, command: Command) => {
      const path = parsePlace(place);
      const [key, ...inside] = path;
      const ttl = options.ttl === undefined ? {} : { ttl: parseDuration(options.ttl) };
      if (inside.length > 0 && (options.ttl !== undefined || options.keepTtl)) {
        throw wrongUsage("Cannot set: --ttl and --keep-ttl are for whole values; a part keeps the expiry");
      }
      const value = await takeValue(terminal, text, options.string);
      const { signal } = terminal;
      await onServer(command, terminal, async ({ dict }) => {
        const keep = options.keepTtl ? { keepTtl: true } : {};
        if (inside.length === 0) await dict.set(String(key), value, { ...ttl, ...keep, signal });
        else await dict.at(...path).set(value, { parents: options.parents === true, signal });
      });
    });
};

/** Deletes values. */
export const addDel: Verb = (program, terminal) => {
  program.command("del <path...>")
    .summary("delete values, or parts of them")
    .description(
      "Deletes values, or parts of them, one after the other. It asks first, or needs --yes where nobody can answer.",
    )
    .addHelpText("after", "\nExample:\n  json-dict del sample.color --yes")
    .action(async (places: string[], _: unknown, command: Command) => {
      const paths = places.map(parsePlace);
      await confirm(command, terminal, `delete ${paths.map(formatPlace).join(", ")}`);
      await onServer(command, terminal, async ({ dict }) => {
        const missing: Path[] = [];
        const deleted: Path[] = [];
        const options = { signal: terminal.signal };
        try {
          for (const path of paths) {
            const done = path.length === 1
              ? await dict.delete(String(path[0]), options)
              : await dict.at(...path).delete(options);
            (done ? deleted : missing).push(path);
          }
        } catch (error) {
          if (deleted.length === 0) throw error;
          const which = deleted.map(formatPlace).join(", ");
          throw failureOf(
            error,
            terminal.signal,
            `${deleted.length} of ${paths.length} are deleted: ${which}`,
          );
        }
        if (missing.length > 0) {
          throw new Failure(`Cannot delete ${missing.map(formatPlace).join(", ")}: not found`, 3);
        }
      });
    });
};

/** Adds elements. */
export const addPush: Verb = (program, terminal) => {
  program.command("push <path> <value...>")
    .summary("add elements at the end of an array")
    .description("Adds elements at the end of an array, and prints its new length.")
    .option("-s, --string", "take the texts as strings, not as JSON")
    .option("-p, --parents", "create what is missing on the way, the array too")
    .addHelpText("after", "\nExample:\n  json-dict push sample.positions 3 4")
    .action(async (place: string, texts: string[], options: SetOptions, command: Command) => {
      const path = parsePlace(place);
      const items = options.string ? texts : texts.map(parseValue);
      await onServer(command, terminal, async ({ dict }) => {
        const ref = dict.at(...path).with({ signal: terminal.signal });
        const length = await (options.parents ? ref.parents() : ref).push(...items);
        await terminal.write(`${length}\n`);
      });
    });
};

/** Adds to a number. */
export const addIncr: Verb = (program, terminal) => {
  program.command("incr <path> [by]")
    .summary("add to a number")
    .description("Adds to a number, 1 if nothing else is said, and prints the new one. Integers stay exact.")
    .option("-p, --parents", "create what is missing on the way; the number starts at 0")
    .addHelpText("after", "\nExample:\n  json-dict incr visits -5")
    .action(async (place: string, text: string = "1", options: SetOptions, command: Command) => {
      const path = parsePlace(place);
      const by = parseValue(text);
      if (typeof by !== "number" && typeof by !== "bigint") {
        throw wrongUsage(`Cannot increment by ${JSON.stringify(text)}: it is not a number`);
      }
      await onServer(command, terminal, async ({ dict }) => {
        const { signal } = terminal;
        const ref = dict.at(...path);
        const sum = await ref.increment(by as number, { parents: options.parents === true, signal });
        await terminal.write(`${sum}\n`);
      });
    });
};

/** Merges into a value. */
export const addMerge: Verb = (program, terminal) => {
  program.command("merge <path> [patch]")
    .summary("apply a JSON Merge Patch")
    .description(
      "Applies a JSON Merge Patch (RFC 7396): members replace those of the value, objects are merged, null removes a " +
        "member. The patch is an argument or comes from the input.",
    )
    .addHelpText("after", `\nExample:\n  json-dict merge sample '{"color":"blue","note":null}'`)
    .action(async (place: string, text: string | undefined, _: unknown, command: Command) => {
      const path = parsePlace(place);
      const patch = await takeValue(terminal, text) as Record<string, Json>;
      const options = { signal: terminal.signal };
      await onServer(command, terminal, async ({ dict }) => {
        if (path.length === 1) await dict.merge(String(path[0]), patch, options);
        else await dict.at(...path).merge(patch, options);
      });
    });
};

/** Patches a value. */
export const addPatch: Verb = (program, terminal) => {
  program.command("patch <path> [operations]")
    .summary("apply a JSON Patch")
    .description(
      "Applies a JSON Patch (RFC 6902), all of it or nothing. The operations are an argument or come from the input.",
    )
    .addHelpText(
      "after",
      `\nExample:\n  json-dict patch sample '[{"op":"replace","path":"/color","value":"blue"}]'`,
    )
    .action(async (place: string, text: string | undefined, _: unknown, command: Command) => {
      const path = parsePlace(place);
      const operations = await takeValue(terminal, text) as PatchOperation[];
      const options = { signal: terminal.signal };
      await onServer(command, terminal, async ({ dict }) => {
        if (path.length === 1) await dict.patch(String(path[0]), operations, options);
        else await dict.at(...path).patch(operations, options);
      });
    });
};
