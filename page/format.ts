/**
 * How the page writes sizes, times and texts.
 *
 * @module
 */

import type { Path } from "./text.ts";

const SIZES = ["B", "KB", "MB", "GB"];

/** A number of bytes. */
export function formatBytes(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 1000 && unit < SIZES.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${SIZES[unit]}`;
}

/** How long something has left. */
export function formatLeft(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** A time of the day. */
export function formatTime(time: number): string {
  return new Date(time).toLocaleTimeString("en-GB");
}

/** A path as a person writes it. */
export function formatPath(path: Path): string {
  return path.map((segment, index) =>
    typeof segment === "number"
      ? `[${segment}]`
      : /^[^.[\]"\s]+$/.test(segment)
      ? `${index === 0 ? "" : "."}${visible(segment)}`
      : `[${visible(JSON.stringify(segment))}]`
  ).join("");
}

/** Shows what would not be seen, or would turn the direction of the text around. */
export function visible(text: string): string {
  // deno-lint-ignore no-control-regex -- these are meant
  const hidden = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
  return text.replace(hidden, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
