/**
 * Errors of edits, patches and documents that follow.
 *
 * @module
 */

import { formatPlace, type Path } from "../data/path.ts";
import { cannot, JsonDictError, type JsonDictErrorData } from "./error.ts";

/** The data of a {@linkcode ConflictError}. */
export interface ConflictErrorData extends JsonDictErrorData {
  /** The places that others changed, each once. */
  readonly paths: readonly Path[];
  /** How often the recipe has run. */
  readonly attempts: number;
}

/** Thrown when others changed what an edit had read on every run of its recipe. */
export class ConflictError extends JsonDictError {
  static {
    this.prototype.name = "ConflictError";
  }

  /** Always `"CONFLICT"`. */
  readonly code: "CONFLICT" = "CONFLICT";
  /** The places that others changed, each once. */
  readonly paths: readonly Path[];
  /** How often the recipe has run. */
  readonly attempts: number;

  /**
   * Creates an error.
   *
   * @param data What failed, where others changed the value, and how often the recipe ran.
   */
  constructor(data: ConflictErrorData) {
    const { paths, attempts } = data;
    const places = paths.slice(0, 3).map(formatPlace).join(", ") + (paths.length > 3 ? ", ..." : "");
    super(
      data,
      `${
        cannot(data)
      }: others changed ${places} each of the ${attempts} times that the recipe ran; read less, or allow more attempts or time`,
    );
    this.paths = paths;
    this.attempts = attempts;
  }
}

/** The data of a {@linkcode PatchError}. */
export interface PatchErrorData extends JsonDictErrorData {
  /** The index of the operation in the patch. */
  readonly index: number;
  /** Its `op`. */
  readonly patchOperation: string;
  /** Its `path`, a JSON Pointer. */
  readonly pointer: string;
}

/** Thrown when an operation of a JSON Patch cannot be applied, or its test does not hold. Nothing was changed. */
export class PatchError extends JsonDictError {
  static {
    this.prototype.name = "PatchError";
  }

  /** Always `"PATCH"`. */
  readonly code: "PATCH" = "PATCH";
  /** The index of the operation in the patch. */
  readonly index: number;
  /** Its `op`. */
  readonly patchOperation: string;
  /** Its `path`, a JSON Pointer. */
  readonly pointer: string;

  /**
   * Creates an error.
   *
   * @param data What failed, where, and which operation; `cause` is the reason, unless a test does not hold.
   */
  constructor(data: PatchErrorData) {
    const { index, patchOperation, pointer, cause } = data;
    const reason = cause instanceof Error ? cause.message : "the value there is another one";
    super(
      data,
      `${cannot(data)}: operation ${index}, ${patchOperation} ${formatPlace([pointer])}: ${reason}`,
    );
    this.index = index;
    this.patchOperation = patchOperation;
    this.pointer = pointer;
  }
}

/**
 * Thrown when a part of a document that follows is used which is no longer there: others have removed, moved or replaced
 * it. Read it from the document again.
 */
export class StaleError extends JsonDictError {
  static {
    this.prototype.name = "StaleError";
  }

  /** Always `"STALE"`. */
  readonly code: "STALE" = "STALE";

  /**
   * Creates an error.
   *
   * @param data What failed, and where the part was.
   */
  constructor(data: JsonDictErrorData) {
    super(
      data,
      `Cannot use what was at ${
        formatPlace(data.path)
      }: others have removed, moved or replaced it; read it from the document again`,
    );
  }
}
