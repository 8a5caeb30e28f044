/** @jsxRuntime automatic */
/** @jsxImportSource preact */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page of `json-dict inspect`. `deno task page` makes src/cli/page.gen.ts of this folder.
 *
 * @module
 */

import { type Signal, signal } from "@preact/signals";
import { type JSX, render } from "preact";
import { Changes } from "./changes.tsx";
import { begin, cancel } from "./edits.ts";
import { Editor } from "./editor.tsx";
import { formatBytes, formatLeft, visible } from "./format.ts";
import { Keys } from "./keys.tsx";
import { Raw } from "./raw.tsx";
import { Tree } from "./tree.tsx";
import {
  about,
  isLive,
  isReadOnly,
  items,
  keepUp,
  loadValue,
  notice,
  now,
  pane,
  select,
  selected,
  trouble,
  value,
} from "./state.ts";

/** Whether the text stands beside the tree. */
const isRawShown: Signal<boolean> = signal(matchMedia("(min-width: 1250px)").matches);
const isTouch: boolean = matchMedia("(pointer: coarse)").matches;
const wanted: Signal<string> = signal("");
const foundNothing: Signal<boolean> = signal(false);

function Top(): JSX.Element {
  const { address, prefix } = about.value ?? { address: "", prefix: "" };
  return (
    <header>
      <b class="brand">json-dict</b>
      <span class="address" title="Where the dictionary is">{address}</span>
      {about.value && (
        <span class="prefix" title="What stands before each key in Redis">
          {prefix === "" ? "all keys" : `prefix ${visible(prefix)}`}
        </span>
      )}
      {about.value?.readOnly && <span class="badge">read-only</span>}
      <span class={`live ${isLive.value ? "on" : ""}`}>{isLive.value ? "live" : "not live"}</span>
    </header>
  );
}

/** Selects the next place where a text is in the value. */
function find(): void {
  const { doc, problem } = value.value ?? {};
  if (!doc || problem !== undefined || wanted.value === "") return;
  const here = doc.find(selected.value);
  const text = JSON.stringify(wanted.value).slice(1, -1);
  const from = selected.value.length > 0 && here ? doc.isContainer(here) ? here.start + 1 : here.end : 0;
  const next = doc.text.indexOf(text, from);
  const at = next < 0 ? doc.text.indexOf(text) : next;
  foundNothing.value = at < 0;
  if (at >= 0) select(doc.pathAt(at, at + 1));
}

function ValueHead(): JSX.Element | null {
  const open = value.value;
  if (!open) return null;
  const { key, state, doc, expiresAt, problem } = open;
  const isThere = state === "there";
  const item = items.get(key);
  return (
    <div class="head">
      <h1 title={key}>{key === "" ? <i>(empty key)</i> : visible(key)}</h1>
      {isThere && doc && <span class="size">{formatBytes(item?.bytes ?? doc.text.length)}</span>}
      {isThere && (
        <span class="left">
          {expiresAt === undefined ? "no expiry" : `expires in ${formatLeft(expiresAt - now.value)}`}
          {!isReadOnly.value && <button type="button" onClick={() => begin("expiry")}>Change</button>}
        </span>
      )}
      <span class="space" />
      {isThere && problem === undefined && (
        <input
          class={`find ${foundNothing.value ? "nothing" : ""}`}
          type="search"
          placeholder="Find in the value"
          aria-label="Find in the value"
          spellcheck={false}
          value={wanted.value}
          onInput={(event) => {
            wanted.value = event.currentTarget.value;
            foundNothing.value = false;
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter") find();
          }}
        />
      )}
      {isThere && problem === undefined && (
        <button
          type="button"
          aria-pressed={isRawShown.value}
          title="The text that is in Redis, character by character"
          onClick={() => isRawShown.value = !isRawShown.value}
        >
          Raw text
        </button>
      )}
      {isThere && !isReadOnly.value && (
        <button type="button" onClick={() => begin("remove")}>Remove key</button>
      )}
    </div>
  );
}

function ValueBody(): JSX.Element {
  const open = value.value;
  if (!open) {
    return (
      <div class="welcome">
        <p>Choose a key to see its value. Everything here is live: what anybody changes glows.</p>
        {!isReadOnly.value && (
          <p>
            To change something, {isTouch ? "touch it, and then Edit" : (
              <>
                double-click it, or select it and press <kbd>Enter</kbd>
              </>
            )}.
          </p>
        )}
        <p>
          For a copy of everything, run <code>json-dict dump</code> in a shell.
        </p>
      </div>
    );
  }
  if (open.state === "loading") return <p class="empty">Reading...</p>;
  if (open.state === "gone") {
    return <p class="empty">This key is not there any more: it was removed, or it has expired.</p>;
  }
  if (open.state === "failed") {
    return (
      <div class="welcome">
        <p class="error">{open.problem}</p>
        <button type="button" onClick={() => void loadValue()}>Try again</button>
      </div>
    );
  }
  if (open.problem !== undefined) {
    return (
      <>
        <p class="damaged" role="alert">
          <b>This value cannot be shown as a tree, or changed in parts.</b>{" "}
          {visible(open.problem)}. Below is the text as it is in Redis.
        </p>
        <Raw />
      </>
    );
  }
  return (
    <div class={`both ${isRawShown.value ? "with-raw" : ""}`}>
      <Tree />
      {isRawShown.value && <Raw />}
    </div>
  );
}

function Help(): JSX.Element {
  return (
    <div class="foot help">
      <kbd>↑</kbd> <kbd>↓</kbd> move <kbd>→</kbd> <kbd>←</kbd> open, close
      {!isReadOnly.value && (
        <>
          {" "}
          <kbd>Enter</kbd> edit <kbd>+</kbd> add <kbd>r</kbd> rename <kbd>Delete</kbd> remove{" "}
          <kbd>Alt ↑ ↓</kbd> reorder
        </>
      )} <kbd>/</kbd> search
    </div>
  );
}

function App(): JSX.Element {
  return (
    <div class={`app pane-${pane.value}`}>
      <Top />
      {trouble.value !== undefined && <p class="trouble" role="alert">{trouble.value}</p>}
      <main>
        <div class="side">
          <Keys />
          <Changes />
        </div>
        <section class="open" aria-label="Value">
          <ValueHead />
          <ValueBody />
          <Editor />
          {value.value?.state === "there" && value.value.problem === undefined && <Help />}
        </section>
      </main>
      <nav aria-label="Parts">
        {(["keys", "value", "changes"] as const).map((name) => (
          <button
            type="button"
            key={name}
            aria-pressed={pane.value === name}
            onClick={() => pane.value = name}
          >
            {{ keys: "Keys", value: "Value", changes: "Changes" }[name]}
          </button>
        ))}
      </nav>
      <Notice />
    </div>
  );
}

let fading: ReturnType<typeof setTimeout> | undefined;

function Notice(): JSX.Element {
  clearTimeout(fading);
  if (notice.value !== "") fading = setTimeout(() => notice.value = "", 4000);
  return <div class={`notice ${notice.value === "" ? "" : "on"}`} role="status">{notice.value}</div>;
}

addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    pane.value = "keys";
    document.getElementById("search")?.focus();
  }
  if (event.key === "Escape" && !isTyping) cancel();
});

render(<App />, document.getElementById("page")!);
void keepUp();
