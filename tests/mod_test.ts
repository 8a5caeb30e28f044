import { describe, it } from "@std/testing/bdd";
import { assertEquals } from "@std/assert";
import * as mod from "../mod.ts";
import * as sync from "../sync.ts";

/** What the public module exports at run time. A name that comes or goes is a change for users. */
const VALUES = [
  "AmbiguousResultError",
  "ConflictError",
  "CorruptValueError",
  "CrossSlotError",
  "DurabilityError",
  "IndexOutOfRangeError",
  "JsonDictError",
  "KeyNotFoundError",
  "LeaseEndedError",
  "LimitError",
  "NumberRangeError",
  "PatchError",
  "PathNotFoundError",
  "RedisJsonDict",
  "StaleError",
  "TimeoutError",
  "TypeMismatchError",
  "UnavailableError",
  "WrongTypeError",
  "cached",
];

/** What it exports for the compiler. */
const TYPES = [
  "AddOp",
  "AmbiguousResultErrorData",
  "AnyPath",
  "AnyRef",
  "AppendOp",
  "ArrayRef",
  "At",
  "AtPath",
  "BooleanRef",
  "CacheEntry",
  "CacheMap",
  "CacheStatistics",
  "CachedDict",
  "CallOptions",
  "Change",
  "CompareOptions",
  "ConflictErrorData",
  "ContainerOf",
  "ContainerRef",
  "CopyOp",
  "CorruptValueErrorData",
  "CrossSlotErrorData",
  "DeleteOp",
  "Delivery",
  "DictEditOptions",
  "CloseOptions",
  "ConnectOptions",
  "DictOptions",
  "DictWatchOptions",
  "Draft",
  "DraftOf",
  "DurabilityErrorData",
  "EditOptions",
  "ElementOf",
  "Entry",
  "ExistsOp",
  "ExpireOp",
  "ExpiryOptions",
  "Following",
  "FreshOp",
  "Frozen",
  "FrozenJson",
  "GetOptions",
  "Group",
  "Has",
  "HoldsJson",
  "IncrementOp",
  "IndexOutOfRangeErrorData",
  "IsSynchronous",
  "Json",
  "JsonDictErrorData",
  "JsonMember",
  "JsonMembers",
  "JsonType",
  "Key",
  "KeyOf",
  "KeysOp",
  "KeysOptions",
  "Lease",
  "LeaseEnd",
  "LeaseEndedErrorData",
  "LeaseOptions",
  "LengthOp",
  "LengthRef",
  "LimitErrorData",
  "Line",
  "LineListener",
  "Live",
  "LiveOptions",
  "MergePatch",
  "NotJson",
  "NotSynchronous",
  "NumberOf",
  "NumberRangeErrorData",
  "NumberRef",
  "ObjectRef",
  "OnlyJson",
  "Op",
  "OptionsFor",
  "PatchErrorData",
  "PatchOperation",
  "Path",
  "PathNotFoundErrorData",
  "PathOf",
  "PersistOp",
  "PickOp",
  "PlainJson",
  "PopOp",
  "PushOp",
  "PutOp",
  "Ready",
  "RedisClient",
  "RedisJsonDictClass",
  "Ref",
  "ReplaceOptions",
  "Segment",
  "Selected",
  "Selection",
  "SetOp",
  "SetOptions",
  "SpliceOp",
  "StringRef",
  "Synchronous",
  "TestOp",
  "TimeoutErrorData",
  "TlsOptions",
  "ToggleOp",
  "TypeMismatchErrorData",
  "TypeOp",
  "UnavailableErrorData",
  "Verdict",
  "Watch",
  "WatchOptions",
  "WriteOptions",
  "WrongTypeErrorData",
];

/** What a dictionary and its class offer. */
const METHODS = [
  "at",
  "clear",
  "close",
  "copy",
  "delete",
  "edit",
  "entries",
  "expire",
  "explain",
  "get",
  "getMany",
  "getOrInsert",
  "getOrThrow",
  "has",
  "keys",
  "lease",
  "merge",
  "patch",
  "persist",
  "pop",
  "popItem",
  "readMany",
  "ready",
  "rename",
  "set",
  "settled",
  "size",
  "toObject",
  "toString",
  "ttl",
  "update",
  "values",
  "watch",
];

function namedExports(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return [...code.matchAll(/export (?:type )?\{([^}]*)\}/g)]
    .flatMap(([, list]) => list.split(","))
    .map((name) => name.trim().replace(/^type /, ""))
    .filter((name) => name !== "");
}

describe("mod.ts", () => {
  it("mod.ts exports these values and no others", () => {
    assertEquals(Object.keys(mod).sort(), VALUES);
  });

  it("mod.ts names these values and types and no others", () => {
    const named = ["mod.ts", "core.ts"].flatMap((file) =>
      namedExports(Deno.readTextFileSync(new URL(`../${file}`, import.meta.url)))
    );
    assertEquals([...new Set(named)].sort(), [...VALUES, ...TYPES].sort());
  });

  it("RedisJsonDict has these methods and no others", () => {
    const names = Object.getOwnPropertyNames(mod.RedisJsonDict.prototype).filter((name) =>
      name !== "constructor"
    );
    assertEquals(names.sort(), METHODS);
    assertEquals(typeof mod.RedisJsonDict.prototype[Symbol.asyncIterator], "function");
    assertEquals(typeof mod.RedisJsonDict.prototype[Symbol.asyncDispose], "function");
    assertEquals(typeof mod.RedisJsonDict.connect, "function");
  });
});

describe("sync.ts", () => {
  it("sync.ts exports connect, what belongs to it, and what core.ts exports", () => {
    const own = ["connect", "dictionary", "toPlain"];
    assertEquals(Object.keys(sync).sort(), [...VALUES, ...own].sort());
    assertEquals(sync.AmbiguousResultError === mod.AmbiguousResultError, true);
  });
});
