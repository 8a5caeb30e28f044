/**
 * Tells whether what many clients saw fits some order in which one client could have done it all.
 *
 * The search is that of Wing and Gong, with the memo of Lowe: where the same operations led to the same state before,
 * it does not go again.
 *
 * @module
 */

import type { RedisJsonDict } from "../../src/api/dict.ts";
import { JsonDictError } from "../../src/errors/error.ts";
import type { Json } from "../../src/data/json.ts";

/**
 * What one client did, and the reply that it got. An operation that is known to have had no effect does not belong in a
 * history.
 *
 * @typeParam I What it was asked.
 * @typeParam O What it answered.
 */
export interface Operation<I = unknown, O = unknown> {
  readonly client: number;
  readonly key: string;
  /** Plain data: what has the same JSON text asks the same. */
  readonly input: I;
  /** The answer; not looked at if there was none. */
  readonly output: O | undefined;
  /** When it was sent. */
  readonly from: number;
  /** When it was answered; `Infinity` if it never was. Two that share a moment may be in either order. */
  readonly to: number;
  /**
   * Only where the answer is not known. `true`: it took effect, once, by `to`. `"maybe"`: it took effect once at any
   * time after `from`, be it after `to`, or never; this goes without saying where `to` is `Infinity`.
   */
  readonly applied?: true | "maybe";
  /** One of the history with an answer that comes before it, though it may not have been awaited. */
  readonly behind?: Operation<I, O>;
}

/**
 * What operations do to one key.
 *
 * @typeParam S The state, which never changes in place.
 * @typeParam I What an operation is asked.
 * @typeParam O What it answers.
 */
export interface Model<S, I, O> {
  readonly init: S;
  /** Answers the new state and the output. */
  step(state: S, input: I): readonly [state: S, output: O];
  /** Text that is equal only for equal states. */
  stateText(state: S): string;
  same(a: O, b: O): boolean;
  /**
   * Whether an operation with this output changes nothing, whatever the state. The search takes such an operation as
   * soon as it fits, and tries no other place for it. Optional: it only makes the search faster.
   */
  isInert?(input: I, output: O): boolean;
}

/** What {@linkcode judge} finds. `"budget"`: the search was given up, and nothing is known. */
export type Judgement<I = unknown, O = unknown> =
  | { readonly ok: true }
  | {
    readonly ok: false;
    readonly key: string;
    /** The operations of that key, in the order in which they were sent. */
    readonly history: readonly Operation<I, O>[];
    readonly reason: "violation" | "budget";
  };

/** How far the search goes. */
export interface JudgeOptions {
  /** How many steps of the model each key may take. */
  readonly maxSteps: number;
}

/**
 * Looks for an order of the operations of each key that fits the model, what was answered, and the clock: what was
 * answered before another was sent comes before it.
 *
 * @param model What operations do to one key.
 * @param history The operations, in any order.
 * @param options How far the search goes.
 * @returns A key with a violation if there is one, else one that was given up if there is one.
 */
export function judge<S, I, O>(
  model: Model<S, I, O>,
  history: readonly Operation<I, O>[],
  { maxSteps }: JudgeOptions,
): Judgement<I, O> {
  let givenUp: Judgement<I, O> = { ok: true };
  for (const [key, operations] of Map.groupBy(history, ({ key }) => key)) {
    operations.sort((a, b) => a.from - b.from || a.to - b.to);
    const reason = search(model, operations, maxSteps);
    if (reason === "violation") return { ok: false, key, history: operations, reason };
    if (reason === "budget" && givenUp.ok) givenUp = { ok: false, key, history: operations, reason };
  }
  return givenUp;
}

/** A choice of the search: the operations that may come next, and the one that was taken. */
interface Choice<S> {
  readonly state: S;
  readonly candidates: readonly number[];
  /** The place in `candidates` of what is tried next. */
  next: number;
  /** What led here; -1 at the start. */
  readonly taken: number;
}

/** The operations must be sorted. */
function search<S, I, O>(
  model: Model<S, I, O>,
  operations: readonly Operation<I, O>[],
  maxSteps: number,
): "ok" | "violation" | "budget" {
  const isOptional = operations.map(({ applied, to }) =>
    applied === "maybe" || applied === undefined && to === Infinity
  );
  const isAnswered = operations.map(({ applied, to }) => applied === undefined && to !== Infinity);
  const numbers = new Map(operations.map((operation, index) => [operation, index]));
  const behind = operations.map((operation) => operation.behind && numbers.get(operation.behind));
  const isTaken = operations.map(() => false);
  const texts = operations.map(({ input }, index) => isOptional[index] ? JSON.stringify(input) : "");
  const events = new Events(operations, isOptional);
  const visited = new Visited(isOptional);
  let missing = isOptional.filter((optional) => !optional).length;
  let steps = 0;

  /**
   * What may come next. Those that may never have happened come last, as most of them are not needed, and the oldest at
   * the very end, as most happen soon or never. Of those that ask the same, the first one stands for all: whatever a
   * later one explains, it explains too.
   */
  const choose = (state: S): readonly number[] => {
    const open = events.open().filter((index) => behind[index] === undefined || isTaken[behind[index]]);
    for (const index of open) {
      const { input, output } = operations[index];
      if (!isAnswered[index] || !model.isInert?.(input, output as O)) continue;
      steps++;
      if (model.same(model.step(state, input)[1], output as O)) return [index];
    }
    const optional = new Map<string, number>();
    for (const index of open) {
      if (isOptional[index] && !optional.has(texts[index])) optional.set(texts[index], index);
    }
    return [...open.filter((index) => !isOptional[index]), ...[...optional.values()].reverse()];
  };

  const path: Choice<S>[] = [{ state: model.init, candidates: choose(model.init), next: 0, taken: -1 }];
  while (missing > 0) {
    const choice = path.at(-1);
    if (choice === undefined) return "violation";
    if (choice.next === choice.candidates.length) {
      path.pop();
      if (choice.taken < 0) continue;
      events.restore(choice.taken);
      isTaken[choice.taken] = false;
      visited.flip(choice.taken);
      if (!isOptional[choice.taken]) missing++;
      continue;
    }
    if (steps >= maxSteps) return "budget";
    const taken = choice.candidates[choice.next++];
    const { input, output } = operations[taken];
    steps++;
    const [state, answer] = model.step(choice.state, input);
    if (isAnswered[taken] && !model.same(answer, output as O)) continue;
    visited.flip(taken);
    if (!visited.add(model.stateText(state))) {
      visited.flip(taken);
      continue;
    }
    events.remove(taken);
    isTaken[taken] = true;
    if (!isOptional[taken]) missing--;
    path.push({ state, candidates: choose(state), next: 0, taken });
  }
  return "ok";
}

/**
 * The moments at which the operations that are left begin and end, as a linked list. That of operation `i` begins at
 * node `2 * i` and ends at node `2 * i + 1`; one that has no end is not waited for.
 */
class Events {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #hasEnd: readonly boolean[];
  readonly #head: number;

  constructor(operations: readonly Operation[], isOptional: readonly boolean[]) {
    this.#head = 2 * operations.length;
    this.#hasEnd = operations.map(({ to }, index) => !isOptional[index] && to !== Infinity);
    const nodes: number[] = [];
    operations.forEach((_, index) => nodes.push(2 * index, ...(this.#hasEnd[index] ? [2 * index + 1] : [])));
    const time = (node: number): number => operations[node >> 1][node & 1 ? "to" : "from"];
    nodes.sort((a, b) => time(a) - time(b) || (a & 1) - (b & 1)); // of one moment, beginnings first
    this.#next = new Int32Array(this.#head + 1).fill(-1);
    this.#previous = new Int32Array(this.#head + 1).fill(-1);
    let last = this.#head;
    for (const node of nodes) {
      this.#next[last] = node;
      this.#previous[node] = last;
      last = node;
    }
  }

  /** The operations that may come next: those that began before any that is left had ended. */
  open(): number[] {
    const open: number[] = [];
    for (let node = this.#next[this.#head]; node >= 0 && !(node & 1); node = this.#next[node]) {
      open.push(node >> 1);
    }
    return open;
  }

  /** Takes an operation out. */
  remove(index: number): void {
    this.#unlink(2 * index);
    if (this.#hasEnd[index]) this.#unlink(2 * index + 1);
  }

  /** Puts an operation back; the one that was taken out last must come first. */
  restore(index: number): void {
    if (this.#hasEnd[index]) this.#link(2 * index + 1);
    this.#link(2 * index);
  }

  #unlink(node: number): void {
    const [previous, next] = [this.#previous[node], this.#next[node]];
    this.#next[previous] = next;
    if (next >= 0) this.#previous[next] = previous;
  }

  #link(node: number): void {
    const [previous, next] = [this.#previous[node], this.#next[node]];
    this.#next[previous] = node;
    if (next >= 0) this.#previous[next] = node;
  }
}

const FULL = 0xffff;

/**
 * Where the search has been: which operations were taken, and the state they led to.
 *
 * Of those that may never have happened, fewer taken is better: what can be done with some left can be done with more
 * left. So a place is new only if no such place with a part of them was seen.
 */
class Visited {
  /** A bit for each operation that must have happened. */
  readonly #words: Uint16Array;
  readonly #places = new Map<string, bigint[]>();
  /** For each operation that may never have happened a bit of its own. */
  readonly #optionalBits: readonly (bigint | undefined)[];
  #optional = 0n;

  constructor(isOptional: readonly boolean[]) {
    let count = 0n;
    this.#words = new Uint16Array((isOptional.length >> 4) + 1);
    this.#optionalBits = isOptional.map((optional) => optional ? 1n << count++ : undefined);
    isOptional.forEach((optional, index) => {
      if (optional) this.#words[index >> 4] |= 1 << (index & 15); // so that the words before the first gap are full
    });
  }

  /** Notes that an operation is taken, or that it no longer is. */
  flip(index: number): void {
    const bit = this.#optionalBits[index];
    if (bit === undefined) this.#words[index >> 4] ^= 1 << (index & 15);
    else this.#optional ^= bit;
  }

  /** Notes the place; `false` if there is nothing new to find from it. */
  add(stateText: string): boolean {
    const words = this.#words;
    // The words at both ends that say nothing are left out, which keeps the text short in a long history.
    let low = 0;
    while (low < words.length && words[low] === FULL) low++;
    let high = words.length;
    while (high > low && words[high - 1] === 0) high--;
    const text = `${low} ${high - low} ${String.fromCharCode(...words.subarray(low, high))}${stateText}`;
    const before = this.#places.get(text);
    if (before === undefined) {
      this.#places.set(text, [this.#optional]);
      return true;
    }
    if (before.some((taken) => (taken & ~this.#optional) === 0n)) return false;
    this.#places.set(text, [...before.filter((taken) => (this.#optional & ~taken) !== 0n), this.#optional]);
    return true;
  }
}

// ---- The dictionary ----

/** An operation on one key. */
export type DictInput =
  | { readonly kind: "set"; readonly value: Json }
  | { readonly kind: "delete" }
  | { readonly kind: "pop" }
  | { readonly kind: "get" }
  | { readonly kind: "getOrInsert"; readonly value: Json }
  | { readonly kind: "compareAndSet"; readonly expected: Json | undefined; readonly value: Json }
  | { readonly kind: "push"; readonly items: readonly Json[] }
  | { readonly kind: "popElement" }
  | { readonly kind: "increment"; readonly by: number }
  /** An edit that adds to the member `n` as plain code does, and throws what it has read where there is none. */
  | { readonly kind: "editAdd"; readonly by: number }
  /** An edit that returns what it reads. */
  | { readonly kind: "editRead" }
  /** An edit that changes what it reads, and then throws it. */
  | { readonly kind: "editThrow" }
  /** An edit that returns what it replaces. */
  | { readonly kind: "editSwap"; readonly value: Json };

/** What is returned, or the code of the error that is thrown. */
export type DictOutput = Json | undefined;

/** What the value of one key is; `undefined` if there is none. */
export type DictState = Json | undefined;

/** What the dictionary does with one key, as its documentation says. `increment` adds to the member `n`. */
export const dictModel: Model<DictState, DictInput, DictOutput> = {
  init: undefined,
  step: stepDict,
  stateText: textOf,
  same: (a, b) => a === b || textOf(a) === textOf(b),
  isInert({ kind }, output) {
    switch (kind) {
      case "get":
      case "editRead":
      case "editThrow":
        return true;
      case "delete":
      case "compareAndSet":
        return output === false;
      case "pop":
      case "popElement":
        return output === undefined;
      case "push":
      case "increment":
      case "editAdd":
        return typeof output === "string"; // the code of an error, or what was thrown
      default:
        return false;
    }
  },
};

function stepDict(state: DictState, input: DictInput): readonly [DictState, DictOutput] {
  switch (input.kind) {
    case "set":
      return [input.value, undefined];
    case "delete":
      return [undefined, state !== undefined];
    case "pop":
      return [undefined, state];
    case "get":
      return [state, state];
    case "getOrInsert":
      return state === undefined ? [input.value, input.value] : [state, state];
    case "compareAndSet":
      return textOf(state) === textOf(input.expected) ? [input.value, true] : [state, false];
    case "editRead":
      return [state, state];
    case "editThrow":
      return [state, `threw ${textOf(state)}`];
    case "editSwap":
      return [input.value, state];
    case "editAdd": {
      if (!hasNumber(state)) return [state, `threw ${textOf(state)}`];
      const n = state.n + input.by;
      return [{ ...state, n }, n];
    }
  }
  if (state === undefined) return [state, "KEY_NOT_FOUND"];
  if (input.kind === "increment") {
    if (state === null || typeof state !== "object" || Array.isArray(state)) return [state, "TYPE_MISMATCH"];
    if (!Object.hasOwn(state, "n")) return [state, "PATH_NOT_FOUND"];
    if (typeof state.n !== "number") return [state, "TYPE_MISMATCH"];
    const n = state.n + input.by;
    return [{ ...state, n }, n];
  }
  if (!Array.isArray(state)) return [state, "TYPE_MISMATCH"];
  if (input.kind === "push") return [[...state, ...input.items], state.length + input.items.length];
  return [state.slice(0, -1), state.at(-1)];
}

function hasNumber(value: Json | undefined): value is { n: number } {
  return value !== null && typeof value === "object" && !Array.isArray(value) && typeof value.n === "number";
}

/** The texts of what is compared again and again, and never changes. */
const known = new WeakMap<object, string>();

/** The same text for values that are equal as JSON; no value has the text of `undefined`. */
function textOf(value: Json | undefined): string {
  if (value === undefined) return "";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const before = known.get(value);
  if (before !== undefined) return before;
  const text = Array.isArray(value)
    ? `[${value.map(textOf).join()}]`
    : `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${textOf(value[name])}`).join()}}`;
  known.set(value, text);
  return text;
}

/** What a recipe throws: what it has read. */
class Thrown extends Error {
  constructor(read: Json | undefined) {
    super(`threw ${textOf(read)}`);
  }
}

/** A plain copy of a draft. */
function readPlain(draft: unknown): Json | undefined {
  return draft === undefined ? undefined : JSON.parse(JSON.stringify(draft));
}

/** What an operation answers when it was refused; after any other error, the operation has no answer. */
const REFUSALS: readonly string[] = ["KEY_NOT_FOUND", "PATH_NOT_FOUND", "TYPE_MISMATCH"];

/**
 * Does an operation on a dictionary.
 *
 * @returns What it answers, as the model says it.
 * @throws What the dictionary throws, unless it is one of the refusals that the model knows.
 */
export async function perform(
  // deno-lint-ignore no-explicit-any -- any op at any place
  dict: RedisJsonDict<any>,
  key: string,
  input: DictInput,
): Promise<DictOutput> {
  try {
    switch (input.kind) {
      case "set":
        await dict.set(key, input.value);
        return undefined;
      case "delete":
        return await dict.delete(key);
      case "pop":
        return await dict.pop(key);
      case "get":
        return await dict.get(key);
      case "getOrInsert":
        return await dict.getOrInsert(key, input.value);
      case "compareAndSet":
        return await dict.at(key).compareAndSet(input.expected, input.value);
      case "push":
        return await dict.at(key).push(...input.items);
      case "popElement":
        return await dict.at(key).pop();
      case "increment":
        return await dict.at(key, "n").increment(input.by);
      case "editRead":
        return await dict.edit((draft) => draft[key]);
      case "editSwap":
        return await dict.edit((draft) => {
          const before = draft[key];
          draft[key] = input.value;
          return before;
        });
      case "editThrow":
        return await dict.edit((draft) => {
          const before = readPlain(draft[key]);
          draft[key] = [before ?? null];
          throw new Thrown(before);
        });
      case "editAdd":
        return await dict.edit((draft) => {
          if (!hasNumber(draft[key])) throw new Thrown(readPlain(draft[key]));
          return draft[key].n += input.by;
        });
    }
  } catch (error) {
    if (error instanceof Thrown) return error.message;
    if (error instanceof JsonDictError && REFUSALS.includes(error.code)) return error.code;
    throw error;
  }
}

// ---- Several keys ----

/** An operation on one key of several, or on two of them. */
export type ItemsInput =
  | { readonly key: string; readonly input: DictInput }
  /** Moves a value. What is at `to` is read only if there is something to move: the key is found late. */
  | { readonly kind: "move"; readonly from: string; readonly to: string };

/** What the values of several keys are. */
export type ItemsState = Readonly<Record<string, Json>>;

/** What the dictionary does with several keys, which have one history. */
export const itemsModel: Model<ItemsState, ItemsInput, DictOutput> = {
  init: {},
  step(state, input) {
    if ("key" in input) {
      const [value, output] = stepDict(state[input.key], input.input);
      return [put(state, input.key, value), output];
    }
    const value = state[input.from];
    if (value === undefined) return [state, "nothing"];
    return [put(put(state, input.from, undefined), input.to, value), state[input.to]];
  },
  stateText: textOf,
  same: dictModel.same,
  isInert: (input, output) => "key" in input ? dictModel.isInert!(input.input, output) : output === "nothing",
};

function put(state: ItemsState, key: string, value: Json | undefined): ItemsState {
  const { [key]: _, ...rest } = state;
  return value === undefined ? rest : { ...rest, [key]: value };
}

/** Does an operation on several keys of a dictionary; as {@linkcode perform}. */
export async function performItems(
  // deno-lint-ignore no-explicit-any -- any op at any place
  dict: RedisJsonDict<any>,
  input: ItemsInput,
): Promise<DictOutput> {
  if ("key" in input) return await perform(dict, input.key, input.input);
  const { from, to } = input;
  return await dict.edit((draft) => {
    const value = draft[from];
    if (value === undefined) return "nothing";
    const before = from === to ? value : draft[to];
    delete draft[from];
    draft[to] = value;
    return before;
  });
}
