/** Random calls on a dictionary and on a plain Map must agree: results, errors, values, expiry. */

import { describe, it } from "@std/testing/bdd";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Redis } from "ioredis";
import { RedisJsonDict } from "../../src/api/dict.ts";
import { JsonDictError } from "../../src/errors/error.ts";
import type { Json } from "../../src/data/json.ts";
import { fuzz } from "../support/fuzz.ts";
import { type Fault, FaultProxy } from "../support/fault_proxy.ts";
import { redisUrl, removeKeys, testClient, uniquePrefix } from "../support/redis.ts";

const client = testClient();
type Members = { [name: string]: Json };
type Segment = string | number;

/** One call as plain data; each kind uses what it needs. */
interface Call {
  readonly kind: string;
  readonly key: string;
  readonly path: readonly Segment[];
  readonly value: Json;
  readonly other: Json;
  readonly items: readonly Json[];
  readonly by: number;
  readonly text: string;
  readonly start: number;
  readonly count: number;
  readonly parents: boolean;
}

const REF_READS = ["get", "getOrThrow", "exists", "type", "length", "keys"];
const REF_CHANGES = [
  ...["set", "set", "set", "delete", "getOrInsert", "compareAndSet", "compareAndSetNothing"],
  ...["increment", "toggle", "append", "push", "unshift", "pop", "shift", "splice"],
];
const DICT_CALLS = [
  ...["dict.set", "dict.set", "dict.setTtl", "dict.setKeepTtl", "dict.get", "dict.getOrThrow", "dict.has"],
  ...[
    "dict.delete",
    "dict.pop",
    "dict.getOrInsert",
    "dict.getMany",
    "dict.update",
    "dict.ttl",
    "dict.expire",
  ],
  ...["dict.persist"],
];
const DICT_READS: readonly string[] = [
  ...["dict.get", "dict.getOrThrow", "dict.has", "dict.getMany", "dict.ttl"],
];
/** Go through all keys, so that only awaited calls are ordered with them. */
const WHOLE_CALLS = ["dict.size", "dict.keys", "dict.values", "dict.toObject", "dict.clear", "dict.popItem"];

// ---- What is called ----

const keys = fc.constantFrom("a", "b", "__proto__");
const names = fc.constantFrom("a", "a", "b", "0", "-1", "", "__proto__", "é\n");
const scalars = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, 1, -2, 0.5, 0.1, 100, "", "x", 'é"\\'),
  fc.string({ maxLength: 4 }),
);
const { value: values } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    scalars,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(names, tie("value")), { maxLength: 4 }).map((pairs): Json => Object.fromEntries(pairs)),
  ),
}));

function callsOf(kinds: readonly string[]): fc.Arbitrary<Call> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    key: keys,
    // Short and of few names, so that most lead somewhere.
    path: fc.array(fc.oneof(names, fc.integer({ min: -2, max: 2 })), { maxLength: 2 }),
    value: values,
    other: values,
    items: fc.array(values, { maxLength: 3 }),
    by: fc.constantFrom(0, 1, -2, 0.5, 0.1, 100),
    text: fc.string({ maxLength: 5, unit: "grapheme" }),
    start: fc.integer({ min: -4, max: 4 }),
    count: fc.integer({ min: -1, max: 4 }),
    parents: fc.boolean(),
  });
}

/** Makes the call on the dictionary. Results that have no order are sorted. */
async function perform(dict: RedisJsonDict, call: Call): Promise<unknown> {
  const { key, value, kind } = call;
  const options = { parents: call.parents };
  // deno-lint-ignore no-explicit-any -- any method at any place
  const ref: any = dict.at(key).at(...call.path as [string]);
  const chosen = call.parents ? ref.parents() : ref;
  switch (kind) {
    case "get":
    case "getOrThrow":
    case "exists":
    case "type":
    case "length":
    case "delete":
    case "toggle":
    case "pop":
    case "shift":
      return await ref[kind]();
    case "keys":
      return (await ref.keys())?.sort();
    case "set":
    case "getOrInsert":
      return await ref[kind](value, options);
    case "compareAndSet":
      return await ref.compareAndSet(call.other, value);
    case "compareAndSetNothing":
      return await ref.compareAndSet(undefined, value);
    case "increment":
      return await ref.increment(call.by, options);
    case "append":
      return await ref.append(call.text, options);
    case "push":
    case "unshift":
      return await chosen[kind](...call.items);
    case "splice":
      return await chosen.splice(call.start, call.count, ...call.items);
    case "dict.set":
      return await dict.set(key, value);
    case "dict.setTtl":
      return await dict.set(key, value, { ttl: 1_000_000 });
    case "dict.setKeepTtl":
      return await dict.set(key, value, { keepTtl: true });
    case "dict.get":
      return await dict.get(key);
    case "dict.getOrThrow":
      return await dict.getOrThrow(key);
    case "dict.has":
      return await dict.has(key);
    case "dict.delete":
      return await dict.delete(key);
    case "dict.pop":
      return await dict.pop(key);
    case "dict.getOrInsert":
      return await dict.getOrInsert(key, value);
    case "dict.getMany":
      return [...await dict.getMany(["b", key, "a"])];
    case "dict.update":
      return await dict.update(new Map([[key, value], ["a", call.other]]));
    case "dict.ttl": {
      const ttl = await dict.ttl(key);
      return ttl === undefined || ttl === Infinity ? ttl : "some";
    }
    case "dict.expire":
      return await dict.expire(key, 1_000_000);
    case "dict.persist":
      return await dict.persist(key);
    case "dict.size":
      return await dict.size();
    case "dict.keys":
      return (await Array.fromAsync(dict.keys())).sort();
    case "dict.values":
      return (await Array.fromAsync(dict.values())).map((it) => JSON.stringify(it)).length;
    case "dict.toObject":
      return Object.entries(await dict.toObject()).sort(([a], [b]) => a < b ? -1 : 1);
    case "dict.clear":
      return await dict.clear();
    default:
      throw new Error(`Cannot perform ${kind}`);
  }
}

// ---- The same on a Map ----

/** What the model throws; its message is the code of the library's error. */
class Refused extends Error {}

interface Item {
  value: Json;
  expires: boolean;
}

/** Where a path leads: the container and the place in it, and whether there is a value. */
interface Place {
  readonly container: Json[] | Members;
  readonly at: string | number;
  readonly isThere: boolean;
  /** How many segments are behind it that could not be followed. */
  readonly rest: readonly Segment[];
}

function copy<V extends Json>(value: V): V {
  return JSON.parse(JSON.stringify(value));
}

function isObject(value: Json): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeOf(value: Json): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function put(container: Json[] | Members, at: string | number, value: Json): void {
  const property = { value, writable: true, enumerable: true, configurable: true };
  Object.defineProperty(container, at, property);
}

function canonical(segment: Segment): number | undefined {
  return /^(?:0|-?[1-9][0-9]*)$/.test(String(segment)) ? Number(segment) : undefined;
}

function nested(path: readonly Segment[], value: Json): Json {
  return path.reduceRight<Json>(
    (inside, segment) => segment === 0 ? [inside] : Object.fromEntries([[String(segment), inside]]),
    value,
  );
}

class Model {
  readonly items = new Map<string, Item>();

  call(call: Call): unknown {
    const { key, kind } = call;
    if (kind.startsWith("dict.")) return this.#callDict(call);
    // A box around the dictionary makes a whole value a member like any other.
    const item = this.items.get(key);
    const box: Members = Object.create(null);
    if (item) put(box, key, item.value);
    const result = this.#callRef(call, box);
    if (!Object.hasOwn(box, key)) this.items.delete(key);
    else this.items.set(key, { value: box[key], expires: item?.expires ?? false });
    return result;
  }

  #callDict(call: Call): unknown {
    const { key, kind } = call;
    const value = copy(call.value);
    const item = this.items.get(key);
    switch (kind) {
      case "dict.set":
      case "dict.setTtl":
      case "dict.setKeepTtl": {
        const expires = kind === "dict.setTtl" || kind === "dict.setKeepTtl" && (item?.expires ?? false);
        this.items.set(key, { value, expires });
        return undefined;
      }
      case "dict.get":
        return item?.value;
      case "dict.getOrThrow":
        if (!item) throw new Refused("KEY_NOT_FOUND");
        return item.value;
      case "dict.has":
        return item !== undefined;
      case "dict.delete":
        return this.items.delete(key);
      case "dict.pop":
        this.items.delete(key);
        return item?.value;
      case "dict.getOrInsert":
        if (!item) this.items.set(key, { value, expires: false });
        return item ? item.value : value;
      case "dict.getMany": {
        const wanted = [...new Set(["b", key, "a"])].filter((name) => this.items.has(name));
        return wanted.map((name) => [name, this.items.get(name)?.value]);
      }
      case "dict.update":
        this.items.set(key, { value, expires: false });
        this.items.set("a", { value: copy(call.other), expires: false });
        return undefined;
      case "dict.ttl":
        return item && (item.expires ? "some" : Infinity);
      case "dict.expire":
        if (item) item.expires = true;
        return item !== undefined;
      case "dict.persist": {
        const was = item?.expires ?? false;
        if (item) item.expires = false;
        return was;
      }
      case "dict.size":
      case "dict.values":
        return this.items.size;
      case "dict.keys":
        return [...this.items.keys()].sort();
      case "dict.toObject":
        return [...this.items].map(([name, { value }]) => [name, value]).sort(([a], [b]) => a! < b! ? -1 : 1);
      case "dict.clear": {
        const { size } = this.items;
        this.items.clear();
        return size;
      }
      default:
        throw new Error(`Cannot model ${kind}`);
    }
  }

  #find(box: Members, call: Call): Place {
    let container: Json[] | Members = box;
    const path = [call.key, ...call.path];
    for (const [index, segment] of path.entries()) {
      let at: string | number = String(segment);
      if (Array.isArray(container)) {
        const number = canonical(segment);
        if (number === undefined) throw new Refused("TYPE_MISMATCH");
        at = number < 0 ? number + container.length : number;
      }
      const rest = path.slice(index + 1);
      const isThere = Object.hasOwn(container, at);
      if (!isThere || rest.length === 0) return { container, at, isThere, rest };
      const next: Json = (container as Members)[at];
      if (typeof next !== "object" || next === null) throw new Refused("TYPE_MISMATCH");
      container = next;
    }
    throw new Error("Cannot find the end of a path");
  }

  /** Makes a value where there is none; `always` if the last segment may be missing without `parents`. */
  #create(box: Members, call: Call, place: Place, value: Json, always: boolean): void {
    if (!(call.parents || always && place.rest.length === 0)) {
      throw new Refused(place.container === box ? "KEY_NOT_FOUND" : "PATH_NOT_FOUND");
    }
    if (Array.isArray(place.container) && place.at !== place.container.length) {
      throw new Refused("INDEX_OUT_OF_RANGE");
    }
    put(place.container, place.at, nested(place.rest, copy(value)));
  }

  #callRef(call: Call, box: Members): unknown {
    const place = this.#find(box, call);
    const { container, at } = place;
    const missing = place.isThere ? undefined : place;
    const found: Json = missing ? null : (container as Members)[at];
    const replace = (value: Json): void => put(container, at, copy(value));
    const need = (type: string): void => {
      if (missing) throw new Refused(container === box ? "KEY_NOT_FOUND" : "PATH_NOT_FOUND");
      if (typeOf(found) !== type) throw new Refused("TYPE_MISMATCH");
    };
    switch (call.kind) {
      case "get":
        return missing ? undefined : found;
      case "getOrThrow":
        if (missing) need("any");
        return found;
      case "exists":
        return !missing;
      case "type":
        return missing ? undefined : typeOf(found);
      case "length":
        if (missing) return undefined;
        if (typeof found === "string" || Array.isArray(found)) return found.length;
        need("object");
        return Object.keys(found as Members).length;
      case "keys":
        if (missing) return undefined;
        need("object");
        return Object.keys(found as Members).sort();
      case "set":
        if (missing) this.#create(box, call, place, call.value, true);
        else replace(call.value);
        return undefined;
      case "getOrInsert":
        if (!missing) return found;
        this.#create(box, call, place, call.value, true);
        return copy(call.value);
      case "compareAndSet":
        if (missing || !isSame(found, call.other)) return false;
        replace(call.value);
        return true;
      case "compareAndSetNothing":
        if (!missing) return false;
        this.#create(box, { ...call, parents: false }, place, call.value, true);
        return true;
      case "delete":
        if (missing) return false;
        if (Array.isArray(container)) container.splice(Number(at), 1);
        else delete container[at];
        return true;
      case "increment":
        if (missing) {
          this.#create(box, call, place, call.by, false);
          return call.by;
        }
        need("number");
        replace(Number(found) + call.by);
        return copy(Number(found) + call.by);
      case "toggle":
        need("boolean");
        replace(!found);
        return !found;
      case "append":
        if (missing) {
          this.#create(box, call, place, call.text, false);
          return call.text.length;
        }
        need("string");
        replace(String(found) + call.text);
        return String(found).length + call.text.length;
    }
    if (missing && ["push", "unshift", "splice"].includes(call.kind)) {
      this.#create(box, call, place, [...call.items], false);
      return call.kind === "splice" ? [] : call.items.length;
    }
    need("array");
    const array = found as Json[];
    const items = call.items.map(copy);
    switch (call.kind) {
      case "push":
        return array.push(...items);
      case "unshift":
        return array.unshift(...items);
      case "pop":
        return array.pop();
      case "shift":
        return array.shift();
      case "splice":
        return array.splice(call.start, call.count, ...items);
      default:
        throw new Error(`Cannot model ${call.kind}`);
    }
  }
}

function isSame(a: Json, b: Json): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) =>
    Object.hasOwn(b, name) && isSame((a as Members)[name], (b as unknown as Members)[name])
  );
}

// ---- Comparing ----

/** The result or the code of the error, as text that does not depend on the order of members. */
function settle(result: unknown): string {
  if (result instanceof Refused) return `refused: ${result.message}`;
  if (result instanceof JsonDictError) return `refused: ${result.code}`;
  if (result instanceof Error) throw result;
  return result === undefined ? "undefined" : result === Infinity ? "Infinity" : ordered(result as Json);
}

function ordered(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item) => ordered(item ?? null)).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${
    Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${ordered(value[name])}`).join()
  }}`;
}

function expected(model: Model, call: Call): string {
  try {
    return settle(model.call(call));
  } catch (error) {
    return settle(error);
  }
}

async function compare(dict: RedisJsonDict, model: Model): Promise<void> {
  const names = (await client.keys(`${dict.prefix}*`)).map((name) => name.slice(dict.prefix.length));
  assertEquals(names.sort(), [...model.items.keys()].sort());
  for (const [key, { value, expires }] of model.items) {
    const text = String(await client.get(`${dict.prefix}${key}`));
    assertEquals(ordered(JSON.parse(text)), ordered(value));
    // What we wrote is compact: nothing but what JSON.stringify writes between the tokens.
    assertEquals(text.length, JSON.stringify(JSON.parse(text)).length);
    assertEquals(await client.pttl(`${dict.prefix}${key}`) > 0, expires);
  }
}

function newDict(): RedisJsonDict {
  return new RedisJsonDict(client, { prefix: uniquePrefix("model") });
}

describe("RedisJsonDict beside a Map", () => {
  it("RedisJsonDict gives the results, errors and values of a Map, call by call", async () => {
    const dict = newDict();
    const all = [...DICT_CALLS, ...WHOLE_CALLS.filter((kind) => kind !== "dict.popItem")];
    const calls = callsOf([...REF_CHANGES, ...REF_CHANGES, ...REF_READS, ...all]);
    const property = fc.asyncProperty(fc.array(calls, { maxLength: 60, size: "max" }), async (list) => {
      await removeKeys(client, dict.prefix);
      const model = new Model();
      for (const call of list) {
        const wanted = expected(model, call);
        assertEquals(settle(await perform(dict, call).catch((error) => error)), wanted, JSON.stringify(call));
      }
      await compare(dict, model);
    });
    await fc.assert(property, fuzz(0.3));
  });

  it("RedisJsonDict gives the same without awaiting: the order of the program holds", async () => {
    const dict = newDict();
    const calls = callsOf([...REF_CHANGES, ...REF_CHANGES, ...REF_READS, ...DICT_CALLS]);
    const property = fc.asyncProperty(fc.array(calls, { maxLength: 60, size: "max" }), async (list) => {
      await removeKeys(client, dict.prefix);
      const model = new Model();
      const wanted = list.map((call) => expected(model, call));
      const results = await Promise.all(list.map((call) => perform(dict, call).catch((error) => error)));
      assertEquals(results.map(settle), wanted);
      await compare(dict, model);
    });
    await fc.assert(property, fuzz(0.3));
  });

  it("RedisJsonDict gives the same over a network that fails, each change once", async () => {
    await using proxy = await FaultProxy.start(redisUrl);
    proxy.delay = 1;
    const own = new Redis(proxy.url, { retryStrategy: () => 1, disconnectTimeout: 20 });
    own.on("error", () => {});
    const options = {
      prefix: uniquePrefix("model"),
      recordPrefix: uniquePrefix("model-op"),
      timeout: 60_000,
    };
    const dict = new RedisJsonDict(own, options);
    const calls = callsOf([...REF_CHANGES, ...REF_CHANGES, ...REF_READS, ...DICT_CALLS]);
    const faults = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constant<Fault>("none") },
        fc.constantFrom<Fault>("drop answer", "drop request", "late request", "part of answer"),
      ),
      { maxLength: 60, size: "max" },
    );
    // A read that is repeated may see a change that was issued after it. Changes keep their order.
    const changes = callsOf([...REF_CHANGES, ...DICT_CALLS.filter((kind) => !DICT_READS.includes(kind))]);
    const some = (arbitrary: fc.Arbitrary<Call>) => fc.array(arbitrary, { maxLength: 40, size: "max" });
    const lists = fc.oneof(
      fc.tuple(some(calls), fc.constant(true)),
      fc.tuple(some(changes), fc.constant(false)),
    );
    let failed = 0;
    const property = fc.asyncProperty(
      lists,
      faults,
      async ([list, isAwaited], planned) => {
        await removeKeys(client, dict.prefix);
        const model = new Model();
        const wanted = list.map((call) => expected(model, call));
        let next = 0;
        proxy.fault = () => {
          const fault = planned[next++] ?? "none";
          if (fault !== "none") failed++;
          return fault;
        };
        const results: unknown[] = [];
        for (const call of list) {
          const result = perform(dict, call).catch((error) => error);
          results.push(isAwaited ? await result : result);
        }
        assertEquals((await Promise.all(results)).map(settle), wanted);
        proxy.fault = "none";
        await proxy.settled();
        await compare(dict, model);
      },
    );
    await fc.assert(property, fuzz(0.3));
    assert(failed > 0, "nothing has failed");
    own.disconnect();
  });

  it("RedisJsonDict.popItem() takes items of a Map until there are none", async () => {
    const dict = newDict();
    const property = fc.asyncProperty(fc.array(fc.tuple(keys, values)), async (pairs) => {
      const items = new Map<string, Json>(pairs);
      await dict.update(items);
      for (let item = await dict.popItem(); item; item = await dict.popItem()) {
        const [key, value] = item;
        assertEquals(ordered(value), ordered(items.get(key) as Json));
        items.delete(key);
      }
      assertEquals(items.size, 0);
    });
    await fc.assert(property, fuzz(0.1));
  });
});
