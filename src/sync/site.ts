/**
 * Sites: what the proxies of a facade stand for. Here is what the engine asks of an object; what it is answered is read
 * and written elsewhere.
 *
 * @module
 */

import type { Json } from "../data/json.ts";
import { isContainer } from "../draft/proxy.ts";
import { Operation, Walk } from "./moment.ts";

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** What the proxies stand for, by proxy, and by the target of the proxy. */
const proxies: WeakMap<object, Site> = new WeakMap();
const targets: WeakMap<object, Site> = new WeakMap();

/** What a facade stands for; nothing for anything else. */
export function siteOf(value: unknown): Site | undefined {
  return typeof value === "object" && value !== null ? proxies.get(value) : undefined;
}

/** What the sites of one dictionary share: the engine walks over one of them at most. */
export interface Walking {
  /** The site that it walks over. */
  walking: Site | undefined;
}

/** A place that a facade stands for. */
export abstract class Site {
  readonly proxy: object;
  readonly #walks: Walking;
  /** The walk of the engine over its members. */
  #walk: Walk | undefined;

  /**
   * A place.
   *
   * @param walks Where the site is noted that the engine walks over.
   * @param target The plain object that the proxy has.
   */
  constructor(walks: Walking, target: object) {
    this.#walks = walks;
    this.proxy = new Proxy(target, HANDLER);
    // The console looks at the target.
    Object.defineProperty(target, INSPECT, { value: () => this.#show(), configurable: true });
    targets.set(target, this);
    proxies.set(this.proxy, this);
  }

  /** Its name in messages. */
  abstract readonly place: string;
  /** Its text. */
  abstract text(): string;
  /** Reads all of it. */
  abstract plain(): Json;
  abstract has(name: string): boolean;
  abstract set(name: string, value: unknown): void;
  abstract delete(name: string): void;
  /** What a symbol stands for. */
  abstract symbol(name: symbol): unknown;
  /** Reads one member. */
  protected abstract read(name: string): unknown;
  /** Reads what a walk begins with, and returns the names. */
  protected abstract begin(): readonly string[];
  /** What the walk has read; with `isFresh` it is read once more. */
  protected abstract seen(name: string, isFresh: boolean): unknown;
  /** Forgets what a walk has read. */
  protected abstract forget(): void;

  names(): readonly string[] {
    this.#walks.walking?.stop();
    this.#walks.walking = this;
    this.#walk = new Walk(this.begin());
    return this.#walk.names;
  }

  /** The walk is over. */
  stop(): void {
    this.#walk = undefined;
    this.forget();
  }

  get(name: string): unknown {
    const state = this.#walk?.read(name);
    if (state !== undefined) return this.seen(name, state === "late");
    if (this.#walk) this.stop();
    if (name === "toJSON") return this.#toJson();
    return this.read(name);
  }

  /** Whether there is a member, for the engine, which asks for each that it walks over. */
  describes(name: string): boolean {
    return this.#walk?.describe(name) || this.has(name);
  }

  /** The length of an array, for the engine, which asks for it as for any other name. */
  length(): unknown {
    return this.#walk?.describe("length") ? this.seen("length", false) : this.read("length");
  }

  /** The engine looks for more names elsewhere, as only `for in` does. */
  loop(): void {
    this.#walk?.loop();
  }

  /** What the console shows: all of it, or why it cannot be read. Who only looks should not be thrown at. */
  #show(): unknown {
    try {
      return this.plain();
    } catch (error) {
      return error instanceof Error ? `[${error.name}: ${error.message}]` : error;
    }
  }

  /** A member of that name, which `JSON.stringify` does not call; else what it calls. Either way all is read. */
  #toJson(): unknown {
    let plain: Json | undefined = this.plain();
    if (isContainer(plain) && Object.hasOwn(plain, "toJSON")) return this.read("toJSON");
    const operation = new Operation();
    return (): Json => {
      const first = operation.goesOn() ? plain : undefined;
      plain = undefined;
      return first ?? this.plain();
    };
  }
}

/**
 * Every trap is written on purpose: data goes to the site, prototypes to the plain target. A member is described as an
 * accessor, for the engine asks for the descriptor also where it wants no value.
 */
const HANDLER: Required<ProxyHandler<object>> = {
  get(target, name) {
    const site = targets.get(target)!;
    if (typeof name !== "symbol") return site.get(name);
    if (name === Symbol.toPrimitive) {
      return (hint: string) => hint === "number" ? Number(site.plain()) : String(site.plain());
    }
    return site.symbol(name) ?? Reflect.get(target, name);
  },
  set(target, name, value, receiver) {
    const site = targets.get(target)!;
    // case: an object that has the facade as its prototype; the member becomes its own.
    if (proxies.get(receiver) !== site) {
      const descriptor = { value, writable: true, enumerable: true, configurable: true };
      return Reflect.defineProperty(receiver, name, descriptor);
    }
    site.set(dataName(site, name), value);
    return true;
  },
  has(target, name) {
    const site = targets.get(target)!;
    return typeof name === "symbol" ? site.symbol(name) !== undefined : site.has(name);
  },
  deleteProperty(target, name) {
    if (typeof name === "string") targets.get(target)!.delete(name);
    return true;
  },
  ownKeys(target) {
    return [...targets.get(target)!.names()];
  },
  getOwnPropertyDescriptor(target, name) {
    const site = targets.get(target)!;
    if (typeof name === "symbol") return undefined;
    if (name === "length" && Array.isArray(target)) {
      // The engine requires a plain property here, as on the target.
      return { value: site.length(), writable: true, enumerable: false, configurable: false };
    }
    if (!site.describes(name)) return undefined;
    const members = site.proxy as Record<string, unknown>;
    return {
      get: () => members[name],
      set: (value) => void (members[name] = value),
      enumerable: true,
      configurable: true,
    };
  },
  defineProperty(target, name, descriptor) {
    const site = targets.get(target)!;
    const { value, writable, enumerable, configurable } = descriptor;
    if (!("value" in descriptor) || !writable || !enumerable || !configurable) {
      throw new TypeError(
        `Cannot define ${String(name)} of ${site.place}: JSON has only plain members; assign to it instead`,
      );
    }
    site.set(dataName(site, name), value);
    return true;
  },
  getPrototypeOf(target) {
    targets.get(target)!.loop();
    return Reflect.getPrototypeOf(target);
  },
  setPrototypeOf(target, prototype) {
    if (prototype === Reflect.getPrototypeOf(target)) return true;
    throw new TypeError(`Cannot change the prototype of ${targets.get(target)!.place}: JSON has none`);
  },
  isExtensible(target) {
    return Reflect.isExtensible(target);
  },
  preventExtensions(target) {
    throw new TypeError(
      `Cannot freeze ${targets.get(target)!.place}: others can change it; use Object.freeze on a copy`,
    );
  },
  apply(target) {
    throw new TypeError(`Cannot call ${targets.get(target)!.place}: it is data`);
  },
  construct(target) {
    throw new TypeError(`Cannot call ${targets.get(target)!.place}: it is data`);
  },
};

function dataName(site: Site, name: string | symbol): string {
  if (typeof name === "string") return name;
  throw new TypeError(`Cannot write ${String(name)} to ${site.place}: a symbol is not JSON; use a string`);
}
