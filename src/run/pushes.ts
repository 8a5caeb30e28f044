/**
 * Pushes: what a server tells by itself in version 3 of the protocol, found in the bytes of a connection. Clients that
 * give every other answer may drop these.
 *
 * @module
 */

/** What was read, and where the next begins. */
interface Frame {
  readonly value: Value;
  readonly isPush: boolean;
  readonly end: number;
}

/** Of what a server answers, only what can be part of a push of names. */
type Value = Uint8Array | readonly Value[] | null | undefined;

const CR = 13;
const code = (character: string): number => character.charCodeAt(0);
const PUSH = code(">");
/** What begins with its length in bytes: texts, verbatim texts, long errors. */
const TEXTS = [..."$=!"].map(code);
/** What begins with the number of its parts: lists, sets, pushes; and maps and attributes, which have two for each. */
const LISTS = [..."*~>"].map(code);
const MAPS = [..."%|"].map(code);

const decoder = new TextDecoder("latin1");

/** Finds the names that changed, in the bytes of one connection from its beginning on. */
export class Pushes {
  readonly #told: (names: readonly Uint8Array[] | undefined) => void;
  /** The beginning of what has not come as a whole. */
  #rest: Uint8Array = new Uint8Array();

  /** @param told Hears of names; without them, of all. */
  constructor(told: (names: readonly Uint8Array[] | undefined) => void) {
    this.#told = told;
  }

  /** Takes the next bytes. */
  read(bytes: Uint8Array): void {
    const all = this.#rest.length === 0 ? bytes : join(this.#rest, bytes);
    let at = 0;
    for (let frame = readFrame(all, at); frame !== undefined; frame = readFrame(all, at)) {
      at = frame.end;
      if (frame.isPush) this.#tell(frame.value);
    }
    this.#rest = all.slice(at); // a copy: the bytes may be those of a buffer that is used again
  }

  #tell(push: Value): void {
    if (!isList(push)) return;
    const [kind, names] = push;
    if (!(kind instanceof Uint8Array) || decoder.decode(kind) !== "invalidate") return;
    this.#told(isList(names) ? names.filter((name) => name instanceof Uint8Array) : undefined);
  }
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

/** Reads one answer; nothing if it has not come as a whole. */
function readFrame(bytes: Uint8Array, at: number): Frame | undefined {
  const lineEnd = bytes.indexOf(CR, at);
  if (lineEnd < 0 || lineEnd + 1 >= bytes.length) return undefined;
  const type = bytes[at];
  const start = lineEnd + 2;
  const isText = TEXTS.includes(type);
  const parts = LISTS.includes(type) ? 1 : MAPS.includes(type) ? 2 : 0;
  const isPush = type === PUSH;
  if (!isText && parts === 0) return { value: type === code("_") ? null : undefined, isPush, end: start };
  const count = Number(decoder.decode(bytes.subarray(at + 1, lineEnd)));
  if (count < 0) return { value: null, isPush, end: start };
  if (isText) {
    const end = start + count;
    return end + 2 > bytes.length ? undefined : { value: bytes.subarray(start, end), isPush, end: end + 2 };
  }
  const value: Value[] = [];
  let end = start;
  for (let index = 0; index < count * parts; index++) {
    const part = readFrame(bytes, end);
    if (part === undefined) return undefined;
    value.push(part.value);
    end = part.end;
  }
  return { value, isPush, end };
}
