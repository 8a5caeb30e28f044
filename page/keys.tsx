/** @jsxRuntime automatic */
/** @jsxImportSource preact */
/**
 * The list of keys.
 *
 * @module
 */

import { type Signal, signal } from "@preact/signals";
import type { JSX } from "preact";
import { begin } from "./edits.ts";
import { formatBytes, formatLeft, visible } from "./format.ts";
import { lineId, List } from "./list.tsx";
import {
  about,
  isCut,
  isListing,
  isReadOnly,
  isTreeWanted,
  items,
  itemsVersion,
  keyFlashes,
  type Line,
  lines,
  now,
  openKey,
  pane,
  search,
  searchFor,
  toggleFolder,
  value,
} from "./state.ts";

/** The line that the arrow keys move. */
const active: Signal<number> = signal(0);

/** Keys, in folders by the parts of their names. */
export function Keys(): JSX.Element {
  itemsVersion.value;
  const all = lines.value;
  const at = Math.min(active.value, all.length - 1);
  const isFiltered = search.value !== "";
  let [keys, bytes] = [0, 0];
  for (const line of all) {
    if (line.depth > 0) continue;
    keys += line.keys ?? 1;
    bytes += line.bytes;
  }
  return (
    <section class="keys" aria-label="Keys">
      <div class="bar">
        <input
          id="search"
          type="search"
          placeholder="Search keys   /"
          aria-label="Search keys"
          autocomplete="off"
          spellcheck={false}
          value={search.value}
          onInput={(event) => searchFor(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") searchFor("");
            if (event.key === "ArrowDown" || event.key === "Enter") {
              event.preventDefault();
              active.value = Math.max(0, all.findIndex((line) => line.keys === undefined));
              document.getElementById("keys")?.focus();
              const line = all[active.value];
              if (event.key === "Enter" && line) {
                isTreeWanted.value = true;
                openKey(line.key);
              }
            }
          }}
        />
        {!isReadOnly.value && (
          <button type="button" onClick={() => (begin("new"), pane.value = "value")}>New key</button>
        )}
      </div>
      <List
        id="keys"
        label="Keys"
        role="tree"
        count={all.length}
        active={at}
        draw={(index) => (
          <KeyLine key={all[index]!.key} line={all[index]!} index={index} isActive={index === at} />
        )}
        onKeyDown={(event) => press(event, all, at)}
        empty={
          <p class="empty">
            {isListing.value
              ? "Reading the keys..."
              : isFiltered
              ? "No key contains this text."
              : `There are no keys that begin with ${JSON.stringify(about.value?.prefix ?? "")}.`}
          </p>
        }
      />
      <div class="foot">
        {`${isFiltered ? "Found: " : ""}${keys.toLocaleString("en")} ${keys === 1 ? "key" : "keys"}, ${
          formatBytes(bytes)
        }`}
        {isListing.value && items.size > 0 && " - reading more..."}
        {isCut.value && " - there are more: search to find them"}
      </div>
    </section>
  );
}

function KeyLine(
  { line, index, isActive }: { readonly line: Line; readonly index: number; readonly isActive: boolean },
): JSX.Element {
  const item = items.get(line.key);
  const isFolder = line.keys !== undefined;
  const isShown = !isFolder && value.value?.key === line.key;
  const flash = isFolder && line.isOpen ? undefined : keyFlashes.get(line.key);
  return (
    <div
      id={lineId("keys", index)}
      class={`line key ${isShown ? "shown" : ""} ${isActive ? "active" : ""}`}
      role="treeitem"
      aria-level={line.depth + 1}
      aria-selected={isShown}
      aria-expanded={isFolder ? line.isOpen : undefined}
      title={line.key}
      style={{ paddingLeft: `${0.5 + line.depth}rem` }}
      onClick={() => {
        active.value = index;
        if (isFolder) toggleFolder(line.key);
        else openKey(line.key);
      }}
    >
      <Flash at={flash} />
      <span class="twist" aria-hidden="true">{isFolder ? line.isOpen ? "▾" : "▸" : ""}</span>
      <span class={`key-name ${isFolder ? "folder" : ""}`}>
        {line.name === "" ? <i>(empty)</i> : visible(line.name)}
      </span>
      {item?.expiresAt !== undefined && !isFolder && (
        <span class="left" title="It expires in this time">
          {formatLeft(item.expiresAt - now.value)} left
        </span>
      )}
      <span class="size">
        {isFolder ? `${line.keys!.toLocaleString("en")} keys` : formatBytes(line.bytes)}
      </span>
    </div>
  );
}

/** What glows where something has changed a moment ago. */
export function Flash({ at }: { readonly at: number | undefined }): JSX.Element | null {
  if (at === undefined || performance.now() - at > 2500) return null;
  return <span key={at} class="flash" aria-hidden="true" />;
}

function press(event: KeyboardEvent, all: readonly Line[], at: number): void {
  const line = all[at];
  const to = (index: number): void => {
    event.preventDefault();
    active.value = Math.max(0, Math.min(all.length - 1, index));
  };
  switch (event.key) {
    case "ArrowDown":
      return to(at + 1);
    case "ArrowUp":
      return to(at - 1);
    case "PageDown":
      return to(at + 15);
    case "PageUp":
      return to(at - 15);
    case "Home":
      return to(0);
    case "End":
      return to(all.length - 1);
    case "ArrowRight":
      if (line?.keys !== undefined && !line.isOpen) toggleFolder(line.key);
      else to(at + 1);
      return;
    case "ArrowLeft": {
      if (line?.keys !== undefined && line.isOpen) return toggleFolder(line.key);
      for (let index = at - 1; line && index >= 0; index--) {
        if (all[index]!.depth < line.depth) return to(index);
      }
      return;
    }
    case "Enter":
    case " ":
      event.preventDefault();
      if (!line) return;
      if (line.keys !== undefined) toggleFolder(line.key);
      else {
        isTreeWanted.value = true;
        openKey(line.key);
      }
  }
}
