/** @jsxRuntime automatic */
/** @jsxImportSource preact */
/**
 * What has changed just now.
 *
 * @module
 */

import type { JSX } from "preact";
import { formatPath, formatTime, visible } from "./format.ts";
import { entries, type Entry, now, openPlace } from "./state.ts";

/** The last changes, by anyone, the newest first. */
export function Changes(): JSX.Element {
  return (
    <section class="changes" aria-label="Just changed">
      <h2>Just changed</h2>
      <ol aria-live="off">
        {entries.value.map((entry) => <EntryLine key={entry.id} entry={entry} />)}
      </ol>
      {entries.value.length === 0 && (
        <p class="empty">
          Nothing has changed since this page was opened. Changes by anyone show up here, the newest first.
        </p>
      )}
    </section>
  );
}

function ago(time: number): string {
  const seconds = Math.max(0, Math.floor((now.value - time) / 1000));
  return seconds < 5 ? "now" : seconds < 60 ? `${seconds}s ago` : formatTime(time);
}

function EntryLine({ entry }: { readonly entry: Entry }): JSX.Element {
  const { key, kind, steps, more, time } = entry;
  return (
    <li class={`entry ${kind}`}>
      <span class="when">{ago(time)}</span>
      <button
        type="button"
        class="where"
        title="Show it"
        onClick={() => void openPlace(key, steps[0]?.path ?? [])}
      >
        {key === "" ? '""' : visible(key)}
      </button>
      {kind !== "changed" && <span class="what">{kind === "new" ? "new" : "removed"}</span>}
      {kind === "changed" && steps.length === 0 && <span class="what">changed</span>}
      {steps.map((step) => (
        <div class="step" key={formatPath(step.path)}>
          <button type="button" class="where" onClick={() => void openPlace(key, step.path)}>
            {step.path.length === 0 ? "whole value" : formatPath(step.path)}
          </button>{" "}
          {step.before !== undefined && <del>{visible(step.before)}</del>}
          {step.before !== undefined && step.after !== undefined && " → "}
          {step.after !== undefined && <ins>{visible(step.after)}</ins>}
          {step.after === undefined && " removed"}
          {step.before === undefined && step.after !== undefined && " added"}
        </div>
      ))}
      {more > 0 && <div class="step">and {more} more</div>}
    </li>
  );
}
