/**
 * Durations, as a person writes and reads them.
 *
 * @module
 */

import { wrongUsage } from "./failure.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a duration such as `90s`.
 *
 * @param text What the user wrote.
 * @returns Milliseconds.
 * @throws {Failure} If it is none; a number without a unit could mean anything.
 */
export function parseDuration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS[unit]);
  if (number === undefined || ms < 1) {
    throw wrongUsage(`Cannot read the duration ${JSON.stringify(text)}: write 500ms, 90s, 5m, 2h or 7d`);
  }
  return ms;
}

/**
 * Writes a duration in its largest unit.
 *
 * @param ms Milliseconds.
 * @returns For example `1.5h`.
 */
export function formatDuration(ms: number): string {
  const [unit, size] = Object.entries(UNITS).reverse().find(([, size]) => ms >= size) ?? ["ms", 1];
  return `${Math.floor(ms / size * 10) / 10}${unit}`;
}

const SIZES = ["B", "KB", "MB", "GB"] as const;

/**
 * Writes a number of bytes.
 *
 * @param bytes How many.
 * @returns For example `1.5 KB`.
 */
export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < SIZES.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${SIZES[unit]}`;
}
