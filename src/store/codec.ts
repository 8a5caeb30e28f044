/**
 * The codec: values to the texts that a dictionary writes, and back.
 *
 * @module
 */

import { decode } from "../data/decoder.ts";
import { encode, type TextSource } from "../data/encoder.ts";
import { Fragment } from "../data/fragment.ts";
import type { Json, JsonOptions } from "../data/json.ts";
import type { Path } from "../data/path.ts";
import { CorruptValueError } from "../errors/value.ts";

/** The longest text that Redis takes in one piece (`proto-max-bulk-len`), in bytes. */
const MAX_BYTES = 512 * 1024 * 1024;

/** Reads and writes the values of a dictionary. */
export class Codec {
  readonly #options: JsonOptions;
  readonly #source: TextSource | undefined;

  /**
   * Reads and writes values.
   *
   * @param options Whether long integers are `bigint`.
   * @param source Recognises objects that have a text of their own.
   */
  constructor(options: JsonOptions, source?: TextSource) {
    this.#options = options;
    this.#source = source;
  }

  /** JSON text of a value; `where` is for the message if it cannot be written. */
  encode(value: unknown, where: Path): string {
    const text = encode(value, this.#options, where, this.#source);
    // A character takes at most 3 bytes, so most texts need no count.
    if (text.length * 3 > MAX_BYTES && new TextEncoder().encode(text).length > MAX_BYTES) {
      throw new RangeError(
        `Cannot write ${text.length} characters: Redis takes at most ${MAX_BYTES} bytes in one value`,
      );
    }
    return text;
  }

  /** The value that a text holds. */
  decode(text: string, operation: string, path: Path): Json {
    try {
      return decode(text, this.#options);
    } catch (cause) {
      throw new CorruptValueError({ operation, path, text, cause });
    }
  }

  /** The text with its value, to be drafted. */
  fragment(text: string, operation: string, path: Path): Fragment {
    try {
      return Fragment.read(text, this.#options);
    } catch (cause) {
      throw new CorruptValueError({ operation, path, text, cause });
    }
  }
}
