/**
 * Editing by hand: edit.
 *
 * @module
 */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toError } from "../call/answer.ts";
import { decode } from "../data/decoder.ts";
import { encode } from "../data/encoder.ts";
import { formatPlace, type Path } from "../data/path.ts";
import { ConflictError } from "../errors/edit.ts";
import { applyChange, type Change, changesOf, isFitting } from "./changes.ts";
import type { Command } from "./commander.ts";
import type { Connection } from "./connection.ts";
import { Failure, failureOf, messageOf } from "./failure.ts";
import { parsePlace, toPointer } from "./place.ts";
import { formatJson, paintFor, visible } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { onServer, type Verb } from "./verb.ts";

/** Opens an editor on a value. */
export const addEdit: Verb = (program, terminal) => {
  program.command("edit <path>")
    .summary("edit a value, or a part of one, in $EDITOR")
    .description(
      "Opens $VISUAL or $EDITOR on a value, or on a part of one. Only what was changed there is sent, in one atomic " +
        "call, and only if these places are still as they were. Else it shows who was in the way, and on a terminal " +
        "offers to go on; what was written in the editor is not lost.",
    )
    .addHelpText("after", "\nExample:\n  EDITOR=nano json-dict edit sample.positions")
    .action(async (place: string, _: unknown, command: Command) => {
      const path = parsePlace(place);
      await onServer(command, terminal, async (connection) => {
        await new Editing(connection, terminal, path).run();
      });
    });
};

/** One run of `edit`. */
class Editing {
  readonly #connection: Connection;
  readonly #terminal: Terminal;
  readonly #path: Path;

  constructor(connection: Connection, terminal: Terminal, path: Path) {
    this.#connection = connection;
    this.#terminal = terminal;
    this.#path = path;
  }

  async run(): Promise<void> {
    let before = await this.#read();
    const text = textFor(before);
    const folder = await mkdtemp(join(tmpdir(), "json-dict-"));
    const file = join(folder, "value.json");
    try {
      let after = await this.#edit(file, text);
      while (true) {
        const changes = changesOf(asShown(before), after);
        if (changes.length === 0) {
          await this.#terminal.tell("Nothing was changed\n");
          break;
        }
        if (await this.#send(changes, before, after)) break;
        const now = await this.#read();
        const answer = await this.#askAbout(changes, before, now);
        const kept = answer === "o" ? changes : changes.filter((change) => isFitting(change, before, now));
        const root = { value: asShown(now) };
        for (const change of kept) applyChange(root, change);
        [before, after] = [now, answer === "o" ? root.value : await this.#edit(file, textFor(root.value))];
      }
      await rm(folder, { recursive: true });
    } catch (error) {
      const failure = failureOf(error, this.#terminal.signal);
      const code = failure instanceof Failure ? failure.code : 1;
      throw new Failure(`${messageOf(failure)}; what you wrote is in ${file}`, code);
    }
  }

  /** The value that is there. */
  async #read(): Promise<unknown> {
    const { store } = this.#connection;
    const text = await store.within({ signal: this.#terminal.signal }).tryRead({
      kind: "get",
      path: this.#path,
    }, "edit");
    if (typeof text !== "string") throw toError({ kind: "get", path: this.#path }, text, "edit");
    return store.codec.decode(text, "edit", this.#path);
  }

  /** Lets the user change what is shown, until it is JSON again. */
  async #edit(file: string, shown: string): Promise<unknown> {
    await writeFile(file, `${shown}\n`, { mode: 0o600 });
    while (true) {
      const code = await this.#terminal.edit(file);
      if (code !== 0) throw this.#refuse(`the editor ended with ${code}, so nothing was changed`);
      const bytes = await readFile(file);
      try {
        // Bytes that are no UTF-8 would become other characters unnoticed.
        return decode(new TextDecoder("utf-8", { fatal: true }).decode(bytes), EXACT);
      } catch (error) {
        const reason = error instanceof SyntaxError
          ? visible(error.message.split("\n")[0])
          : "it is no text in UTF-8";
        if (!this.#terminal.isInput) throw this.#refuse(`it is no JSON any more (${reason})`);
        const answer = await this.#terminal.ask(`It is no JSON any more (${reason}). Edit again? [Y/n] `);
        if (/^n/i.test(answer.trim())) throw this.#refuse("it is no JSON, so nothing was changed");
      }
    }
  }

  /** Sends what was changed. Returns whether it is applied: not where others have changed the same. */
  async #send(changes: readonly Change[], before: unknown, after: unknown): Promise<boolean> {
    const ref = this.#connection.dict.at(...this.#path);
    const options = { signal: this.#terminal.signal };
    const isWhole = changes.some(({ kind, path }) => path.length === 0 && kind === "replace");
    if (isWhole && !(Array.isArray(before) && Array.isArray(after))) {
      return await ref.compareAndSet(before, after, options);
    }
    try {
      await ref.edit((draft: unknown) => {
        if (!changes.every((change) => isFitting(change, before, draft))) throw new Collision();
        for (const change of changes) applyChange({ value: draft }, change);
      }, options);
      return true;
    } catch (error) {
      if (error instanceof Collision || error instanceof ConflictError) return false;
      throw error;
    }
  }

  /** Shows in what others were in the way, and asks how to go on. */
  async #askAbout(changes: readonly Change[], before: unknown, now: unknown): Promise<"e" | "o"> {
    const paint = paintFor(this.#terminal, this.#terminal.isError);
    const lines = changes.filter((change) => !isFitting(change, before, now)).map((change) => {
      const place = toPointer([...this.#path, ...change.path]);
      const theirs = showAt(now, change.path);
      return visible(
        `${place}: it was ${show(change.before)}, you wrote ${show(change.after)}, now it is ${theirs}`,
      );
    });
    if (!this.#terminal.isInput) {
      throw this.#refuse(
        `others have changed the same meanwhile, so nothing was changed: ${lines.join("; ")}`,
      );
    }
    await this.#terminal.tell(
      `${paint("warning", "Others have changed the same meanwhile; nothing was changed yet:")}\n` +
        lines.map((line) => `  ${line}\n`).join(""),
    );
    while (true) {
      const answer = await this.#terminal.ask("Edit again, overwrite that, or quit? [e/o/q] ");
      const [letter] = answer.trim().toLowerCase();
      if (letter === "e" || letter === "o") return letter;
      if (letter === "q") {
        throw this.#refuse("others have changed the same meanwhile, so nothing was changed");
      }
    }
  }

  #refuse(state: string): Failure {
    return new Failure(`Cannot edit ${formatPlace(this.#path)}: ${state}`);
  }
}

/** Ends a recipe that would overwrite what others have written. */
class Collision extends Error {}

const EXACT = { bigints: true };

/** What the editor shows. */
function textFor(value: unknown): string {
  return formatJson(value, (_, text) => text);
}

/**
 * A value as the editor shows it. A number can read differently there, as a double of many digits, so changes are found
 * by comparing with this; the guards compare with the value itself.
 */
function asShown(value: unknown): unknown {
  return decode(textFor(value), EXACT);
}

function textOf(value: unknown): string {
  return encode(value, EXACT);
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = textOf(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}...`;
}

function showAt(value: unknown, path: Path): string {
  let place = value;
  for (const segment of path) {
    if (typeof place !== "object" || place === null || !Object.hasOwn(place, segment)) return "nothing";
    place = (place as Record<string | number, unknown>)[segment];
  }
  return show(place);
}
