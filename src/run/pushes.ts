/**
 * Pushes: what a server tells by itself in version 3 of the protocol, found in the bytes of a connection. Clients that
 * give every other answer may drop these.
 *
 * @module
 */

/** Of what a server answers, only what can be part of a push of names. */
type Value = Uint8Array | readonly Value[] | null | undefined;

/** A list that has begun. */
interface List {
  readonly isPush: boolean;
  /** What has come of it. */
  readonly parts: Value[];
  /** How many parts are to come. */
  left: number;
}

const CR = 13;
const code = (character: string): number => character.charCodeAt(0);
const PUSH = code(">");
const NULL = code("_");
/** What begins with its length in bytes: texts, verbatim texts, long errors. */
const TEXTS = [..."$=!"].map(code);
/** What begins with the number of its parts: lists, sets, pushes; and maps and attributes, which have two for each. */
const LISTS = [..."*~>"].map(code);
const MAPS = [..."%|"].map(code);

const decoder = new TextDecoder("latin1");

/** Finds the names that changed, in the bytes of one connection from its beginning on. */
export class Pushes {
  readonly #told: (names: readonly Uint8Array[] | undefined) => void;
  /** The lists that have begun, each in the one before it. What has come of a long one is not read again and again. */
  readonly #lists: List[] = [];
  /** The beginning of what has not come as a whole: less than one text or one line. */
  #rest: Uint8Array = new Uint8Array();

  /** @param told Hears of names; without them, of all. */
  constructor(told: (names: readonly Uint8Array[] | undefined) => void) {
    this.#told = told;
  }

  /** Takes the next bytes. */
  read(bytes: Uint8Array): void {
    const all = this.#rest.length === 0 ? bytes : join(this.#rest, bytes);
    let at = 0;
    for (let end = this.#readPart(all, at); end !== undefined; end = this.#readPart(all, at)) at = end;
    this.#rest = all.slice(at); // a copy: the bytes may be those of a buffer that is used again
  }

  /** Reads one part, or the beginning of a list. Returns where it ends; nothing if it has not come as a whole. */
  #readPart(bytes: Uint8Array, at: number): number | undefined {
    const lineEnd = bytes.indexOf(CR, at);
    if (lineEnd < 0 || lineEnd + 1 >= bytes.length) return undefined;
    const type = bytes[at];
    const start = lineEnd + 2;
    const isText = TEXTS.includes(type);
    const parts = LISTS.includes(type) ? 1 : MAPS.includes(type) ? 2 : 0;
    if (!isText && parts === 0) {
      this.#add(type === NULL ? null : undefined);
      return start;
    }
    const count = Number(decoder.decode(bytes.subarray(at + 1, lineEnd)));
    if (count < 0) {
      this.#add(null);
      return start;
    }
    if (isText) {
      const end = start + count;
      if (end + 2 > bytes.length) return undefined;
      this.#add(bytes.slice(start, end));
      return end + 2;
    }
    this.#lists.push({ isPush: type === PUSH, parts: [], left: count * parts });
    this.#end();
    return start;
  }

  /** Adds a part to the list that it is in. */
  #add(value: Value): void {
    const list = this.#lists.at(-1);
    if (list === undefined) return;
    list.parts.push(value);
    list.left--;
    this.#end();
  }

  /** Ends the innermost list, if it is there as a whole. */
  #end(): void {
    const list = this.#lists.at(-1);
    if (list?.left !== 0) return;
    this.#lists.pop();
    if (this.#lists.length > 0) this.#add(list.parts);
    else if (list.isPush) this.#tell(list.parts);
  }

  #tell([kind, names]: readonly Value[]): void {
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
