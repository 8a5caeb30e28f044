/** @jsxRuntime automatic */
/** @jsxImportSource preact */
/**
 * The fields in which something is changed, and what is shown when somebody else was faster.
 *
 * @module
 */

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { cancel, draft, draftName, type Editing, editing, overwrite, save } from "./edits.ts";
import { formatPath, visible } from "./format.ts";
import { value } from "./state.ts";

const MAX_SHOWN = 2000;

function problemOf(text: string): string | undefined {
  if (text.trim() === "") return "Write a value in JSON";
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    return "This is not JSON";
  }
}

function titleOf({ kind, key, path }: Editing): string {
  const place = path.length === 0 ? visible(key) : formatPath(path);
  const { doc } = value.value ?? {};
  const span = kind === "add" ? doc?.find(path) : undefined;
  const isArray = span && doc?.kindOf(span) === "array";
  switch (kind) {
    case "edit":
      return `Edit ${place}`;
    case "add":
      return isArray ? `Add an element at the end of ${place}` : `Add a member to ${place}`;
    case "rename":
      return `Rename ${place}`;
    case "remove":
      return path.length === 0 ? `Remove the key ${place}?` : `Remove ${place}?`;
    case "expiry":
      return `Let ${place} expire`;
    case "new":
      return "New key";
  }
}

const VERBS: Readonly<Record<Editing["kind"], string>> = {
  edit: "Save",
  add: "Add",
  rename: "Rename",
  remove: "Remove",
  expiry: "Save",
  new: "Create",
};

function shown(text: string): string {
  return visible(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text);
}

/** The editor, if something is being changed. */
export function Editor(): JSX.Element | null {
  const now = editing.value;
  const form = useRef<HTMLFormElement>(null);
  const id = now && `${now.kind} ${now.key} ${now.kind === "new"}`;
  // At once, before the next key is pressed: what a fast person types must not go to the tree.
  useLayoutEffect(() => {
    const field = form.current?.querySelector<HTMLElement>("input, textarea") ??
      form.current?.querySelector<HTMLElement>("button.main");
    field?.focus();
    if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) field.select();
  }, [id]);
  if (!now) return null;
  const { kind, path, error, isBusy } = now;
  // While it is sent, what was changed may be one's own change, seen early.
  const conflict = isBusy ? undefined : now.conflict;
  const { doc } = value.value ?? {};
  const span = kind === "add" ? doc?.find(path) : undefined;
  const hasName = kind === "new" || kind === "rename" || span !== undefined && doc?.kindOf(span) === "object";
  const hasValue = kind === "edit" || kind === "add" || kind === "new";
  const problem = hasValue ? problemOf(draft.value) : undefined;
  const asText = JSON.stringify(draft.value);
  const lines = Math.min(12, Math.max(1, draft.value.split("\n").length, Math.ceil(draft.value.length / 90)));
  const leave = (): void => {
    cancel();
    document.getElementById(kind === "new" ? "keys" : "tree")?.focus({ preventScroll: true });
  };
  const done = async (): Promise<void> => {
    if (problem !== undefined) return;
    await save();
    if (!editing.value) document.getElementById("tree")?.focus({ preventScroll: true });
  };
  return (
    <form
      class={`editor ${conflict ? "in-conflict" : ""}`}
      ref={form}
      aria-label={titleOf(now)}
      onSubmit={(event) => {
        event.preventDefault();
        void done();
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") leave();
      }}
    >
      <h2>{titleOf(now)}</h2>
      {hasName && (
        <label>
          {kind === "new" ? "Key, without the prefix" : "Name"}
          <input
            value={draftName.value}
            autocomplete="off"
            spellcheck={false}
            readOnly={isBusy || conflict !== undefined}
            onInput={(event) => draftName.value = event.currentTarget.value}
          />
        </label>
      )}
      {hasValue && (
        <label>
          Value in JSON
          <textarea
            rows={lines}
            spellcheck={false}
            placeholder='42, "text", true, null, [1, 2] or {"a": 1}'
            value={draft.value}
            readOnly={isBusy}
            onInput={(event) => draft.value = event.currentTarget.value}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
              event.preventDefault();
              void done();
            }}
          />
        </label>
      )}
      {kind === "expiry" && (
        <label>
          In how long
          <input
            value={draft.value}
            readOnly={isBusy}
            placeholder="90s, 5m, 2h, 7d; nothing for never"
            autocomplete="off"
            onInput={(event) => draft.value = event.currentTarget.value}
          />
        </label>
      )}
      {kind === "remove" && <pre class="seen">{shown(now.seen)}</pre>}
      {kind === "rename" && <p class="hint">It becomes the last member.</p>}
      {problem !== undefined && draft.value.trim() !== "" && (
        <p class="hint">
          {problem}. {asText.length < 200 && (
            <>
              Did you mean the text{" "}
              <button type="button" class="code" onClick={() => draft.value = asText}>{asText}</button>?
            </>
          )}
        </p>
      )}
      {error && <p class="error" role="alert">{error}</p>}
      {conflict && (
        <div class="conflict" role="alert">
          <p>
            <b>Somebody else has changed this meanwhile.</b>{" "}
            Nothing of yours was written, nothing of theirs is lost.
          </p>
          <dl>
            <dt>It was</dt>
            <dd>{shown(now.seen)}</dd>
            <dt>Theirs, now</dt>
            <dd class="theirs">
              {conflict.theirs === null ? <i>gone, or at another place</i> : shown(conflict.theirs)}
            </dd>
            {kind === "edit" && (
              <>
                <dt>Yours</dt>
                <dd class="yours">{shown(draft.value)}</dd>
              </>
            )}
          </dl>
        </div>
      )}
      <div class="buttons">
        {conflict
          ? (
            <>
              <button type="button" class="main" onClick={leave}>Keep theirs</button>
              {conflict.theirs !== null && (
                <button
                  type="button"
                  disabled={problem !== undefined}
                  onClick={() => void overwrite()}
                >
                  {kind === "edit" ? "Write mine" : `${VERBS[kind]} all the same`}
                </button>
              )}
            </>
          )
          : (
            <>
              <button
                type="submit"
                class={`main ${kind === "remove" ? "danger" : ""}`}
                disabled={isBusy || problem !== undefined}
              >
                {VERBS[kind]}
              </button>
              <button type="button" onClick={leave}>Cancel</button>
              <span class="keys-hint">
                {hasValue
                  ? "Enter saves, Shift Enter makes a new line, Esc leaves it as it is"
                  : "Esc leaves it as it is"}
              </span>
            </>
          )}
      </div>
    </form>
  );
}
