/**
 * Files that hold a dump.
 *
 * @module
 */

import { createReadStream } from "node:fs";
import { linesOf, readDump } from "./dump_format.ts";
import { Failure, interrupted } from "./failure.ts";

/** Reads a file in pieces. */
export async function* piecesOf(file: string): AsyncGenerator<string> {
  // A text that was cut in the middle of a character, or is none, is no dump.
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for await (const bytes of createReadStream(file)) yield decoder.decode(bytes, { stream: true });
    yield decoder.decode();
  } catch (error) {
    throw unreadableFile(file, error);
  }
}

/** Reads a whole dump, which shows whether it is one; returns how many items it has. */
export async function countItems(file: string, isChecked: boolean, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const _ of readDump(linesOf(piecesOf(file)), isChecked)) {
    if (signal.aborted) throw interrupted();
    count++;
  }
  return count;
}

/** The error for a file that cannot be opened, read or written. */
export function unreadableFile(file: string, error: unknown): Error {
  const { code } = Object(error) as { code?: string };
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA" || error instanceof TypeError && code === undefined) {
    return new Failure(`Cannot read ${file}: it is no text in UTF-8`);
  }
  if (code === undefined) return error as Error;
  const reason = code === "ENOENT" ? "there is no such file or folder" : code;
  return new Failure(`Cannot open ${file}: ${reason}`, 2);
}
